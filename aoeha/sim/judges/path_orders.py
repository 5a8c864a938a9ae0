"""Whether a driver is hurried only while no frame can have waited as long as costs a leg (R5).

A frame to an address that is silent may wait since the last look at which that address answered. The order is void two
seconds before such a frame has waited so long. Times are those of the clock of the node that orders.
"""

from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.task import PathTask, ReservationsRead, Task, TaskKind
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.mirror import PATH_TIMING
from aoeha.sim.world.world import World

__all__ = ["PathOrderJudge"]

VOID_BEFORE_MS = 2_000


class PathOrderJudge(Judge):
    """Notes when each address last answered, and looks at every order."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._answered_ms: dict[tuple[str, str, str], int] = {}
        self._silent: dict[tuple[str, str, str], str] = {}

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon knows no look of the one before it."""
        del memory
        self._answered_ms = {key: ms for key, ms in self._answered_ms.items() if key[0] != machine.name}
        self._silent = {key: leg for key, leg in self._silent.items() if key[0] != machine.name}

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A node has looked at every address of a group."""
        if task.kind is not TaskKind.READ_RESERVATIONS or not isinstance(done.outcome, ReservationsRead):
            return
        answering = {one.address for one in done.outcome.reservations}
        for leg in next(known for known in machine.config.groups if known.name == task.group).legs:
            for address in leg.addresses:
                key = machine.name, task.group, address
                if address in answering:
                    self._answered_ms[key] = machine.clock_ms()
                    self._silent.pop(key, None)
                else:
                    self._silent[key] = leg.name

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A driver is to leave silent paths."""
        if not isinstance(task, PathTask):
            return
        ends_ms = task.failover.begin_by_ms + task.failover.for_ms + VOID_BEFORE_MS
        for key, leg in self._silent.items():
            if key[0] != machine.name or key[1] != task.group or leg not in task.legs:
                continue
            waits_ms = ends_ms - self._answered_ms.get(key, 0)
            if waits_ms > PATH_TIMING.leg_lost_after_ms:
                sentence = (
                    f"{machine.name} hurries {task.subject} when frames to {key[2]} may have waited {waits_ms} ms"
                )
                self.broken("R5", sentence)
