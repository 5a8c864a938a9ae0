"""Whether a node waits for the end of what it does to a resource (I4)."""

from aoeha.core.model.task import Task
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway

__all__ = ["OverlapJudge"]


class OverlapJudge(Judge):
    """Looks at every start and stop."""

    def overlapped(self, machine: Gateway, task: Task) -> None:
        """What a start or stop would undo must have ended, or its end would be taken for another's."""
        act = f"{task.kind.value} {task.subject}"
        self.broken("I4", f"{machine.name} begins to {act} before the last act on it ended")
