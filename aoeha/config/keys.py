"""Read the key file from disk. Refuse it when users other than its owner can read it."""

import os
import stat
from pathlib import Path

from aoeha.config.findings import ConfigurationError, Finding
from aoeha.io.trusted_files import why_untrusted
from aoeha.wire.keys import Key, KeyFileError, parse_keys

__all__ = ["load_keys"]

MAXIMUM_BYTES = 64 * 1024


def load_keys(path: Path | str) -> tuple[Key, ...]:
    """Return the keys; the first one signs. Raises ConfigurationError with a sentence that never shows a key."""
    file = str(path)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _refuse_unsafe(file, os.fstat(descriptor))
            content = os.read(descriptor, MAXIMUM_BYTES)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise _refused(
            file, f"cannot read the keys: no such file; create it with `aoeha keygen {file}` and copy it to the peer"
        ) from error
    except PermissionError as error:
        raise _refused(file, "cannot read the keys: permission denied; only root may read them") from error
    except OSError as error:
        raise _refused(file, f"cannot read the keys: {error.strerror}") from error
    except ValueError as error:
        raise _refused(ascii(file), "cannot read the keys: its name has a NUL in it; name it correctly") from error
    try:
        return parse_keys(content.decode("ascii"), file)
    except UnicodeDecodeError:
        # `from None`: the original error carries the bytes of the file.
        raise _refused(
            file, "cannot read the keys: expected lines of a number and hex digits, got other bytes"
        ) from None
    except KeyFileError as error:
        raise ConfigurationError((Finding("", 0, "", str(error)),)) from error


def _refuse_unsafe(file: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(file, "cannot read the keys: expected a plain file; name the file that `aoeha keygen` created")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise _refused(
            file, f"cannot trust the keys: other users may read or change them (mode {mode:04o}); run: chmod 600 {file}"
        )
    if status.st_uid not in (0, os.geteuid()):
        raise _refused(file, f"cannot trust the keys: they belong to user {status.st_uid}; run: chown root {file}")
    if why := why_untrusted(file):
        raise _refused(file, f"cannot trust the keys: {why}")


def _refused(file: str, sentence: str) -> ConfigurationError:
    return ConfigurationError((Finding(file, 0, "", sentence),))
