"""Whether a pair is well once all faults have ended (I6)."""

from typing import NoReturn

from aoeha.sim.judges.duels import DuelJudge
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.world import World

__all__ = ["ACKNOWLEDGED_WITHIN_MS", "WellJudge"]


ACKNOWLEDGED_WITHIN_MS = 10_000
"""Who serves acknowledges a record within this time, again and again."""


class WellJudge(Judge):
    """Tells what is still amiss."""

    def __init__(self, world: World, duels: DuelJudge) -> None:
        super().__init__(world)
        self._duels = duels

    def settled(self) -> str:
        """What still keeps the healed pair from being well, empty for nothing."""
        machines = self.world.machines.values()
        for group in self.world.resources:
            serving = [machine.name for machine in machines if machine.serves(group)]
            if len(serving) != 1:
                return f"{group} is served by {' and '.join(serving) or 'nobody'}"
            served_ms = self.world.storage.served_ms[group]
            if served_ms is None or self.now_ms - served_ms > ACKNOWLEDGED_WITHIN_MS:
                return f"{serving[0]} acknowledges no record of {group}"
        fenced = self._duels.fenced_dead
        absent = [one.name for one in machines if not (one.name in fenced or one.left or _has_daemon(one))]
        return f"{' and '.join(absent)} has no daemon" if absent else ""

    def never_settled(self, bound_ms: int, sentence: str) -> NoReturn:
        """The healed pair is not well in time."""
        self.broken("I6", f"{sentence} {bound_ms // 1_000} s after all faults ended")


def _has_daemon(machine: Machine) -> bool:
    """Whether a daemon runs there that has begun: one that is still starting cannot tell its peer what it owns."""
    return machine.daemon is not None and machine.daemon.state is not None
