"""Whether what a node says is true as it says it, remembered, and rightly so (I1, I4).

It says it in beats, and in records on the legs. No node remembers what no disk saved: an epoch of an owner that died
with a full disk may come again, after its death. A node that heard a second machine of its peer's name last cannot know
which epoch the peer has reached either: it may count to the same one.
"""

from aoeha.core.model.beat import Beat, BeatFlag, Grant, GroupBeat, GroupPhase
from aoeha.core.model.memory import GroupMemory, Memory
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.shelves import LockRecord
from aoeha.core.model.task import RecordTask, Task
from aoeha.sim.judges import visibility
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.judge import Judge, peer_of
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["WordJudge"]


class WordJudge(Judge):
    """Holds every node to what it says of its groups."""

    def __init__(self, world: World, witness: Witness, excuses: Excuses) -> None:
        super().__init__(world)
        self._witness = witness
        self._excuses = excuses
        self._epochs: dict[tuple[str, int], str] = {}
        self._granted: set[tuple[str, str, Grant]] = set()
        self._remembered: dict[str, Memory | None] = {}
        self._announced: dict[tuple[str, str], bool] = {}
        self._floors: dict[tuple[str, str], int] = {}
        self._given_up: set[tuple[str, str]] = set()

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """A node tells the world how it stands."""
        for group in beat.groups:
            self._judge(machine, group, probed=BeatFlag.PROBED in beat.flags)
        if BeatFlag.LEAVING in beat.flags:
            self._given_up.update((machine.name, group.name) for group in beat.groups)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node says in a record what it would say in a beat."""
        match task:
            case RecordTask(record=LockRecord(message=GroupBeat() as message)):
                self._judge(machine, message, probed=True)
            case _:
                pass

    def record_writing(self, machine: Gateway, group: str, record: LockRecord) -> None:
        """A stamp lands in a leg's record: a node that owned nothing must not put itself in the owner's place."""
        owner = self._epochs.get((group, record.epoch), "nobody")
        if record.message is None and owner != machine.name and not self._excuses.deceived:
            self.broken("I1", f"{machine.name} stamps {group} at epoch {record.epoch}, which {owner} owned")

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """What a node announces from now on may build on this."""
        self._remembered[machine.name] = memory
        for group in self.world.resources:
            self._announced.pop((machine.name, group), None)
            known = self._known_of(machine, group)
            self._floors[machine.name, group] = known.claim_floor if known is not None else 0

    def persisted(self, machine: Gateway, memory: Memory) -> None:
        """So it may on this."""
        self._remembered[machine.name] = memory

    def booted(self, machine: Gateway) -> None:
        """What this node owned and its disk did not take is forgotten: the number may be used again."""
        memory = self._remembered[machine.name] = machine.memories.disk
        kept = {group.name: group.epoch for group in memory.groups} if memory is not None else {}
        for (group, epoch), owner in list(self._epochs.items()):
            if owner == machine.name and epoch > kept.get(group, 0):
                del self._epochs[group, epoch]

    def _judge(self, machine: Gateway, group: GroupBeat, *, probed: bool) -> None:
        running = machine.runs_any(group.name)
        if running and group.phase is GroupPhase.STOPPED and probed:
            self.broken("I4", f"{machine.name} announces {group.name} as stopped while {running} runs there")
        if group.grant is not None and running:
            self.broken("I4", f"{machine.name} grants {group.name} while {running} runs there")
        if group.grant is not None:
            self._granted.add((machine.name, group.name, group.grant))
        self._announced[machine.name, group.name] = group.holding
        if group.holding:
            self._judge_owner(machine, group)
        known = self._known_of(machine, group.name)
        floor = known.claim_floor if known is not None else 0
        told = self._floors.get((machine.name, group.name), 0)
        if group.claim_floor < told:
            self.broken("R9", f"{machine.name} has forgotten that it granted or withdrew epoch {told} of {group.name}")
        self._floors[machine.name, group.name] = group.claim_floor
        if group.claim and group.claim_epoch <= group.claim_floor:
            claimed = f"epoch {group.claim_epoch} of {group.name}"
            self.broken("R9", f"{machine.name} claims {claimed}, which it granted or withdrew before")
        if group.claim_floor > floor or (group.grant is not None and (known is None or known.grant != group.grant)):
            self.broken("I1", f"{machine.name} announced a promise about {group.name} that it did not remember")

    def _known_of(self, machine: Gateway, group: str) -> GroupMemory | None:
        remembered = self._remembered.get(machine.name)
        return next((known for known in remembered.groups if known.name == group), None) if remembered else None

    def _judge_owner(self, machine: Gateway, group: GroupBeat) -> None:
        """No epoch is owned twice."""
        self._given_up.discard((machine.name, group.name))
        if (group.name, group.epoch) not in self._epochs:
            self._judge_right(machine, group)
        known = self._known_of(machine, group.name)
        if known is not None and known.proof is not None and known.holding and known.proof.epoch != group.epoch:
            proven = f"its proof is for epoch {known.proof.epoch}"
            self.broken("R9", f"{machine.name} says that it owns {group.name} at epoch {group.epoch}, and {proven}")
        owner = self._epochs.setdefault((group.name, group.epoch), machine.name)
        if owner != machine.name and not self._excuses.deceived and machine.name not in self._witness.misled:
            self.broken("I1", f"both nodes owned {group.name} at epoch {group.epoch}")

    def _judge_right(self, machine: Gateway, group: GroupBeat) -> None:
        """A node that granted or rebooted does not own the group again; one that left has not owned it since.

        A node that was powered off is not heard.
        """
        daemon, known = self.world.machines[machine.name].daemon, self._known_of(machine, group.name)
        proof = known.proof if known is not None and known.holding else None
        victim = peer_of(self.world, machine)
        heard = victim.alive and self._witness.hears(machine, victim)
        if proof is not None and proof.kind is ProofKind.POWERED_OFF and heard:
            self.broken("I1", f"{machine.name} owns {group.name} by a power-off of {victim.name}, which it hears")
        if daemon is None or proof is None or proof.kind not in (ProofKind.HANDED_OVER, ProofKind.REBOOTED):
            return
        by_a_clone = proof.kind is ProofKind.REBOOTED and proof.peer_boot_id in self.world.clone_boot_ids
        if by_a_clone and visibility.whole_link_ms(self.world, machine, victim) == 0:
            self._excuses.takes_clone_for_reboot(machine)
            return
        giver = victim.name
        granted = any(
            (grant.epoch, grant.boot_id) == (group.epoch, machine.boot_id) and grant.incarnation <= daemon.incarnation
            for granter, name, grant in self._granted
            if (granter, name) == (giver, group.name)
        )
        if not granted and victim.daemon is not None and self._announced.get((giver, group.name)):
            self.broken("I1", f"{machine.name} owns {group.name}, {giver} {proof.kind.value}, which has it again")
        if proof.kind is ProofKind.HANDED_OVER and not granted and (giver, group.name) not in self._given_up:
            self.broken("I1", f"{machine.name} owns {group.name} at epoch {group.epoch}, which {giver} never granted")
