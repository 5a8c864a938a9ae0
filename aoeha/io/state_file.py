"""State files: one reader and one writer for all that a daemon leaves to a later one (R24).

A file proves by itself that it is whole: it is a JSON object of the state and of the SHA-256 of the state's bytes. It
is believed byte for byte. One in which a bit differs, that was cut off, or that another program wrote, is never read
half: it is set aside under the name `FILE.bad`, where an operator can look at it and where no later daemon meets it
again, and a sentence says so. Reading never raises, whatever lies there.
"""

# An import of pathlib would delay the first beat of a restarted daemon (aoeha.daemon.first_beat).
# ruff: noqa: PTH102, PTH105, PTH108, PTH112, PTH120, PTH123

import contextlib
import errno
import os
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

__all__ = [
    "DamagedError",
    "make_private_directory",
    "opened",
    "read_state",
    "sealed",
    "set_aside",
    "sync_directory",
    "write_state",
    "write_whole",
]

HEAD, MIDDLE, TAIL = b'{"sha256": "', b'",\n"state": ', b"}\n"
SUM_SIZE = sha256().digest_size * 2
BYTES_MAX = 4 << 20

StrPath = str | os.PathLike[str]
T = TypeVar("T")


class DamagedError(ValueError):
    """The bytes are not what the writer wrote. The message says what was found."""


def sealed(state: bytes) -> bytes:
    """Return what a state file holds: the state, which is JSON, with its own proof."""
    return HEAD + sha256(state).hexdigest().encode() + MIDDLE + state + TAIL


def opened(content: bytes) -> bytes:
    """Return the state of a file's content. Raises DamagedError unless each byte is as it was written."""
    if len(content) > BYTES_MAX:
        raise DamagedError(f"it has more than {BYTES_MAX} bytes")
    begin = len(HEAD) + SUM_SIZE + len(MIDDLE)
    state = content[begin : len(content) - len(TAIL)]
    if len(content) < begin + len(TAIL) or not content.endswith(TAIL):
        raise DamagedError("it was cut off, or another program or version wrote it")
    if content != sealed(state):
        raise DamagedError("its checksum is wrong")
    return state


def read_state(path: StrPath, decode: Callable[[bytes], T]) -> tuple[T | None, str]:
    """Return what `decode` makes of the state and an empty sentence, or None and why. A missing file is no fault."""
    try:
        with open(path, "rb") as file:
            content = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"cannot read {os.fspath(path)}: {error.strerror}; what it said is not known"
    try:
        return decode(opened(content)), ""
    except Exception as error:  # noqa: BLE001 - whatever lies there, the daemon must start
        return None, set_aside(path, str(error) or type(error).__name__)


def set_aside(path: StrPath, why: str) -> str:
    """Give a file that is not believed another name, and return the sentence that says so."""
    bad = f"{os.fspath(path)}.bad"
    try:
        os.replace(path, bad)
    except OSError as error:
        return f"cannot believe {os.fspath(path)}: {why}; cannot set it aside either: {error.strerror}"
    return f"cannot believe {os.fspath(path)}: {why}; it is set aside as {bad}, and what it said is not known"


def write_state(path: StrPath, state: bytes, *, sync: bool) -> None:
    """Replace a state file by another of mode 0600, so that a reader sees the old or the new one. Raises OSError.

    With `sync` it returns only when both the content and the name are on disk, and a write that fails leaves the older
    file. Without it the file is for this boot alone: the next daemon would believe an older one, so none is left.
    """
    try:
        _replace(path, sealed(state), sync=sync)
    except OSError:
        if not sync:
            with contextlib.suppress(OSError):
                os.unlink(path)
        raise


def _replace(path: StrPath, content: bytes, *, sync: bool) -> None:
    if len(content) > BYTES_MAX:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    folder, draft = os.path.dirname(path), f"{os.fspath(path)}.new"
    make_private_directory(folder)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_whole(descriptor, content)
        if sync:
            os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    finally:
        os.close(descriptor)
    os.replace(draft, path)
    if sync:
        sync_directory(folder)


def make_private_directory(path: StrPath) -> None:
    """Create a directory, and those above it that are missing, for root only. Raises OSError."""
    above = os.path.dirname(os.fspath(path))
    if above and not os.path.isdir(path):
        make_private_directory(above)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)


def write_whole(descriptor: int, content: bytes) -> None:
    """Write all of it, in as many calls as the kernel takes. Raises OSError."""
    done = 0
    while done < len(content):
        done += os.write(descriptor, content[done:])


def sync_directory(path: StrPath) -> None:
    """Have the disk keep the names in a directory. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
