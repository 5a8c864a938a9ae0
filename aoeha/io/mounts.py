"""Lists the mounts of this node, and mounts the kernel's pseudo file systems without a process."""

import ctypes
import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TABLE", "Mount", "mount_pseudo", "mounts", "users_of"]

TABLE = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mountinfo (proc(5)). `device` is "major:minor", `read_only` the file system's own word."""

    device: str
    directory: str
    kind: str
    source: str
    read_only: bool


def mounts(table: Path = TABLE) -> tuple[Mount, ...]:
    """Return all mounts in the order in which they were made. The last one of a directory is the visible one.

    Users mount too, at names of their own: any bytes. The kernel escapes the end of a line and nothing else that
    Python takes for one (U+2028), so one odd name would otherwise hide all mounts.
    """
    return tuple(_parse(os.fsdecode(line)) for line in table.read_bytes().split(b"\n") if line)


def _parse(line: str) -> Mount:
    left, _, right = line.partition(" - ")
    fields = left.split(" ")
    kind, source, options = right.split(" ")
    return Mount(fields[2], _unescape(fields[4]), kind, _unescape(source), "ro" in options.split(","))


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def mount_pseudo(kind: str, directory: Path) -> None:
    """Mount a file system that has no device, such as nfsd; the kernel may load a module for it. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(kind.encode(), str(directory).encode(), kind.encode(), 0, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} (mounting {kind} at {directory})")


def users_of(directory: str) -> dict[int, str]:
    """Return the processes that use a file below a directory, by number, with their names. Never this process.

    Links are compared as text, so a file system that hangs does not hang this; /proc/PID/maps may, so call it in a
    thread.
    """
    users: dict[int, str] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) in (1, os.getpid()):
            continue
        try:
            if any(_is_below(path, directory) for path in _open_paths(Path(entry.path))):
                users[int(entry.name)] = Path(entry.path, "comm").read_text(errors="replace").strip()
        except OSError:
            continue
    return users


def _open_paths(process: Path) -> list[str]:
    links = [process / "cwd", process / "root", process / "exe", *(process / "fd").iterdir()]
    paths = []
    for link in links:
        try:
            paths.append(os.readlink(link))  # noqa: PTH115  # the text, also of files that were deleted
        except OSError:
            continue
    # address perms offset device inode path (proc(5)); the path may hold blanks
    mapped = [line.split(maxsplit=5) for line in (process / "maps").read_text(errors="replace").splitlines()]
    return paths + [fields[5] for fields in mapped if len(fields) == 6]


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")
