"""The generation of a leg as it lies on the disk: in the first 4 KiB, where neither md 1.2 nor a file system writes.

md's superblock of version 1.2 lies at 4 KiB, its bitmap and the data behind it. mdadm writes nothing before it (seen
with mdadm 4.2: --assemble, --add, --re-add, --zero-superblock, --grow; tests/rack/leg_in_guest.py). Where anything else
lies in that place, a partition table or the data of an older format, nothing is written.

The record is one line of text, padded with zeros, with a checksum over the array's UUID, the leg's name and the number.
So a copy of another leg, or garbage, is never taken for it. It is read and written past the page cache by `dd`, which
can be killed; the write returns when the target has acknowledged it.
"""

import hashlib
import re
from dataclasses import dataclass

from aoeha.agents.interface import AgentError
from aoeha.agents.running import must_run
from aoeha.io.host import Host

__all__ = ["Mark", "Place", "read", "write"]

BLOCK = 4_096
_LINE = re.compile(r"aoeha-generation 1 (\S+) (\S+) ([0-9]{1,10}) ([0-9a-f]{64})\n\0*")
_MAX = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Place:
    """A leg's device, the UUID of its array, and the leg's name."""

    device: str
    uuid: str
    leg: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What lies in a leg's first 4 KiB: our number, 0 where there is nothing, and whether it is free for a new one."""

    number: int
    is_free: bool = True


async def read(host: Host, place: Place, deadline_ms: int) -> Mark:
    """Return what lies there. Raises AgentError where it cannot be read in time."""
    completed = await must_run(
        host, "dd", f"if={place.device}", f"bs={BLOCK}", "count=1", "iflag=direct", "status=none",
        deadline_ms=deadline_ms, to=f"read the generation of {place.leg}",
    )  # fmt: skip
    text = completed.stdout
    if not text.strip("\0"):
        return Mark(0, is_free=len(text) == BLOCK)
    match = _LINE.fullmatch(text)
    if match is None:
        return Mark(0, is_free=False)
    uuid, leg, number, checksum = match.groups()
    is_ours = (uuid, leg) == (place.uuid, place.leg) and checksum == _checksum(place, int(number))
    return Mark(int(number) if is_ours else 0)


async def write(host: Host, place: Place, number: int, deadline_ms: int) -> None:
    """Put a number there; it has landed when this returns. Raises AgentError."""
    if not 0 < number <= _MAX:
        raise AgentError(f"cannot write generation {number} to {place.leg}: it is out of range")
    line = f"aoeha-generation 1 {place.uuid} {place.leg} {number} {_checksum(place, number)}\n"
    await must_run(
        host, "dd", f"of={place.device}", f"bs={BLOCK}", "count=1", "iflag=fullblock", "oflag=direct",
        "conv=notrunc,fsync", "status=none", deadline_ms=deadline_ms, stdin=line.ljust(BLOCK, "\0"),
        to=f"write the generation of {place.leg}",
    )  # fmt: skip


def _checksum(place: Place, number: int) -> str:
    return hashlib.sha256(f"{place.uuid} {place.leg} {number}".encode()).hexdigest()
