"""Whether a node stops what runs well although nothing called for it (I5)."""

from aoeha.core.model.task import ResourceTask, Task, TaskKind
from aoeha.sim.judges import visibility
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.judge import SLACK_MS, Judge, patience_ms
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["NeedlessStopJudge"]


class NeedlessStopJudge(Judge):
    """Looks at every stop."""

    def __init__(self, world: World, excuses: Excuses) -> None:
        super().__init__(world)
        self._excuses = excuses
        self._commanded = False

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """From now on a stop may have been asked for."""
        del machine, number, verb, arguments
        self._commanded = True

    def task_started(self, machine: Gateway, task: Task) -> None:
        """Without a request, a broken resource or an unverified ownership, a node never stops what runs well."""
        if not isinstance(task, ResourceTask) or task.kind is not TaskKind.STOP:
            return
        if self._commanded or self._excuses.deceived or machine.troubled or not machine.runs_whole(task.group):
            return
        if machine.config.reference_hosts and visibility.may_make_way(
            self.world, machine, patience_ms=2 * patience_ms(machine), slack_ms=SLACK_MS
        ):
            return
        self.broken("I5", f"{machine.name} stops {task.group}, which runs well, and nobody asked for it")
