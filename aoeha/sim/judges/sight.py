"""Which legs of its mirror an owner can use, and when it last could use none."""

from collections.abc import Iterator

from aoeha.sim.judges.judge import LOOK_EVERY_MS, Judge, answers, is_reserved
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.mirror import Assembly, Leg
from aoeha.sim.world.world import World

__all__ = ["Sight"]


class Sight(Judge):
    """Notes from which legs each group is served. `mirrors` names who started a group's mirror last, and the mirror."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.mirrors: dict[str, tuple[Gateway, Assembly]] = {}
        self._lost_ms: dict[str, int] = {}
        world.timeline.after(LOOK_EVERY_MS, self._look)

    def mirror_started(self, machine: Gateway, group: str, assembly: Assembly) -> None:
        """Note from which legs a group is served."""
        self.mirrors[group] = machine, assembly

    def _look(self) -> None:
        for group, (machine, _) in self.mirrors.items():
            if is_reserved(self.world, group) and machine.runs_any(group) and not any(self.usable(machine, group)):
                self._lost_ms[machine.name] = self.now_ms
        self.world.timeline.after(LOOK_EVERY_MS, self._look)

    def lost_within(self, machine: Gateway, ms: int) -> bool:
        """Whether a node ran a group from legs of which it could use none, so lately."""
        lost_ms = self._lost_ms.get(machine.name)
        return lost_ms is not None and self.now_ms - lost_ms < ms

    def usable(self, machine: Gateway, group: str) -> Iterator[Leg]:
        """The whole legs of its mirror that are held by a node, and answer it in time."""
        storage, (_, assembly) = self.world.storage, self.mirrors[group]
        config = next(known for known in machine.config.groups if known.name == group)
        named = {address for leg in config.legs for address in leg.addresses}
        for leg in assembly.active:
            shelf = storage.shelves[leg.shelf]
            held = (
                address.name in named and address.holders == (machine.name,) and answers(self.world, machine, address)
                for address in shelf.addresses[group]
            )
            if not (leg.recovering or leg.write_mostly or shelf.reports_errors) and any(held):
                yield leg
