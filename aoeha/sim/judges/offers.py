"""Whether an owner that says that it offers a group through the shelves can write there (R13).

What it tells its operators must be so: nobody reads an offer on legs that do not answer their owner, or that are
reserved for another one.
"""

from aoeha.core.model.conditions import Code, Subject
from aoeha.sim.judges.judge import LOOK_EVERY_MS, Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["OfferJudge"]

PATIENCE_MS = 15_000
"""So long may a node take to notice that its legs have gone: three readings of slow ones."""


class OfferJudge(Judge):
    """Looks each second which legs each gateway holds and reaches, and asks the one that has none for long."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._none_since_ms: dict[tuple[str, str], int] = {}
        world.timeline.after(LOOK_EVERY_MS, self._look)

    def _look(self) -> None:
        for machine in self.world.machines.values():
            for group in machine.config.groups:
                place = machine.name, group.name
                asked = bool(machine.config.reference_hosts) and machine.present_since_ms is not None
                if not asked or self._sees_a_leg_of_its_own(machine, group.name):
                    self._none_since_ms.pop(place, None)
                elif self.now_ms - self._none_since_ms.setdefault(place, self.now_ms) >= PATIENCE_MS:
                    self._ask(machine, group.name)
        self.world.timeline.after(LOOK_EVERY_MS, self._look)

    def _sees_a_leg_of_its_own(self, machine: Gateway, group: str) -> bool:
        storage, node = self.world.storage, machine.name
        return any(
            address.answers and address.holders == (node,) and storage.san.joins(node, address.name)
            for shelf in storage.shelves.values()
            for address in shelf.addresses.get(group, ())
        )

    def _ask(self, machine: Gateway, group: str) -> None:
        for one, told in self.world.told():
            offered = told.why.code is Code.STATE_OFFERED and told.why.subject == Subject.group(group)
            if one is machine and offered:
                self.broken("R13", f"{machine.name} says that it offers {group}, and holds no leg that answers it")
