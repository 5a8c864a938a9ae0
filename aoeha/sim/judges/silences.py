"""Whether a node that fences a silent peer has waited for deadtime since the peer's last sign of life (R1, R6).

A beat is one, and so is a record that changed between two readings, while no link carries beats. Not silent, and fenced
all the same, is

- a node that asks for it in its newest beat;
- whoever an operator ordered to be switched off, until the order is answered;
- a victim of which a leg was taken by force, until the fence of that group is over: its taker owns the group, was
  stalled, or hears another boot;
- a victim that may still answer for an address (R12): the boot about which the owner's storage proof is.
"""

from dataclasses import dataclass

from aoeha.core.model.beat import Beat, BeatFlag, GroupPhase
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.task import PowerPurpose, PowerTask, Task, TaskKind
from aoeha.sim.judges.judge import DECIDED_BEFORE_MS, Judge, peer_of
from aoeha.sim.judges.leg_reads import LegReads
from aoeha.sim.judges.orders import TAKING, PowerOrders
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["SilenceJudge"]

FINISHED_WITHIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Signs:
    """When beats were heard, the last ones last. `asks`: the newest one asks for a fence."""

    times_ms: tuple[int, ...] = ()
    asks: bool = False

    def and_one(self, now_ms: int, back_ms: int, *, asks: bool) -> "Signs":
        """These and one more, by which silence is counted from some time later."""
        before = [ms for ms in self.times_ms if now_ms - ms >= DECIDED_BEFORE_MS]
        since = self.times_ms[len(before) :]
        return Signs((*before[-1:], *since, now_ms + back_ms), asks)

    def last_ms(self, now_ms: int) -> int | None:
        """From when silence is counted, by what could be known as a fence was decided."""
        return next((ms for ms in reversed(self.times_ms) if now_ms - ms >= DECIDED_BEFORE_MS), None)


@dataclass(frozen=True, slots=True)
class Known:
    """What a node knew when it decided: the time, the beats that it had heard, and when a record had last moved."""

    now_ms: int
    beats: Signs
    moved_ms: int | None


class SilenceJudge(Judge):
    """Looks at every fence. Times are those of the clock of the node that fences."""

    def __init__(self, world: World, orders: PowerOrders, reads: LegReads) -> None:
        super().__init__(world)
        self._orders = orders
        self._reads = reads
        self._beats: dict[str, Signs] = {}
        self._decided: dict[str, Known] = {}
        self._ordered_ms: dict[str, int] = {}
        self._forced_ms: dict[tuple[str, str], int] = {}
        self._owned: dict[tuple[str, str], Proof] = {}
        self._boots: dict[str, str] = {}

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """A sign of life; a daemon that is about to be back says how long that takes."""
        del link
        if self._boots.get(machine.name, beat.boot_id) != beat.boot_id:
            self._end_fences(machine)
        self._boots[machine.name] = beat.boot_id
        back_ms = beat.back_within_ms if BeatFlag.RESTARTING in beat.flags else 0
        asks = any(group.phase is GroupPhase.BLOCKED for group in beat.groups)
        before = self._beats.get(machine.name, Signs())
        self._beats[machine.name] = before.and_one(machine.clock_ms(), back_ms, asks=asks)

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """An order may be over as it is carried out."""
        del number
        if verb in TAKING and arguments.get("act") != "on":
            self._ordered_ms[machine.name] = machine.clock_ms()

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon has heard nothing, and owns what it remembers."""
        for known in (self._beats, self._decided, self._ordered_ms, self._boots):
            known.pop(machine.name, None)
        self._end_fences(machine)
        for group in self.world.resources:
            self._owned.pop((machine.name, group), None)
        if memory is not None and memory.boot_id == machine.boot_id:
            self.persisting(machine, memory)

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """Note what is owned, and by what."""
        for group in memory.groups:
            if group.holding and group.proof is not None:
                self._owned[machine.name, group.name] = group.proof
                self._forced_ms.pop((machine.name, group.name), None)
            else:
                self._owned.pop((machine.name, group.name), None)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node takes its peer's power, or begins to take a leg, which may last where the shelf is slow."""
        if task.kind is TaskKind.PREEMPT:
            self._decided[machine.name] = self._known(machine)
        if not isinstance(task, PowerTask) or task.kind is not TaskKind.POWER_OFF:
            return
        fences = task.purpose is PowerPurpose.FENCE
        if fences and not any(self._may_answer(machine, group) for group in self.world.resources):
            self._judge(machine, self._known(machine), tuple(self.world.resources))

    def preempting(self, machine: Gateway, group: str, address: str) -> None:
        """A node takes a leg of its peer; an owner takes what is its own."""
        del address
        if (machine.name, group) not in self._owned:
            self._judge(machine, self._decided.get(machine.name) or self._known(machine), (group,))
            self._forced_ms[machine.name, group] = machine.clock_ms()

    def returned(self, machine: Gateway, since_ms: int) -> None:
        """A node that was stalled in the middle of a fence starts again."""
        del since_ms
        self._end_fences(machine)

    def _end_fences(self, machine: Gateway) -> None:
        for group in self.world.resources:
            self._forced_ms.pop((machine.name, group), None)

    def _may_answer(self, machine: Gateway, group: str) -> bool:
        """Whether a node owns a group by a storage proof about the boot that it heard last."""
        proof = self._owned.get((machine.name, group))
        if proof is None or proof.kind is not ProofKind.STORAGE_FENCED:
            return False
        return proof.peer_boot_id == self._boots.get(machine.name, proof.peer_boot_id)

    def _known(self, machine: Gateway) -> Known:
        beats, moved_ms = self._beats.get(machine.name, Signs()), self._reads.moved_ms.get(machine.name)
        return Known(machine.clock_ms(), beats, moved_ms)

    def _judge(self, machine: Gateway, known: Known, groups: tuple[str, ...]) -> None:
        """Judge a fence for one of these groups."""
        now_ms, victim = machine.clock_ms(), peer_of(self.world, machine)
        ordered_ms = self._ordered_ms.get(machine.name)
        forced = (self._forced_ms.get((machine.name, group)) for group in groups)
        begun = any(forced_ms is not None and now_ms - forced_ms < FINISHED_WITHIN_MS for forced_ms in forced)
        ordered = self._orders.is_open(machine) or (ordered_ms is not None and now_ms - ordered_ms < DECIDED_BEFORE_MS)
        if begun or ordered or known.beats.asks:
            return
        for rule, sign_ms, what in (
            ("R1", known.beats.last_ms(known.now_ms), "heard"),
            ("R6", known.moved_ms, "seen to stamp"),
        ):
            if sign_ms is not None and known.now_ms - sign_ms < machine.config.deadtime_ms:
                sentence = f"{machine.name} fences {victim.name}, which it has {what} {known.now_ms - sign_ms} ms ago"
                self.broken(rule, sentence)
