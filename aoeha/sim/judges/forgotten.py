"""What targets have lost that nothing can save (R5): acknowledged records that no rule could keep.

A target that restarts loses the last of what it acknowledged. As long as another half of the mirror is known to be
whole, that one has it all, and nothing is excused. If there is no other half, or if the other's target has restarted
too and it was not copied whole since, nobody can tell which records are gone: whichever leg is read, some are
missing. A copy of a leg in doubt is in doubt like that one. So it is if a silent leg is being taken out of the mirror
while the target of the last other one restarts: what was on its way is acknowledged when the leg has left. Just what
targets have lost until then is excused, and nothing else. What is written later is not, and what a leg lacks for
another reason never is.
"""

from collections import defaultdict

from aoeha.core.model.task import LegTask, Task, TaskKind
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.leg import Leg
from aoeha.sim.world.world import World

__all__ = ["Forgotten"]


class Forgotten(Judge):
    """Knows what each target has lost. `excused` are the records of each group that nobody could keep."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.excused: dict[str, set[int]] = defaultdict(set)
        self._lost: dict[Leg, set[int]] = defaultdict(set)
        self._restarted: dict[Leg, int] = {}
        self._ordered_ms: dict[str, int] = {}
        self._copied: set[Leg] = set()

    def may_lack(self, leg: Leg) -> bool:
        """Whether its target has restarted since it was copied whole."""
        return leg in self._restarted

    def disk_changed(self, group: str, leg: Leg, lost: set[int], *, forgot: bool) -> None:
        """A target forgets: all that targets lost is excused if no other leg of the last mirror is known to be whole.

        An older copy of a disk is none of that: its generation tells (R22).
        """
        last = self.world.storage.newest.get(group)
        if not forgot or last is None:
            return
        self._lost[leg] |= lost
        others = [other for other in last.active if other is not leg]
        if lost and leg in last.active and all(other in self._restarted for other in others):
            self._excuse(group)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A leg is taken out of a mirror: whatever happens from now on comes too late."""
        del machine
        if isinstance(task, LegTask) and task.kind is TaskKind.EVICT_LEG:
            self._ordered_ms[task.group] = self.now_ms

    def leg_evicting(self, group: str, leg: Leg, survivors: list[Leg]) -> None:
        """It has left. All others may have restarted after that was ordered."""
        del leg
        if all(self._restarted.get(one, -1) >= self._ordered_ms[group] for one in survivors):
            self._excuse(group)

    def _excuse(self, group: str) -> None:
        legs = self.world.storage.mirrors[group].legs
        lost = set[int]().union(*(self._lost[one] - one.records for one in legs))
        if not lost <= self.excused[group]:
            self.excused[group] |= lost
            self.world.count("excused", "every target lost what it acknowledged")

    def target_started(self, group: str, shelf: str) -> None:
        """From now on nobody can rely on the leg, not even if it is being copied."""
        leg, last = self.world.storage.mirrors[group].leg(shelf), self.world.storage.newest.get(group)
        self._restarted[leg] = self.now_ms
        self._copied.discard(leg)
        if last is not None and leg in last.active and all(one in self._restarted for one in last.active):
            self._excuse(group)

    def copy_begun(self, machine: Gateway, group: str, leg: Leg, *, whole: bool) -> None:
        """A full copy replaces what was lost; but one of a leg in doubt is in doubt itself."""
        del machine
        if all(source in self._restarted for source in self.world.storage.newest[group].active):
            self._restarted.setdefault(leg, self.now_ms)
        elif whole:
            self._copied.add(leg)

    def copy_ended(self, machine: Gateway, group: str, leg: Leg) -> None:
        """The leg has whatever the other one has. What is lost later is another loss."""
        del machine, group
        if leg in self._copied:
            self._copied.discard(leg)
            self._restarted.pop(leg, None)
            self._lost[leg] -= leg.records
