"""Whether a beat that a node believes is new, and of the newest boot of its peer (R1)."""

from aoeha.core.model.beat import Beat
from aoeha.sim.judges.judge import Judge
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["HeardBeatJudge"]


class HeardBeatJudge(Judge):
    """Looks at every beat that is believed."""

    def __init__(self, world: World, witness: Witness) -> None:
        super().__init__(world)
        self._witness = witness
        self._newest: dict[tuple[str, str, int, str], int] = {}

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """A beat is believed. Two machines of one name are heard in turn: neither boot is the earlier one."""
        key = (machine.name, beat.boot_id, beat.incarnation, link)
        if beat.sequence <= self._newest.get(key, -1):
            self.broken("I1", f"{machine.name} believed a beat on {link} for the second time")
        self._newest[key] = beat.sequence
        if beat.boot_id in self._witness.boots_heard.get(machine.name, [])[:-1]:
            self.broken("I1", f"{machine.name} believed a beat of an earlier boot on {link}")
