"""Whether a group is started in its order, and stopped in reverse: nothing loses what it stands on (R14).

A daemon starts nothing before it has looked at everything that may run (R15).
"""

from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.task import ResourceTask, Task, TaskKind, TaskResult
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["StartOrderJudge"]


class StartOrderJudge(Judge):
    """Looks at every start and stop. What was started and died meanwhile does not break the order."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._started: set[tuple[str, str]] = set()
        self._looked: set[tuple[str, str]] = set()

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon does not know what runs."""
        del memory
        self._looked = {(name, resource) for name, resource in self._looked if name != machine.name}

    def booted(self, machine: Gateway) -> None:
        """Nothing runs."""
        self._started = {(name, resource) for name, resource in self._started if name != machine.name}

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A resource is up, or was looked at."""
        if task.kind is TaskKind.PROBE:
            self._looked.add((machine.name, task.subject))
        if task.kind is TaskKind.START and done.result is TaskResult.OK:
            self._started.add((machine.name, task.subject))

    def task_started(self, machine: Gateway, task: Task) -> None:
        """What stands on a resource is stopped before it, and what it stands on is up before it."""
        if not isinstance(task, ResourceTask) or task.kind not in (TaskKind.START, TaskKind.STOP):
            return
        names = self.world.resources[task.group]
        place = names.index(task.subject)
        if task.kind is TaskKind.STOP:
            self._started.discard((machine.name, task.subject))
            above = [name for name in names[place + 1 :] if name in machine.active]
            if above:
                self.broken("R14", f"{machine.name} stops {task.subject} under {' and '.join(above)}")
            return
        unseen = [name for group in self.world.resources.values() for name in group]
        unseen = [name for name in unseen if (machine.name, name) not in self._looked]
        if unseen:
            self.broken("R15", f"{machine.name} starts {task.subject} before it has looked at {' and '.join(unseen)}")
        below = [
            name for name in names[:place] if name not in machine.active and (machine.name, name) not in self._started
        ]
        if below:
            self.broken("R14", f"{machine.name} starts {task.subject} without {' and '.join(below)}")
