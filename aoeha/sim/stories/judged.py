"""A world with all that watches it: every judge, and who counts what nodes say."""

from collections.abc import Mapping

from aoeha.core.model.actions import Say
from aoeha.core.model.config import PairConfig
from aoeha.sim.judges.oracle import Oracle
from aoeha.sim.judges.orders import PowerOrders
from aoeha.sim.judges.pause import PauseJudge
from aoeha.sim.judges.records import RecordJudge
from aoeha.sim.judges.rest import RestJudge
from aoeha.sim.judges.status import StatusJudge
from aoeha.sim.stories.classify import classify
from aoeha.sim.world.machine import Machine
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
        orders = PowerOrders()
        self.oracle = Oracle(self, orders)
        judges = (PauseJudge(self, orders), self.oracle, RestJudge(self), RecordJudge(self), StatusJudge(self))
        for observer in (orders, *judges, SentenceCounter(self)):
            self.observe(observer)


class SentenceCounter(Observer):
    """Counts proofs and refusals by what nodes say of them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def said(self, machine: Machine, action: Say) -> None:
        """Count it, if it tells of one."""
        del machine
        found = classify(action.sentence)
        if found is not None:
            self.world.count(*found)
