"""Tells which LVM volume groups are on this machine's own disks, from active volumes and LVM's backups."""

import re
from dataclasses import dataclass
from pathlib import Path

from aoeha.preflight.arrays import SharedArray, array_key, is_array, is_leg
from aoeha.preflight.files import read
from aoeha.preflight.mdadm import local_arrays

__all__ = ["VolumeGroups", "known_groups"]

BACKUPS = "etc/lvm/backup"
_DEVICE_HINT = re.compile(r'^\s*device = "([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class VolumeGroups:
    """Names of groups. Those that nothing on this machine knows are in neither set."""

    own: frozenset[str]
    shared: frozenset[str]


def known_groups(root: Path, arrays: tuple[SharedArray, ...]) -> VolumeGroups:
    """Tell the groups apart. For active groups the kernel's state counts, for the others LVM's backups."""
    found = _noted(root, arrays) | _active(root)
    own = frozenset(name for name, shared in found.items() if not shared)
    return VolumeGroups(own, frozenset(found) - own)


def _active(root: Path) -> dict[str, bool]:
    """Return the active groups, and whether a leg lies below any of their volumes."""
    found: dict[str, bool] = {}
    for block in (root / "sys/block").glob("dm-*"):
        if read(block / "dm/uuid").startswith("LVM-"):
            group = _group(read(block / "dm/name").strip())
            found[group] = found.get(group, False) or _lies_on_leg(root, block.name)
    return found


def _group(mapped: str) -> str:
    """Return the group in a device-mapper name: "group-volume", where their own hyphens are written twice."""
    return re.split(r"(?<!-)-(?!-)", mapped.replace("--", "\0"))[0].replace("\0", "-")


def _lies_on_leg(root: Path, block: str, depth: int = 8) -> bool:
    if block.startswith("etherd!"):
        return True
    below = (root / "sys/block" / block).glob("slaves/*")
    return depth > 0 and any(_lies_on_leg(root, member.name, depth - 1) for member in below)


def _noted(root: Path, arrays: tuple[SharedArray, ...]) -> dict[str, bool]:
    """Return the groups that LVM keeps a backup of, and whether one of their disks is a leg or no array of our own."""
    own_arrays = local_arrays(root, arrays)

    def is_shared(device: str) -> bool:
        return is_leg(device) or (is_array(device) and array_key(device) not in own_arrays)

    return {
        path.name: any(map(is_shared, _DEVICE_HINT.findall(read(path))))
        for path in (root / BACKUPS).glob("*")
        if path.is_file()
    }
