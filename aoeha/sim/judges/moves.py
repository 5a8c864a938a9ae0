"""Which stops an operator has asked for, by the world's own facts: what was asked, and how it was answered."""

from aoeha.core.model.actions import Answer
from aoeha.core.model.exits import Exit
from aoeha.core.model.memory import Memory
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["Moves"]

TAKEN = (Exit.DONE, Exit.TIMED_OUT)
"""With any other answer nothing is begun."""


class Moves(Judge):
    """Notes which groups each node was asked to give up.

    A switchover and a leave are asked for once: that ends when the group is stopped there, or when the daemon that was
    asked is gone. A standby stands until it is ended; who is asked to end it may have begun to give a group up.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._once: dict[tuple[str, str], int] = {}
        self._standby: dict[str, int] = {}

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """Note what is asked, unless nobody is there to hear it."""
        if self.world.machines[machine.name].daemon is None:
            return
        match verb:
            case "switchover" if arguments.get("group"):
                self._ask_once(machine, number, (arguments["group"],))
            case "switchover" | "leave":
                self._ask_once(machine, number, tuple(self.world.resources))
            case "standby":
                self._standby[machine.name] = number
            case "unstandby" if machine.name in self._standby:
                del self._standby[machine.name]
                self._ask_once(machine, number, tuple(self.world.resources))
            case _:
                pass

    def answered(self, machine: Gateway, answer: Answer) -> None:
        """A node may refuse."""
        if answer.exit_code in TAKEN:
            return
        if self._standby.get(machine.name) == answer.command_id:
            del self._standby[machine.name]
        for key, number in list(self._once.items()):
            if key[0] == machine.name and number == answer.command_id:
                del self._once[key]

    def looked(self) -> None:
        """What is stopped was given up."""
        for node, group in list(self._once):
            if not self.world.machines[node].runs_any(group):
                del self._once[node, group]

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon knows no request of the one before it."""
        del memory
        for group in self.world.resources:
            self._once.pop((machine.name, group), None)

    def is_asked(self, machine: Gateway, group: str) -> bool:
        """Whether a node was asked to give a group up, and has not done so yet."""
        return machine.name in self._standby or (machine.name, group) in self._once

    def _ask_once(self, machine: Gateway, number: int, groups: tuple[str, ...]) -> None:
        self._once.update({(machine.name, group): number for group in groups if machine.runs_any(group)})
