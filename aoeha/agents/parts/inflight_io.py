"""What this machine's kernel could still write to an AoE target, as sysfs and the mount table show it.

A kernel whose writes were refused by a reservation keeps repeating them (measured: each 0.1 s, for as long as the
driver's deadsecs), and what lies in its memory above them follows. Reading starts no process and asks no disk.
"""

import re
from pathlib import Path

from aoeha.io.mounts import TABLE, mounts

__all__ = ["unfinished_writes"]

_DEVICES = Path("/sys/class/block")


def unfinished_writes(target: str, devices: Path = _DEVICES, table: Path = TABLE) -> str:
    """Return in words what holds the disk of a target like "e1.0" in use; empty when nothing does."""
    wanted = re.compile(rf"etherd!{re.escape(target)}(p\d+)?")
    for device in sorted(devices.glob(f"etherd!{target}*")):
        if wanted.fullmatch(device.name) and (use := _use_of(device, table)):
            return f"{device.name.replace('!', '/')} {use}"
    return ""


def _use_of(device: Path, table: Path) -> str:
    try:
        holders = sorted(holder.name for holder in (device / "holders").iterdir())
        writes = int((device / "inflight").read_text().split()[1])  # reads and writes, Documentation/block/stat
        number = (device / "dev").read_text().strip()
        mounted = any(mount.device == number for mount in mounts(table))
    except (OSError, IndexError, ValueError) as fault:
        return f"does not tell its use: {fault}"
    if holders:
        return f"is used by {', '.join(holders)}"
    if mounted:
        return "is mounted"
    return f"has {writes} writes under way" if writes else ""
