"""Which resources failed, by what each node was told of its own acts and looks, and for how long that may show."""

from aoeha.core.model.events import TaskDone
from aoeha.core.model.task import Observed, ResourceStatus, ResourceTask, Task, TaskKind, TaskResult
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["Troubles"]

SHOWS_FOR_MS = 40_000
"""A node that counts a failure may wait 30 s before it tries again."""
WELL = (ResourceStatus.RUNNING, ResourceStatus.DEGRADED)


class Troubles(Judge):
    """Notes what fails where. A stop that failed shows for as long as the resource is there."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._failed_ms: dict[tuple[str, str], int] = {}
        self._stuck: set[tuple[str, str, str]] = set()
        self._not_stopped_ms: dict[tuple[str, str], int] = {}

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """An act failed, or a look found that a resource does not run."""
        if not isinstance(task, ResourceTask) or task.kind is TaskKind.VALIDATE:
            return
        seen = done.outcome if task.kind is TaskKind.MONITOR else None
        missed = isinstance(seen, Observed) and seen.status not in WELL
        if missed or done.result not in (TaskResult.OK, TaskResult.CANCELLED):
            self._failed_ms[machine.name, task.subject] = self.now_ms
            if task.kind is TaskKind.STOP:
                self._stuck.add((machine.name, task.group, task.subject))
                self._not_stopped_ms[machine.name, task.group] = self.now_ms

    def looked(self) -> None:
        """What does not run is not stuck."""
        if self._stuck:
            self._stuck = {known for known in self._stuck if known[2] in self.world.machines[known[0]].active}

    def may_show(self, machine: Gateway, group: str) -> bool:
        """Whether a node has lately found a resource of this group failed."""
        last_ms = [self._failed_ms.get((machine.name, resource)) for resource in self.world.resources[group]]
        return any(failed_ms is not None and self.now_ms - failed_ms < SHOWS_FOR_MS for failed_ms in last_ms)

    def is_stuck(self, machine: Gateway, group: str) -> bool:
        """Whether a node could not stop something of a group that is still there, or has ended unnoticed since."""
        failed_ms = self._not_stopped_ms.get((machine.name, group))
        lately = failed_ms is not None and self.now_ms - failed_ms < SHOWS_FOR_MS
        return lately or any((name, known) == (machine.name, group) for name, known, _ in self._stuck)
