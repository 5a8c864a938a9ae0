"""Finds the system's own daemons among all processes, by what no other user can forge.

A process of any user can call itself anything (`exec -a nfsdcld sleep`), and a container may run the same program for
itself. So a process counts only if it belongs to root, runs an executable of that name, and shares our PID and mount
namespaces.
"""

import os
from pathlib import Path

__all__ = ["daemons_called"]

DELETED = " (deleted)"
"""What the kernel adds to the name of an executable that an update has replaced (proc_pid_exe(5))."""


def daemons_called(*programs: str) -> dict[int, tuple[str, ...]]:
    """Return the command line of each of root's processes here that runs one of these programs, by its number.

    The first word is the name of its executable, whatever it calls itself.
    """
    found, ours = {}, _namespaces(Path("/proc/self"))
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        process = Path(entry.path)
        try:
            program = (process / "exe").readlink().name.removesuffix(DELETED)
            if program in programs and _is_roots(process) and _namespaces(process) == ours:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                found[int(entry.name)] = (program, *words[1:])
        except OSError:  # it has ended meanwhile, or belongs to the kernel
            continue
    return found


def _is_roots(process: Path) -> bool:
    """Whether its real, effective, saved and file system users are all root, as this namespace sees users."""
    lines = (process / "status").read_text(errors="replace").splitlines()
    return next(line for line in lines if line.startswith("Uid:")).split()[1:] == ["0"] * 4


def _namespaces(process: Path) -> tuple[int, ...]:
    return tuple((process / "ns" / kind).stat().st_ino for kind in ("pid", "mnt"))
