"""Namespaces of the rack's own: network, and mounts with a devpts in which nobody else's terminals have numbers.

Both belong to the driver's process and to the guests, and are gone with the last of them, however they end.
"""

import contextlib
import ctypes
import os
from pathlib import Path

from aoeha.rack.machines.host import RackError

__all__ = ["JUDGED", "UNJUDGED", "enter_namespaces", "mount_terminals", "rank_before_others", "unmount_terminals"]

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE, MNT_DETACH = 1 << 14, 1 << 18, 2
JUDGED, UNJUDGED = -15, -10
"""How a rack ranks among all that this machine does, from the first mark to the end of the play and outside of that."""
LIBC = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result:
        raise RackError(f"cannot {what}: {os.strerror(ctypes.get_errno())}; this needs root with CAP_SYS_ADMIN")


def enter_namespaces() -> None:
    """Move this process into a new network and a new mount namespace, from which no mount leaks out."""
    _check(LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS), "make namespaces")
    _check(LIBC.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None), "keep the rack's mounts private")


def rank_before_others() -> None:
    """Let the other work of this machine come second: a drill measures the pair, not the neighbours.

    Where sessions are scheduled as groups (sched(7), autogroup) a process's niceness counts only within its session.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, JUDGED)
        Path("/proc/self/autogroup").write_text(str(JUDGED))


def mount_terminals(folder: Path) -> None:
    """Make `folder` hold terminals of the rack's own.

    On the host's, a number is given out again at once: a program elsewhere that opens its /dev/pts/3 anew after its
    end was closed would take bytes off our null-modem (it happened).
    """
    folder.mkdir()
    options = b"newinstance,ptmxmode=600,mode=600"
    _check(LIBC.mount(b"devpts", str(folder).encode(), b"devpts", ctypes.c_ulong(0), options), "mount a devpts")


def unmount_terminals(folder: Path) -> None:
    """Take them away again."""
    LIBC.umount2(str(folder).encode(), MNT_DETACH)
