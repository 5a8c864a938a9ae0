"""md arrays as sysfs shows them: which array uses a leg, what state it is in. Reading starts no process.

Reading waits for no leg either: these files show what md has in memory, and md's lock is not taken for them
(md_attr_show and rdev_attr_show in drivers/md/md.c of Linux 6.1). /proc/mdstat is no such file (aoeha.io.mirror_watch).
"""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "ArrayState",
    "array_of",
    "array_state",
    "block_name",
    "end_readonly",
    "fail_member",
    "has_room_before_data",
    "mark_write_mostly",
    "remove_member",
    "resync_action",
]

Order = tuple[Path, str]
"""A word, and the file to which it is written by a program (hanging_files.tell_kernel): md may wait for its legs."""

_BLOCK = Path("/sys/class/block")
_NO_DISK = "no disk"
ROOM_SECTORS = 16
"""The superblock of version 1.2 lies in the second 4 KiB; data begin behind it."""
_SET_DISK_FAULTY = 0x0929
"""_IO(MD_MAJOR, 0x29) of linux/raid/md_u.h."""


@dataclass(frozen=True, slots=True)
class ArrayState:
    """What md shows of an array.

    `state` is md/array_state, `action` md/sync_action, `wanted` the number of legs of a whole mirror. `members` and
    `working` are block names; a working one is in sync and its disk still has a size: md keeps the last leg of a mirror
    in sync even when its disk is gone. `failed` ones are marked faulty, or their disk is gone. `write_mostly` ones are
    read only where no other one has the data. `unclean`: a resync is to come, or has not ended.
    """

    name: str
    state: str
    action: str
    wanted: int
    members: tuple[str, ...]
    working: tuple[str, ...]
    failed: tuple[str, ...] = ()
    write_mostly: tuple[str, ...] = ()
    unclean: bool = False

    def is_rebuilding(self, member: str) -> bool:
        """Tell whether md copies onto this member, or will by itself."""
        return member in self.members and member not in self.working and member not in self.failed


def block_name(device: str) -> str:
    """Return the name that /sys/block has for a device node: /dev/etherd/e1.0 is etherd!e1.0."""
    return os.path.realpath(device).removeprefix("/dev/").replace("/", "!")


def array_of(leg: str) -> str | None:
    """Return the md array ("md127") that has this leg as a member, None when no array has it."""
    holders = _BLOCK / block_name(leg) / "holders"
    try:
        return next((name for name in os.listdir(holders) if name.startswith("md")), None)  # noqa: PTH208  # names only
    except OSError:
        return None


def array_state(name: str) -> ArrayState | None:
    """Return what an array is like now, None when there is none of that name or it holds no members."""
    folder = _BLOCK / name / "md"
    try:
        state = _read(folder / "array_state")
        wanted = int(_read(folder / "raid_disks") or 0)
        listed = sorted(entry.name.removeprefix("dev-") for entry in folder.glob("dev-*"))
        states = {member: flags for member in listed if (flags := _flags(folder / f"dev-{member}")) is not None}
        members = tuple(states)
        working = tuple(member for member, flags in states.items() if "in_sync" in flags and _NO_DISK not in flags)
        failed = tuple(member for member, flags in states.items() if "faulty" in flags or _NO_DISK in flags)
        last = tuple(member for member, flags in states.items() if "write_mostly" in flags)
        action = _read(folder / "sync_action") if wanted else ""
        unclean = wanted > 0 and _read(folder / "resync_start") != "none"
    except (OSError, ValueError):
        return None
    return (
        None if state == "clear" else ArrayState(name, state, action, wanted, members, working, failed, last, unclean)
    )


def resync_action(name: str, action: str) -> Order:
    """How md/sync_action is set."""
    return _BLOCK / name / "md" / "sync_action", action


def has_room_before_data(name: str, member: str) -> bool:
    """Whether a member of an array has its superblock at 4 KiB and its data behind it: the first 4 KiB are unused."""
    folder = _BLOCK / name / "md"
    try:
        offset = int(_read(folder / f"dev-{member}" / "offset"))
        return _read(folder / "metadata_version") == "1.2" and offset >= ROOM_SECTORS
    except (OSError, ValueError):
        return False


def end_readonly(name: str) -> Order:
    """How an array that was assembled read-only is let be written to."""
    return _BLOCK / name / "md" / "array_state", "active"


def mark_write_mostly(name: str, member: str) -> Order:
    """How a member is read, and copied from, only where no other has the data; its superblock keeps that.

    md calls this write-mostly. Measured with Linux 6.1: it goes before the rule that what is not in sync yet is read
    from the first member, and a resync takes its data from the others.
    """
    return _BLOCK / name / "md" / f"dev-{member}" / "state", "writemostly"


def fail_member(name: str, member: str) -> None:
    """Mark a member faulty. By ioctl: sysfs would wait for md's lock, which is held while md writes to a dead leg.

    md refuses by EBUSY for the last leg. Waits for no leg, but for whoever opens the array at the moment: to be called
    through bounded_call. Raises OSError.
    """
    major, _, minor = _read(_BLOCK / name / "md" / f"dev-{member}" / "block" / "dev").partition(":")
    array = os.open(f"/dev/{name}", os.O_RDONLY)
    try:
        fcntl.ioctl(array, _SET_DISK_FAULTY, os.makedev(int(major), int(minor)))
    finally:
        os.close(array)


def remove_member(name: str, member: str) -> tuple[Order, Order]:
    """How md lets go of a member that failed, even if md has not noticed yet; EBUSY as long as I/O to it is out."""
    state = _BLOCK / name / "md" / f"dev-{member}" / "state"
    return (state, "faulty"), (state, "remove")


def _flags(member_folder: Path) -> tuple[str, ...] | None:
    """Return what md says of a member, and whether it has lost its disk; None when md lets go of it at this moment."""
    try:
        flags = tuple(_read(member_folder / "state").split(","))
    except OSError:
        return None
    return flags if _has_size(member_folder) else (*flags, _NO_DISK)


def _has_size(member_folder: Path) -> bool:
    """Tell whether the member's disk has a size; the driver may have taken the disk away."""
    try:
        return _read(member_folder / "block" / "size") != "0"
    except OSError:
        return False


def _read(path: Path) -> str:
    return path.read_text().strip()
