"""Whether two nodes fence each other, so that nobody is left (I5).

That is judged only while the devices switch at once, the nodes have met since they booted, and neither was stalled
while the silence was counted. A device that takes longer than the fence delay (2 s), or obeys only a later order, may
carry out the orders of both nodes. Two nodes that booted apart without ever meeting have no common time from which to
count a delay, nor have two of which one was stalled while the links fell silent, where no shelf settles it. Two
operators who switch off each other's gateway leave both dark, and so may an order that the victim, hearing nothing
more, answers with a fence of its own. Then a human switches them on (`unsettled`).
"""

from aoeha.core.model.task import PowerTask, Task, TaskKind
from aoeha.sim.judges.judge import Judge, is_reserved
from aoeha.sim.judges.orders import PowerOrders
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["DuelJudge"]

TURN_MS = 2_000
"""How far apart the fences of two nodes that might fence each other are, plus a keepalive."""


class DuelJudge(Judge):
    """Looks at every gateway that loses its power.

    `unsettled` is why both are dark, until a human has switched them on. `fenced_dead` are nodes that were switched off
    and have not booted since.
    """

    def __init__(self, world: World, witness: Witness, orders: PowerOrders) -> None:
        super().__init__(world)
        self._witness = witness
        self._orders = orders
        self._ordered: set[str] = set()
        self.unsettled = ""
        self.fenced_dead: set[str] = set()

    def task_started(self, machine: Gateway, task: Task) -> None:
        """Note which power-off was an operator's."""
        if isinstance(task, PowerTask) and task.kind is TaskKind.POWER_OFF:
            (self._ordered.add if self._orders.is_open(machine) else self._ordered.discard)(task.node)

    def booted(self, machine: Gateway) -> None:
        """A node is not dark any more."""
        self.fenced_dead.discard(machine.name)
        self._ordered.discard(machine.name)

    def fenced(self, orderer: Gateway, victim: Gateway) -> None:
        """A fence device took the power of a running gateway."""
        self.fenced_dead.add(victim.name)
        if orderer.name in self.fenced_dead and not orderer.alive:
            self.unsettled = self._excuse(orderer, victim)
            if not self.unsettled:
                self.broken("I5", f"{orderer.name} and {victim.name} have fenced each other")
            self.world.count("excused", self.unsettled)

    def _excuse(self, orderer: Gateway, victim: Gateway) -> str:
        """Why both nodes may have been fenced, empty for no reason."""
        if self.world.power.may_be_slow():
            return "duel through a slow device"
        if orderer.name in self._ordered or victim.name in self._ordered:
            return "fenced each other by an operator's order"
        if not self._witness.have_met(orderer, victim):
            return "duel of two that never met"
        suffices = any(config.storage_suffices for config in self.world.configs.values())
        arbitrated = suffices and any(is_reserved(self.world, group) for group in self.world.resources)
        turns_ms = 2 * (TURN_MS + orderer.config.keepalive_ms)
        lately = any(self._witness.was_away_lately(one, turns_ms) for one in (orderer, victim))
        if self.world.power.is_tried_again() and not arbitrated:
            return "duel of two that tried again"
        return "duel of two that counted from different times" if lately and not arbitrated else ""
