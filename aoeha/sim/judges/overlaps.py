"""Whether a node waits for the end of what it does to a resource (I4), and reads a mirror once at a time (R5)."""

from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.task import SuperblockTask, Task
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["OverlapJudge"]


class OverlapJudge(Judge):
    """Looks at every start and stop, and at every reading for a start. One that was given up ends a moment later."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._read: dict[tuple[str, str], int] = {}

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon waits for nothing that an earlier one began."""
        del memory
        self._read = {key: number for key, number in self._read.items() if key[0] != machine.name}

    def overlapped(self, machine: Gateway, task: Task) -> None:
        """What a start or stop would undo must have ended, or its end would be taken for another's."""
        act = f"{task.kind.value} {task.subject}"
        self.broken("I4", f"{machine.name} begins to {act} before the last act on it ended")

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A start has one reading, and what is read for no start any more is given up."""
        if isinstance(task, SuperblockTask):
            key = machine.name, task.subject
            if key in self._read:
                self.broken("R5", f"{machine.name} reads the legs of {task.subject} beside a reading that is over")
            self._read[key] = task.id

    def task_cancelled(self, machine: Gateway, task: Task) -> None:
        """A reading is given up."""
        self._end(machine, task)

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A reading has ended."""
        del done
        self._end(machine, task)

    def _end(self, machine: Gateway, task: Task) -> None:
        if isinstance(task, SuperblockTask) and self._read.get((machine.name, task.subject)) == task.id:
            del self._read[machine.name, task.subject]
