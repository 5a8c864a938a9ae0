"""A pair that is well, and its judges, who can be told of acts that no core has done."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from aoeha.core.model.beat import Beat, GroupPhase
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.shelves import Holder
from aoeha.core.model.task import PowerPurpose, PowerTask, ReservationTask, TaskKind
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.violation import Violation

Kind = TypeVar("Kind", bound=Observer)
GROUP, LEG, ADDRESS, LINK = "storage", "shelf1", "shelf1/1", "ether1"
OTHER_BOOT = "b" * 32
OFF = PowerTask(900, 5_000, "planted", TaskKind.POWER_OFF, "switch", "alpha", PowerPurpose.FENCE)
OFF_BACK = replace(OFF, node="beta")
TAKES = ReservationTask(901, 500, "planted", TaskKind.PREEMPT, GROUP, LEG, Holder.PEER)


class Ear(Observer):
    """Keeps the newest beat that each node believed, and what it wrote down last."""

    def __init__(self) -> None:
        self.beats: dict[str, Beat] = {}
        self.memories: dict[str, Memory] = {}

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        del link
        self.beats[machine.name] = beat

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        self.memories[machine.name] = memory


class Pair:
    """A pair of which alpha serves. Beta does what its judges are told."""

    def __init__(self, pair: str = "pair reserve=1", *lines: str) -> None:
        self.world = Settings.parse(pair).world()
        self._ear = Ear()
        self.world.observe(self._ear)
        do(self.world, "boot alpha beta")
        self.world.run(20_000)
        self.alpha, self.beta = self.world.machines["alpha"], self.world.machines["beta"]
        assert self.alpha.serves(GROUP)
        self.play(*lines)

    def play(self, *lines: str) -> None:
        """Let this happen."""
        for line in lines:
            if line.startswith("wait"):
                self.world.run(int(line.split()[1]) * 1_000)
            else:
                do(self.world, line)

    def judge(self, kind: type[Kind]) -> Kind:
        """The judge of this kind that watches the pair."""
        return next(one for one in self.world.oracle.observers if isinstance(one, kind))

    @property
    def beat(self) -> Beat:
        """What alpha says."""
        return self._ear.beats["beta"]

    @property
    def cry(self) -> Beat:
        """Alpha asks to be fenced."""
        return replace(self.beat, groups=tuple(replace(one, phase=GroupPhase.BLOCKED) for one in self.beat.groups))

    def owns(self, kind: ProofKind, boot_id: str = "") -> Memory:
        """What beta writes down as it takes the first group."""
        memory = self._ear.memories["beta"]
        first, *others = memory.groups
        proof = Proof(kind, first.name, 9, boot_id or self.alpha.boot_id)
        return replace(memory, groups=(replace(first, holding=True, epoch=9, proof=proof), *others))

    def owns_nothing(self) -> Memory:
        """What it writes down as it gives everything up."""
        memory = self._ear.memories["beta"]
        return replace(memory, groups=tuple(replace(one, holding=False, proof=None) for one in memory.groups))


def named(judge: Callable[..., None], *told: object, **more: object) -> str:
    """What a judge names as it is told this, empty for nothing."""
    try:
        judge(*told, **more)
    except Violation as violation:
        return violation.invariant
    return ""
