"""Lock records of a group's legs, read and stamped as the core wants it (R6).

They are in the targets' config strings, which any host may set. A record that no key of ours authenticates, or that is
another cluster's or group's, counts as none. What does not answer in time is left out of the report.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aoeha.core.model.shelves import LockRecord, SeenRecord
from aoeha.core.model.task import RecordTask
from aoeha.fabric.aoe.client import AoeClient, TargetAddress
from aoeha.fabric.aoe.places import Places, first_answer, usable
from aoeha.io import clock
from aoeha.wire.keys import Key
from aoeha.wire.lock_record import pack, unpack

__all__ = ["LegRecords", "Signature"]

ANSWER_SHARE = 0.8
"""The share of a task's time for the one query of each address."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a record is signed for and with: any of the keys is accepted. Others' records are not reported.

    `signing` gives the key that the peer has, and `version` the version of the wire format that it knows.
    """

    cluster: str
    node: str
    peer: str
    keys: tuple[Key, ...]
    signing: Callable[[], Key]
    version: Callable[[], int]


class LegRecords:
    """Answers the core's tasks about lock records. `targets` maps group and leg to the shelf's MAC addresses."""

    def __init__(
        self, interfaces: tuple[str, ...], signature: Signature, targets: Mapping[str, Mapping[str, tuple[bytes, ...]]]
    ) -> None:
        self._interfaces = interfaces
        self._signature = signature
        self._targets = targets

    async def perform(self, task: RecordTask) -> tuple[SeenRecord, ...]:
        """Stamp or read every address of a group's legs and report those that answered. AoeError: no interface."""
        by_ms, places = clock.now_ms() + task.deadline_ms, usable(self._interfaces)
        legs = self._targets[task.group]
        async with AoeClient(places, by_ms) as client:
            asked = [self._ask(client, task, Places(leg, mac, places)) for leg, macs in legs.items() for mac in macs]
            answers = await asyncio.gather(*asked)
        return tuple(seen for seen in answers if seen is not None)

    async def _ask(self, client: AoeClient, task: RecordTask, places: Places) -> SeenRecord | None:
        patience_ms = int(task.deadline_ms * ANSWER_SHARE)

        async def exchange(place: TargetAddress) -> bytes:
            if task.record is None:
                return (await client.read_config(place, patience_ms)).string
            mine = self._signature
            line = pack(task.record, mine.cluster, task.group, mine.signing(), mine.version())
            return (await client.write_config(place, line, force=True, deadline_ms=patience_ms)).string

        found = await first_answer(places, exchange)
        if found is None:
            return None
        owner = self._signature.node if task.own else self._signature.peer
        return SeenRecord(places.leg, places.mac.hex(":"), self._record_of(owner, found[1], task.group))

    def _record_of(self, owner: str, string: bytes, group: str) -> LockRecord | None:
        record = unpack(string, self._signature.cluster, group, self._signature.keys)
        return record if record is not None and record.owner == owner else None
