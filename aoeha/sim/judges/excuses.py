"""What no rule could know: beliefs that the world made false, and for how long nothing is judged because of them.

- A plug that is not the victim's reports off to a fence while the victim keeps running.
- A second machine with an owner's name that is first heard as the owner falls silent cannot be told from its reboot.
  Where both are heard it is not.
- An operator says that a machine is off which runs (R2), and the node that was told so takes a group by that word. A
  word about a machine that was off is no excuse, whatever boots there later, nor is one that nothing was taken by.

Such a belief is about one boot of the victim. It ends with that boot, and with the boot of the node that believes it.
While it stands, no judge asks who of the two was right. What is excused so is counted as `excused`.
"""

from dataclasses import dataclass

from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.task import PlugRead, PlugState, PowerPurpose, PowerTask, Task
from aoeha.sim.judges.judge import LOOK_EVERY_MS, Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["Excuses"]

READING = PowerPurpose.READING
"""A reading that is no part of a fence proves nothing."""


@dataclass(frozen=True, slots=True)
class Belief:
    """That a boot of the peer is gone, which is not."""

    about: Gateway
    boot_id: str
    how: str

    @property
    def stands(self) -> bool:
        """Whether that boot goes on."""
        return self.about.alive and self.about.boot_id == self.boot_id


class Excuses(Judge):
    """Knows who is deceived. `deceived` says by what a node is, empty for none."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._beliefs: dict[str, Belief] = {}
        self._vouched: dict[str, str] = {}
        self._owned: dict[tuple[str, str], int] = {}
        world.timeline.after(LOOK_EVERY_MS, self._look)

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A fence is told that its victim is off."""
        if not isinstance(task, PowerTask) or done.outcome != PlugRead(PlugState.OFF):
            return
        if task.purpose is not READING and self.world.power.devices[task.subject].miswired == task.node:
            self._deceive(machine, "miswired plug")

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """An operator says that the peer is off; `_vouched` has the boot of it that runs, none for a true word."""
        del number
        victim = self.world.machines[machine.config.peer]
        if verb == "confirm" and arguments.get("node") == victim.name:
            self._vouched[machine.name] = victim.boot_id if victim.alive else ""

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """A node takes a group, perhaps by that word."""
        for group in memory.groups:
            new = group.holding and group.epoch > self._owned.get((machine.name, group.name), 0)
            by_word = new and group.proof is not None and group.proof.kind is ProofKind.OPERATOR
            victim = self.world.machines[machine.config.peer]
            if by_word and victim.boot_id == self._vouched.get(machine.name):
                self._deceive(machine, "operator's false word")
            self._owned[machine.name, group.name] = max(group.epoch, self._owned.get((machine.name, group.name), 0))

    def takes_clone_for_reboot(self, machine: Gateway) -> None:
        """A node takes a clone for the reboot of its peer."""
        self._deceive(machine, "clone")

    def booted(self, machine: Gateway) -> None:
        """Whoever boots believes nothing."""
        self._beliefs.pop(machine.name, None)
        self._vouched.pop(machine.name, None)

    @property
    def deceived(self) -> str:
        """By what a node is deceived about a peer that runs, empty for none."""
        if not self._beliefs:
            return ""
        return next((belief.how for belief in self._beliefs.values() if belief.stands), "")

    def count(self) -> None:
        """Note that something was excused."""
        self.world.count("excused", self.deceived)

    def _deceive(self, machine: Gateway, how: str) -> None:
        victim = self.world.machines[machine.config.peer]
        if victim.alive:
            self._beliefs[machine.name] = Belief(victim, victim.boot_id, how)

    def _look(self) -> None:
        if any(machine.active for machine in self.world.machines.values()):
            self.note("two writers", self.deceived)
        self.world.timeline.after(LOOK_EVERY_MS, self._look)
