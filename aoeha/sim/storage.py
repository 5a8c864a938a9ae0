"""Shelves, legs, and clients that write numbered records.

A group's storage is a mirror of two legs, one on each shelf. A record that a gateway took is written to both and
acknowledged when both have it. A shelf that does not answer lets writes hang; the gateway's kernel goes on trying for
as long as it lives. So a gateway that was frozen writes when it thaws, whatever its daemon thinks of that.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aoeha.sim.machine import Machine
    from aoeha.sim.world import World

__all__ = ["Leg", "Storage"]

WRITE_MS = (1, 12)
RETRY_MS = 200


@dataclass(slots=True)
class Leg:
    """Half of a mirror: what is on it, and its event count as md would show it."""

    shelf: str
    records: set[int] = field(default_factory=set)
    events: int = 0


@dataclass(slots=True, eq=False)
class Write:
    """A record on its way from a kernel to the legs that do not have it yet."""

    group: str
    number: int
    machine: "Machine"
    boots: int
    missing: list[Leg]


class Storage:
    """The legs of every group, and one client each."""

    def __init__(self, world: "World", groups: tuple[str, ...], client_ms: int) -> None:
        self.world = world
        self.shelves = {"shelf1": True, "shelf2": True}
        self.legs = {group: [Leg(shelf) for shelf in self.shelves] for group in groups}
        self.acknowledged: dict[str, set[int]] = {group: set() for group in groups}
        self.served_ms: dict[str, int | None] = dict.fromkeys(groups)
        self.worst_outage_ms = 0
        self._client_ms = client_ms
        self._number = 0
        for group in groups:
            world.timeline.after(client_ms, self._client_writes, group)

    def _client_writes(self, group: str) -> None:
        self.world.timeline.after(self._client_ms, self._client_writes, group)
        for machine in self.world.machines.values():
            if machine.serves(group):
                self._number += 1
                delay_ms = self.world.random.randint(*WRITE_MS)
                write = Write(group, self._number, machine, machine.boots, list(self.legs[group]))
                self.world.timeline.after(delay_ms, machine.by_kernel, self._write_lands, write)

    def _write_lands(self, write: Write) -> None:
        """What a kernel sends lands, unless that kernel is gone or its storage was taken from it."""
        machine = write.machine
        if not machine.alive or machine.boots != write.boots or not machine.runs_any(write.group):
            return
        for leg in [leg for leg in write.missing if self.shelves[leg.shelf]]:
            leg.records.add(write.number)
            leg.events += 1
            write.missing.remove(leg)
            self.world.oracle.write_landed(machine, write.group)
        if write.missing:
            self.world.timeline.after(RETRY_MS, machine.by_kernel, self._write_lands, write)
            return
        self.acknowledged[write.group].add(write.number)
        self._note_service(write.group)

    def _note_service(self, group: str) -> None:
        now_ms = self.world.timeline.now_ms
        before_ms = self.served_ms[group]
        if before_ms is not None:
            self.worst_outage_ms = max(self.worst_outage_ms, now_ms - before_ms - self._client_ms)
        self.served_ms[group] = now_ms
