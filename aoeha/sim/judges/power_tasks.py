"""What a node does beside its orders to fence devices (R8, R9).

It grants nothing while one is under way, given up or not, and what it has given up ends before it fences again. It
switches no device off that it has under way to switch on: its plug could be read in the moment before it goes on. Nor
does it switch one on that it has under way to switch off, or reads for a proof.
"""

from aoeha.core.model.beat import Grant
from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.task import PowerPurpose, PowerTask, Task, TaskKind
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["PowerTaskJudge"]


class PowerTaskJudge(Judge):
    """Follows what each daemon has under way against its peer's power."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._under_way: dict[str, dict[int, PowerTask]] = {}
        self._restoring: dict[str, dict[int, str]] = {}
        self._given_up: dict[str, set[int]] = {}
        self._granted: dict[tuple[str, str], Grant] = {}

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon has nothing under way."""
        self._under_way[machine.name] = {}
        self._restoring[machine.name] = {}
        self._given_up[machine.name] = set()
        for known in memory.groups if memory is not None else ():
            if known.grant is not None:
                self._granted[machine.name, known.name] = known.grant

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node orders something of a device."""
        if isinstance(task, PowerTask) and task.kind is TaskKind.POWER_ON:
            self._restoring[machine.name][task.id] = task.subject
            if task.subject in self._going_off(machine):
                self.broken("R8", f"{machine.name} switches {task.subject} on before it was seen to be off")
        if not isinstance(task, PowerTask) or not _takes_power(task):
            return
        if task.kind is TaskKind.POWER_OFF and task.subject in self._restoring[machine.name].values():
            self.broken("R8", f"{machine.name} switches {task.subject} off before it is switched on")
        if task.kind is TaskKind.POWER_OFF and self._given_up[machine.name]:
            self.broken("R8", f"{machine.name} fences {task.node} again before what it gave up has ended")
        self._under_way[machine.name][task.id] = task

    def task_cancelled(self, machine: Gateway, task: Task) -> None:
        """An order is given up; the device may carry it out all the same."""
        if isinstance(task, PowerTask):
            self._given_up[machine.name].add(task.id)

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """It has ended, one way or another."""
        del done
        if isinstance(task, PowerTask):
            self._under_way[machine.name].pop(task.id, None)
            self._given_up[machine.name].discard(task.id)
            self._restoring[machine.name].pop(task.id, None)

    def _going_off(self, machine: Gateway) -> set[str]:
        """The devices that are switching the peer off, given up or not, or are read for a fence that goes on."""
        given_up, tasks = self._given_up[machine.name], self._under_way[machine.name].values()
        return {one.subject for one in tasks if one.kind is TaskKind.POWER_OFF or one.id not in given_up}

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """A node decides what to grant, and remembers it before it says so."""
        for group in memory.groups:
            new = group.grant is not None and self._granted.get((machine.name, group.name)) != group.grant
            switching = next(iter(self._under_way[machine.name].values()), None)
            if new and switching is not None:
                sentence = f"{machine.name} grants {group.name} to {switching.node} while it orders its power"
                self.broken("R9", sentence)
            if group.grant is not None:
                self._granted[machine.name, group.name] = group.grant


def _takes_power(task: PowerTask) -> bool:
    """Whether it switches a gateway off, or belongs to a fence that does. An order to switch on harms nobody."""
    ordered_off = task.kind is TaskKind.POWER_OFF and task.purpose is PowerPurpose.ORDER
    return task.purpose is PowerPurpose.FENCE or ordered_off
