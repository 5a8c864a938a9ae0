"""Whether a node that fences a silent peer has waited for deadtime since the peer's last sign of life (R1, R6).

A beat is one, and so is a record that changed between two readings, while no link carries beats. A fence that has taken
a leg by force is finished, whatever is heard. A node that asked for it, an operator's order, and a victim that may
still answer for an address (R12) are not silent.
"""

from dataclasses import dataclass

from aoeha.core.model.beat import Beat, BeatFlag, GroupPhase
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import ProofKind
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
        self._forced_ms: dict[str, int] = {}
        self._owned: dict[tuple[str, str], ProofKind] = {}

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """A sign of life; a daemon that is about to be back says how long that takes."""
        del link
        back_ms = beat.back_within_ms if BeatFlag.RESTARTING in beat.flags else 0
        asks = any(group.phase is GroupPhase.BLOCKED for group in beat.groups)
        before = self._beats.get(machine.name, Signs())
        self._beats[machine.name] = before.and_one(machine.clock_ms(), back_ms, asks=asks)

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """An order may be over as it is carried out."""
        del number, arguments
        if verb in TAKING:
            self._ordered_ms[machine.name] = machine.clock_ms()

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon has heard nothing, and owns what it remembers."""
        for known in (self._beats, self._decided, self._forced_ms, self._ordered_ms):
            known.pop(machine.name, None)
        for group in self.world.resources:
            self._owned.pop((machine.name, group), None)
        if memory is not None and memory.boot_id == machine.boot_id:
            self.persisting(machine, memory)

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """Note what is owned, and by what."""
        for group in memory.groups:
            if group.holding and group.proof is not None:
                self._owned[machine.name, group.name] = group.proof.kind
            else:
                self._owned.pop((machine.name, group.name), None)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node takes its peer's power, or begins to take a leg, which may last where the shelf is slow."""
        if task.kind is TaskKind.PREEMPT:
            self._decided[machine.name] = self._known(machine)
        if not isinstance(task, PowerTask) or task.kind is not TaskKind.POWER_OFF:
            return
        kinds = [self._owned.get((machine.name, group)) for group in self.world.resources]
        if task.purpose is PowerPurpose.FENCE and ProofKind.STORAGE_FENCED not in kinds:
            self._judge(machine, self._known(machine))

    def preempting(self, machine: Gateway, group: str, address: str) -> None:
        """A node takes a leg of its peer; an owner takes what is its own."""
        del address
        if (machine.name, group) not in self._owned:
            self._judge(machine, self._decided.get(machine.name) or self._known(machine))
        self._forced_ms[machine.name] = machine.clock_ms()

    def _known(self, machine: Gateway) -> Known:
        beats, moved_ms = self._beats.get(machine.name, Signs()), self._reads.moved_ms.get(machine.name)
        return Known(machine.clock_ms(), beats, moved_ms)

    def _judge(self, machine: Gateway, known: Known) -> None:
        now_ms, victim = machine.clock_ms(), peer_of(self.world, machine)
        forced_ms, ordered_ms = self._forced_ms.get(machine.name), self._ordered_ms.get(machine.name)
        begun = forced_ms is not None and now_ms - forced_ms < FINISHED_WITHIN_MS
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
