"""Copies of a shelf's disk: somebody takes one, and puts it back where the disk was while the shelf has no power.

A copy of a disk in use is taken while it is written to, as a backup would be. It is put in the disk's own file, so that
whoever judges the legs later reads what the shelf has.
"""

import asyncio
import shutil
from pathlib import Path

from aoeha.rack.machines.host import RackError
from aoeha.rack.machines.rack import SHELVES, Rack

__all__ = ["put_back", "take"]


async def take(rack: Rack, shelf: str) -> None:
    """Copy the disk of a shelf as it is now."""
    disk, copy = _files(rack, shelf)
    await asyncio.to_thread(shutil.copyfile, disk, copy)
    rack.tell("disk copied", shelf=shelf)


async def put_back(rack: Rack, shelf: str) -> None:
    """Have the disk of a shelf without power as it was copied."""
    disk, copy = _files(rack, shelf)
    if not copy.exists():
        raise RackError(f"nobody has copied the disk of {shelf}")
    await asyncio.to_thread(shutil.copyfile, copy, disk)
    rack.tell("old disk", shelf=shelf)


def _files(rack: Rack, shelf: str) -> tuple[Path, Path]:
    disk = rack.leg(SHELVES.index(shelf) + 1)
    return disk, disk.with_name(f"old-{disk.name}")
