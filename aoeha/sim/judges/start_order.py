"""Whether a group is started in its order, and stopped in reverse: nothing loses what it stands on (R14)."""

from aoeha.core.model.events import TaskDone
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

    def booted(self, machine: Gateway) -> None:
        """Nothing runs."""
        self._started = {(name, resource) for name, resource in self._started if name != machine.name}

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A resource is up."""
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
        below = [
            name for name in names[:place] if name not in machine.active and (machine.name, name) not in self._started
        ]
        if below:
            self.broken("R14", f"{machine.name} starts {task.subject} without {' and '.join(below)}")
