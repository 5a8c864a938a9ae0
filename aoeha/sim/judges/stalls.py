"""What a node that was stalled does before it knows how things stand (R10).

A node that was stalled for deadtime has not heard its peer since: only an owner takes anything by force before it has
listened for deadtime again. Nor does it know whose its legs are: it neither stamps nor moves one, nor starts anything,
before it has read one, or has heard its peer. And a power-off that it began before is over: it is given up as the node
wakes.
"""

from collections import defaultdict

from aoeha.core.model.beat import Beat
from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.task import (
    LegTask,
    PowerTask,
    RecordTask,
    ReservationTask,
    ResourceTask,
    Task,
    TaskKind,
    TaskResult,
)
from aoeha.sim.judges.judge import Judge
from aoeha.sim.judges.leg_reads import LegReads
from aoeha.sim.judges.presence import Presence
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["StallJudge"]


class StallJudge(Judge):
    """Looks at what a node begins within deadtime of the end of a stall."""

    def __init__(self, world: World, reads: LegReads, presence: Presence) -> None:
        super().__init__(world)
        self._reads = reads
        self._presence = presence
        self._back_ms: dict[str, int] = {}
        self._heard_ms: dict[str, int] = {}
        self._going_off: dict[str, set[int]] = defaultdict(set)
        self._slept_through: dict[str, set[int]] = defaultdict(set)

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon has nothing under way."""
        del memory
        self._going_off.pop(machine.name, None)
        self._slept_through.pop(machine.name, None)

    def returned(self, machine: Gateway, since_ms: int) -> None:
        """A node is back after a stall."""
        was_long = self.now_ms - since_ms >= machine.config.deadtime_ms
        if was_long and self._presence.knows_of_a_stall(machine):
            self._back_ms[machine.name] = machine.clock_ms()
            self._slept_through[machine.name] = set(self._going_off[machine.name])

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """What the peer says tells a node how things stand."""
        del link, beat
        self._heard_ms[machine.name] = machine.clock_ms()

    def booted(self, machine: Gateway) -> None:
        """A new boot was not stalled, and has heard nothing."""
        self._heard_ms.pop(machine.name, None)
        self._back_ms.pop(machine.name, None)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node begins something that it must know more for."""
        if isinstance(task, PowerTask) and task.kind is TaskKind.POWER_OFF:
            self._going_off[machine.name].add(task.id)
        back_ms = self._back_ms.get(machine.name)
        if back_ms is None or machine.clock_ms() - back_ms >= machine.config.deadtime_ms:
            return
        match task:
            case ReservationTask(kind=TaskKind.PREEMPT) if (machine.name, task.group) not in self._presence.owned:
                what = f"takes {task.subject} of {task.group} by force before deadtime"
            case RecordTask(kind=TaskKind.WRITE_RECORD) if not self._knows_more(machine, task.group, back_ms):
                what = f"stamps {task.group} before it has read a leg"
            case LegTask() if not self._knows_more(machine, task.group, back_ms):
                what = f"moves {task.leg} of {task.group} before it has read a leg"
            case ResourceTask(kind=TaskKind.START) if not self._knows_more(machine, task.group, back_ms):
                what = f"starts {task.subject} before it has read a leg"
            case _:
                return
        self.broken("R10", f"{machine.name} was stalled, and {what}")

    def task_cancelled(self, machine: Gateway, task: Task) -> None:
        """A node gives something up."""
        self._slept_through[machine.name].discard(task.id)

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A power-off ends by itself."""
        self._going_off[machine.name].discard(task.id)
        if task.id in self._slept_through[machine.name] and done.result is TaskResult.OK:
            self.broken("R10", f"{machine.name} was stalled, and goes on with a power-off that it began before")

    def _knows_more(self, machine: Gateway, group: str, back_ms: int) -> bool:
        """Whether a node has read a leg of a group since a stall, if it has legs, or has heard its peer."""
        legs = next(known.legs for known in machine.config.groups if known.name == group)
        answered_ms = [self._reads.of(machine, group, leg.name).answered_ms or 0 for leg in legs]
        return not legs or max(*answered_ms, self._heard_ms.get(machine.name, 0)) >= back_ms
