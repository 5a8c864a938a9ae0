"""Whether a leg leaves a mirror for a reason (R5).

It did not answer two readings, or its target has restarted and may lack what was acknowledged, until it was copied. An
address that shows nobody counts as a sign of that, unless nobody ever had the group's mirror started. A stranger may
have written to an address that shows it. A copy mends what happened before it was ordered, and nothing later. A leg
that answers again as its eviction waits for the disk leaves all the same.
"""

from aoeha.core.model.events import TaskDone
from aoeha.core.model.shelves import Holder
from aoeha.core.model.task import LegTask, ReservationsRead, Task, TaskKind
from aoeha.sim.judges.judge import DECIDED_BEFORE_MS, Judge
from aoeha.sim.judges.leg_reads import LegReads
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.leg import Leg
from aoeha.sim.world.mirror import Assembly
from aoeha.sim.world.world import World

__all__ = ["EvictionJudge"]


class EvictionJudge(Judge):
    """Looks at every leg that is to leave."""

    def __init__(self, world: World, reads: LegReads) -> None:
        super().__init__(world)
        self._reads = reads
        self._restarted: set[tuple[str, str]] = set()
        self._ordered: set[tuple[str, str]] = set()
        self._served: set[str] = set()
        self._silent: set[tuple[str, str, str]] = set()
        self._back_ms: dict[tuple[str, str, str], int] = {}

    def mirror_started(self, machine: Gateway, group: str, assembly: Assembly) -> None:
        """Whatever was so before the first owner, its legs lack nothing."""
        del machine, assembly
        if group not in self._served:
            self._served.add(group)
            self._restarted = {(known, leg) for known, leg in self._restarted if known != group}

    def target_announced(self, group: str, shelf: str) -> None:
        """From now on a reason may be that it forgot something, until it is copied."""
        self._restarted.add((group, shelf))

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """So it may where nobody holds an address, or a stranger does."""
        if isinstance(done.outcome, ReservationsRead):
            self._note_returns(machine, task.group, {one.leg for one in done.outcome.reservations})
            lost = {one.leg for one in done.outcome.reservations if one.holder in (Holder.NOBODY, Holder.STRANGER)}
            self._restarted.update((task.group, leg) for leg in lost)

    def _note_returns(self, machine: Gateway, group: str, answering: set[str]) -> None:
        legs = next(known.legs for known in machine.config.groups if known.name == group)
        for place in ((machine.name, group, leg.name) for leg in legs):
            if place[-1] not in answering:
                self._silent.add(place)
            elif place in self._silent:
                self._silent.remove(place)
                self._back_ms[place] = self.now_ms

    def copy_begun(self, machine: Gateway, group: str, leg: Leg, *, whole: bool) -> None:
        """Where no daemon ordered it, the leg will lack nothing, but what its target forgets from now on."""
        del whole
        self._back_ms.pop((machine.name, group, leg.shelf), None)
        if (group, leg.shelf) not in self._ordered:
            self._restarted.discard((group, leg.shelf))
        self._ordered.discard((group, leg.shelf))

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node takes a leg out of a mirror, or takes it back: what its target forgets from now on is a new reason."""
        if isinstance(task, LegTask) and task.kind is TaskKind.RETURN_LEG:
            self._ordered.add((task.group, task.leg))
            self._restarted.discard((task.group, task.leg))
        if not isinstance(task, LegTask) or task.kind is not TaskKind.EVICT_LEG:
            return
        notes, takes = self._reads.of(machine, task.group, task.leg), f"{machine.name} takes {task.leg} out"
        if not notes.unanswered:
            back_ms = self._back_ms.get((machine.name, task.group, task.leg))
            is_news = back_ms is not None and self.now_ms - back_ms < DECIDED_BEFORE_MS
            if (task.group, task.leg) not in self._restarted and not is_news:
                self.broken("R5", f"{takes} of {task.group}, which answers it and has not restarted")
        elif notes.unanswered[-1] - notes.unanswered[0] < _apart_ms(machine):
            self.broken("R5", f"{takes} of {task.group} after {len(notes.unanswered)} readings without an answer")


def _apart_ms(machine: Gateway) -> int:
    """How far apart two readings begin whose ends are as far apart as readings are: one may end sooner than another."""
    return machine.config.hold_every_ms - machine.config.shelf_timeout_ms
