"""Whether an owner by a storage fence alone goes on to ask who else answers for its address (R12).

Its victim may be alive and unheard, and answer at any moment. It is asked for as long as the victim's boot goes on and
does not say that it has stopped.
"""

from aoeha.core.model.beat import Beat, GroupPhase
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.task import ConflictTask, Task
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
        self._asked_ms: dict[tuple[str, str], int] = {}
        world.timeline.after(LOOK_EVERY_MS, self._look)

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """A node owns a group by a proof about one boot of its peer."""
        for group in memory.groups:
            key, proof = (machine.name, group.name), group.proof if group.holding else None
            if proof is None or proof.kind is not ProofKind.STORAGE_FENCED:
                self._about.pop(key, None)
            elif self._about.get(key) != proof.peer_boot_id:
                self._about[key], self._asked_ms[key] = proof.peer_boot_id, self.now_ms

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """The victim says that it has stopped, or is another boot."""
        del link
        for group in beat.groups if self._about else ():
            stopped = group.phase is GroupPhase.STOPPED and not group.holding
            if stopped or self._about.get((machine.name, group.name), "") != beat.boot_id:
                self._about.pop((machine.name, group.name), None)

    def booted(self, machine: Gateway) -> None:
        """Nothing is owned."""
        for group in self.world.resources:
            self._about.pop((machine.name, group), None)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """The network is asked."""
        if isinstance(task, ConflictTask):
            self._asked_ms[machine.name, task.group] = self.now_ms

    def _look(self) -> None:
        for (name, group), boot_id in self._about.items():
            machine = self.world.machines[name]
            victim, names = peer_of(self.world, machine), self.world.resources[group]
            alive = victim.alive and victim.boot_id == boot_id
            serves = machine.present_since_ms is not None and machine.serves(group)
            if not alive or not serves or len(names) == 1 or self._excuses.deceived:
                continue
            since_ms = max(self._asked_ms[name, group], machine.present_since_ms or 0)
            if self.now_ms - since_ms > WITHIN_MS:
                sentence = f"{name} has {names[-1]} by a storage fence alone, and asks no more who else answers for it"
                self.broken("R12", sentence)
        self.world.timeline.after(LOOK_EVERY_MS, self._look)
