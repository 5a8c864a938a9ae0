"""md arrays as sysfs shows them: which array uses a leg, what state it is in. Reading starts no process."""

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ArrayState", "array_of", "array_state", "block_name", "set_resync_action"]

_BLOCK = Path("/sys/block")


@dataclass(frozen=True, slots=True)
class ArrayState:
    """What md shows of an array.

    `state` is md/array_state, `action` md/sync_action, `wanted` the number of legs of a whole mirror. `members` and
    `working` are block names; a working one is in sync and its disk still has a size: md keeps the last leg of a
    mirror in sync even when its disk is gone.
    """

    name: str
    state: str
    action: str
    wanted: int
    members: tuple[str, ...]
    working: tuple[str, ...]


def block_name(device: str) -> str:
    """Return the name that /sys/block has for a device node: /dev/etherd/e1.0 is etherd!e1.0."""
    return os.path.realpath(device).removeprefix("/dev/").replace("/", "!")


def array_of(leg: str) -> str | None:
    """Return the md array ("md127") that has this leg as a member, None when nobody uses it."""
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
        members = tuple(sorted(entry.name.removeprefix("dev-") for entry in folder.glob("dev-*")))
        working = tuple(member for member in members if _is_working(folder, member))
        action = _read(folder / "sync_action") if wanted else ""
    except (OSError, ValueError):
        return None
    return None if state == "clear" else ArrayState(name, state, action, wanted, members, working)


def set_resync_action(name: str, action: str) -> None:
    """Write md/sync_action. May hang with the array's legs: to be called through bounded_call. Raises OSError."""
    (_BLOCK / name / "md" / "sync_action").write_text(action)


def _is_working(folder: Path, member: str) -> bool:
    member_folder = folder / f"dev-{member}"
    return "in_sync" in _read(member_folder / "state").split(",") and _read(member_folder / "block" / "size") != "0"


def _read(path: Path) -> str:
    return path.read_text().strip()
