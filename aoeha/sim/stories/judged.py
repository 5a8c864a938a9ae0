"""A world with all that watches it: every judge, and who counts what nodes tell."""

from collections.abc import Mapping

from aoeha.core.model.actions import Say
from aoeha.core.model.code_book import BOOK
from aoeha.core.model.conditions import TAKEOVERS
from aoeha.core.model.config import PairConfig
from aoeha.sim.judges.oracle import Oracle
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.world import Hardware, World

__all__ = ["JudgedWorld"]


class JudgedWorld(World):
    """One simulated pair that ends in a Violation as soon as an invariant is broken."""

    def __init__(
        self,
        configs: Mapping[str, PairConfig],
        hardware: Hardware | None = None,
        *,
        seed: int = 0,
        traced: bool = False,
    ) -> None:
        super().__init__(configs, hardware, seed=seed, traced=traced)
        self.oracle = Oracle(self)
        for observer in (*self.oracle.observers, ConditionCounter(self)):
            self.observe(observer)


class ConditionCounter(Observer):
    """Counts what nodes tell, by code."""

    def __init__(self, world: World) -> None:
        self.world = world

    def said(self, machine: Gateway, action: Say) -> None:
        """Count what is told; that an alarm is over is not."""
        del machine
        code = action.condition.code
        if not action.ends:
            self.world.count(BOOK[code].kind.value, code.value)
        if code in TAKEOVERS:
            self.world.count("takeover", code.value)
