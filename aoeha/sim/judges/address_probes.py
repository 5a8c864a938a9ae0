"""Whether an owner by a storage fence alone asks who else answers for its address, and goes on to ask (R12).

Its victim may be alive and unheard, and answer at any moment. It is asked for as long as the victim's boot goes on and
does not say that it has stopped. Before there is an answer the address is not added. Where the network cannot be asked
that waits for twice the lifetime of an address.
"""

from aoeha.core.model.beat import Beat, GroupPhase
from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.task import Answered, ConflictTask, ResourceTask, Task, TaskKind
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.judge import LOOK_EVERY_MS, Judge, peer_of
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["AddressProbeJudge"]

WITHIN_MS = 4_000
"""A probe each second, which takes its time, and a second that the network is asked in vain."""


class AddressProbeJudge(Judge):
    """Notes who owns by a storage fence alone, and when each address was asked for."""

    def __init__(self, world: World, excuses: Excuses) -> None:
        super().__init__(world)
        self._excuses = excuses
        self._about: dict[tuple[str, str], str] = {}
        self._proofs: dict[tuple[str, str], Proof] = {}
        self._asked_ms: dict[tuple[str, str], int] = {}
        self._unanswered_ms: dict[tuple[str, str], int] = {}
        world.timeline.after(LOOK_EVERY_MS, self._look)

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """A node owns a group by a proof about one boot of its peer."""
        for group in memory.groups:
            key, proof = (machine.name, group.name), group.proof if group.holding else None
            if proof is None or proof.kind is not ProofKind.STORAGE_FENCED:
                self._about.pop(key, None)
                self._proofs.pop(key, None)
            elif self._proofs.get(key) != proof:
                self._proofs[key] = proof
                self._about[key], self._asked_ms[key] = proof.peer_boot_id, self.now_ms
                self._unanswered_ms[key] = self.now_ms

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """The victim says that it has stopped, and has, or is another boot."""
        del link
        victim = peer_of(self.world, machine)
        for group in beat.groups if self._about else ():
            runs = any(name in victim.active for name in self.world.resources[group.name])
            stopped = group.phase is GroupPhase.STOPPED and not group.holding and not runs
            if stopped or self._about.get((machine.name, group.name), "") != beat.boot_id:
                self._about.pop((machine.name, group.name), None)

    def booted(self, machine: Gateway) -> None:
        """Nothing is owned."""
        for group in self.world.resources:
            self._about.pop((machine.name, group), None)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """The network is asked, or an address is added."""
        if isinstance(task, ConflictTask):
            self._asked_ms[machine.name, task.group] = self.now_ms
        if isinstance(task, ResourceTask) and task.kind is TaskKind.START:
            key, names = (machine.name, task.group), self.world.resources[task.group]
            waited = self.now_ms - self._unanswered_ms.get(key, 0) >= 2 * machine.config.address_lifetime_ms
            asked = key not in self._unanswered_ms
            if task.subject == names[-1] and self._may_answer(key) and not asked and not waited:
                self.broken("R12", f"{machine.name} adds {names[-1]} and does not know who else answers for it")

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """The network has answered."""
        if isinstance(task, ConflictTask) and isinstance(done.outcome, Answered):
            self._unanswered_ms.pop((machine.name, task.group), None)

    def _may_answer(self, key: tuple[str, str]) -> bool:
        """Whether the boot that was fenced goes on, and has not said that it stopped."""
        victim = peer_of(self.world, self.world.machines[key[0]])
        goes_on = victim.alive and victim.boot_id == self._about.get(key)
        return goes_on and len(self.world.resources[key[1]]) > 1 and not self._excuses.deceived

    def _look(self) -> None:
        for name, group in self._about:
            machine, names = self.world.machines[name], self.world.resources[group]
            serves = machine.present_since_ms is not None and machine.serves(group)
            if not serves or not self._may_answer((name, group)):
                continue
            since_ms = max(self._asked_ms[name, group], machine.present_since_ms or 0)
            if self.now_ms - since_ms > WITHIN_MS:
                sentence = f"{name} has {names[-1]} by a storage fence alone, and asks no more who else answers for it"
                self.broken("R12", sentence)
        self.world.timeline.after(LOOK_EVERY_MS, self._look)
