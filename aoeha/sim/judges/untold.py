"""Legs that md dropped in the last moments of their owner, so that nobody who is left can know of it (R5).

md drops a leg without asking, and its owner tells so as soon as its daemon runs. If its machine ends before that, or
while its daemon does not run, and the other leg is out of reach for the next owner, that one starts from the dropped
leg. What was acknowledged since the leg was dropped is excused on that leg, and nothing else: neither what is older,
nor what the other leg could have told, nor a leg whose owner had the time to tell.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.mirror import Assembly, Leg
from aoeha.sim.world.world import World

__all__ = ["TOLD_MS", "Untold"]

TOLD_MS = 100
"""The kernel's word, one turn of the daemon's loop and a beat take less."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A leg that `owner` goes without, since record `newest`. `runs_since_ms`: its daemon runs since, None for not."""

    owner: Gateway
    newest: int
    runs_since_ms: int | None


class Untold(Judge):
    """Knows which legs were dropped untold. `excused` are the records of each leg that nobody could miss there."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.excused: dict[Leg, set[int]] = defaultdict(set)
        self._drops: dict[tuple[str, Leg], Drop] = {}

    def leg_dropped(self, machine: Gateway, group: str, leg: Leg) -> None:
        """A kernel lets a leg go by itself."""
        newest = max(self.world.storage.acknowledged[group], default=0)
        self._drops[group, leg] = Drop(machine, newest, None if machine.present_since_ms is None else self.now_ms)

    def returned(self, machine: Gateway, since_ms: int) -> None:
        """A daemon runs again: what it had told before is told, and now it has the time to."""
        for place, drop in list(self._drops.items()):
            if drop.owner is machine and _had_time(drop, since_ms):
                del self._drops[place]
            elif drop.owner is machine:
                self._drops[place] = replace(drop, runs_since_ms=self.now_ms)

    def copy_begun(self, machine: Gateway, group: str, leg: Leg, *, whole: bool) -> None:
        """Its superblock tells from now on what it lacks."""
        del machine, whole
        self._drops.pop((group, leg), None)
        self.excused.pop(leg, None)

    def mirror_started(self, machine: Gateway, group: str, assembly: Assembly) -> None:
        """Somebody starts from such a leg, and no other one answers that could tell."""
        storage = self.world.storage
        for leg in assembly.active:
            drop = self._drops.pop((group, leg), None)
            if drop is None or drop.owner is machine:
                continue
            ended_ms = self.now_ms if drop.owner.present_since_ms is not None else drop.owner.absent_since_ms
            others = [other.shelf for other in storage.mirrors[group].legs if other is not leg]
            in_reach = any(storage.shelves[shelf].answers and storage.reaches(machine, shelf) for shelf in others)
            if not _had_time(drop, ended_ms) and not in_reach:
                since = {record for record in storage.acknowledged[group] if record > drop.newest}
                self.excused[leg] |= since - leg.records
                self.world.count("excused", "a leg dropped in its owner's last moments")


def _had_time(drop: Drop, ended_ms: int) -> bool:
    return drop.runs_since_ms is not None and ended_ms - drop.runs_since_ms >= TOLD_MS
