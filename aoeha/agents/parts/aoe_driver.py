"""The kernel's AoE driver as sysfs shows it and as its control files in /dev/etherd take orders.

Reading starts no process. Writing may hang with the driver: to be called through bounded_call.
"""

import os
import re
import stat
from pathlib import Path

__all__ = [
    "CONTROL", "addresses_of", "is_up", "make_node", "progress_of", "state_of", "target_of", "write_control",
]  # fmt: skip

CONTROL = Path("/dev/etherd")
_BLOCK = Path("/sys/class/block")
_DEBUG = Path("/sys/kernel/debug/aoe")
_ADDRESS = re.compile(r"^([0-9a-f]{12}):\d+:\d+:\d+$", re.MULTILINE)
_ENDED, _UNDER_WAY = (0, 4, 11, 15), 8
_LEG = re.compile(r"/dev/etherd/(e\d+\.\d+)(?:p\d+)?")


def target_of(leg: str) -> str | None:
    """Return the target of a leg's device: "e1.0" for /dev/etherd/e1.0p1, None for a device of another kind."""
    match = _LEG.fullmatch(leg)
    return match[1] if match else None


def state_of(target: str) -> str:
    """Return what the driver says: "up", "down,closewait"; an empty string when it knows no such target."""
    return _read(_BLOCK / f"etherd!{target}" / "state")


def is_up(target: str) -> bool:
    """Tell whether the driver can use the target: up, and with its size known. It need not be reachable."""
    size = _read(_BLOCK / f"etherd!{target}" / "size")
    return state_of(target).split(",")[0] == "up" and size not in ("", "0")


def addresses_of(target: str) -> tuple[str, ...]:
    """Return the hardware addresses at which the driver reaches a target, rising: "02:00:00:00:00:0a".

    All of them where debugfs is mounted (a line like `02000000000a:0:16:4` for each), else the one that sysfs shows;
    none when neither tells. Source: aoe_debugfs_show and aoedisk_show_mac in the kernel's drivers/block/aoe/aoeblk.c.
    """
    listed = _ADDRESS.findall(_read(_DEBUG / target))
    shown = listed or re.findall(r"^[0-9a-f]{12}$", _read(_BLOCK / f"etherd!{target}" / "mac"))
    return tuple(sorted(":".join(re.findall("..", digits)) for digits in shown))


def progress_of(target: str) -> tuple[int, int]:
    """Return how much I/O of a target is under way and how much has ended since it appeared; 0 and 0 for no target.

    Source: Documentation/block/stat.rst; what has ended are reads, writes, discards and flushes.
    """
    words = _read(_BLOCK / f"etherd!{target}" / "stat").split()
    fields = [int(word) for word in words if word.isascii() and word.isdigit()]
    if len(fields) <= _UNDER_WAY:
        return 0, 0
    return fields[_UNDER_WAY], sum(fields[place] for place in _ENDED if place < len(fields))


def make_node(device: str) -> None:
    """Make a target's device node where neither udev nor devtmpfs does, or left that of an earlier number."""
    node = Path(device)
    number = _read(_BLOCK / f"etherd!{node.name}" / "dev")
    if not number:
        return
    major, _, minor = number.partition(":")
    wanted = os.makedev(int(major), int(minor))
    if node.exists():
        if node.stat().st_rdev == wanted:
            return
        node.unlink()
    node.parent.mkdir(exist_ok=True)
    os.mknod(node, stat.S_IFBLK | 0o660, wanted)


def write_control(path: Path, text: str) -> None:
    """Write without creating, and without a newline: `flush` would match nothing with one (measured, aoe v85).

    A missing driver's file must not become a regular one in /dev.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)  # as a shell does; such files have nothing to cut off
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
