"""Which orders about power are open, by the world's own facts: what was asked for, and what was answered."""

from aoeha.core.model.actions import Answer
from aoeha.core.model.conditions import Code
from aoeha.core.model.memory import Memory
from aoeha.core.model.task import Task, TaskKind
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.world import World

__all__ = ["TAKING", "PowerOrders"]

TAKING = ("fence", "fence-verify")
"""Commands that take the power of the peer, unless they only give it back (`act=on`)."""
NOT_YET = Code.COMMAND_TIMED_OUT
"""This answer ends the waiting, and not the order."""


class PowerOrders(Observer):
    """Notes what operators have ordered each node to do to its peer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: dict[str, dict[int, bool]] = {}

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """An order is open from the moment that it is given."""
        heard = self._world.machines[machine.name].daemon is not None
        if verb in TAKING and arguments.get("act") != "on" and heard:
            self._open.setdefault(machine.name, {})[number] = bool(arguments.get("anyway"))

    def answered(self, machine: Gateway, answer: Answer) -> None:
        """It ends with its answer."""
        if answer.code is not NOT_YET:
            self._open.get(machine.name, {}).pop(answer.command_id, None)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """Power that is given back was taken before."""
        if task.kind is TaskKind.POWER_ON:
            self._open.pop(machine.name, None)

    def booted(self, machine: Gateway) -> None:
        """A node that comes up was off: what was ordered about it is done, or given up."""
        self._open.pop(machine.config.peer, None)

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon knows no order of the one before it."""
        del memory
        self._open.pop(machine.name, None)

    def is_open(self, machine: Gateway) -> bool:
        """Whether a node was ordered to take its peer's power, and has not done with it."""
        return bool(self._open.get(machine.name))

    def holds_in_a_pause(self, machine: Gateway) -> bool:
        """Whether such an order is to be carried out in a pause as well."""
        return any(self._open.get(machine.name, {}).values())
