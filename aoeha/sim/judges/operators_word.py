"""Whether an operator's word that a node is off is used only while it counts (R2).

It counts for `confirm_valid`, for the daemon that was told, and until the next beat of that node. Only a beat that may
have been under way as a fence read the plug as off does not end it.
"""

from aoeha.core.model.actions import Answer
from aoeha.core.model.beat import Beat
from aoeha.core.model.events import TaskDone
from aoeha.core.model.exits import Exit
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.task import PlugRead, PlugState, PowerPurpose, PowerTask, Task
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["OperatorsWordJudge"]


class OperatorsWordJudge(Judge):
    """Notes what each daemon was told, and looks at what it owns by that. Times are those of its clock."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._told: dict[str, tuple[int, int]] = {}
        self._off_ms: dict[str, int] = {}
        self._owned: dict[tuple[str, str], int] = {}

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """A node is told that its peer is off."""
        if verb == "confirm" and arguments.get("node") == machine.config.peer:
            self._told[machine.name] = number, machine.clock_ms()

    def answered(self, machine: Gateway, answer: Answer) -> None:
        """It does not take everybody's word."""
        number, _ = self._told.get(machine.name, (0, 0))
        if number == answer.command_id and answer.exit_code not in (Exit.DONE, Exit.TIMED_OUT):
            del self._told[machine.name]

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon was told nothing. What it remembers to own it does not take now."""
        self._told.pop(machine.name, None)
        self._off_ms.pop(machine.name, None)
        for group in memory.groups if memory is not None else ():
            self._owned[machine.name, group.name] = group.epoch

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A fence reads the plug as off."""
        by_a_fence = isinstance(task, PowerTask) and task.purpose is not PowerPurpose.READING
        if by_a_fence and done.outcome == PlugRead(PlugState.OFF):
            self._off_ms[machine.name] = machine.clock_ms()

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """The peer speaks, or did so before its plug was read as off."""
        del link, beat
        off_ms = self._off_ms.get(machine.name)
        if off_ms is None or machine.clock_ms() - off_ms >= machine.config.deadtime_ms:
            self._told.pop(machine.name, None)

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """A node takes a group."""
        for group in memory.groups:
            new = group.holding and group.epoch > self._owned.get((machine.name, group.name), 0)
            if new and group.proof is not None and group.proof.kind is ProofKind.OPERATOR:
                _, told_ms = self._told.get(machine.name, (0, -machine.config.confirm_valid_ms))
                if machine.clock_ms() - told_ms >= machine.config.confirm_valid_ms:
                    sentence = f"{machine.name} owns {group.name} by the word of an operator that does not count"
                    self.broken("R2", sentence)
            self._owned[machine.name, group.name] = max(group.epoch, self._owned.get((machine.name, group.name), 0))
