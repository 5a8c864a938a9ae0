"""Whether a node reboots itself for want of an answer once in `reboot_window` at most (R10).

A node whose legs bear its peer's name, or which hears of an owner above itself, has lost what it serves: it always
reboots.
"""

from aoeha.core.model.beat import Beat
from aoeha.sim.judges.judge import Judge, peer_of
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["RebootJudge"]


class RebootJudge(Judge):
    """Notes which boot follows a reboot of a node's own, and what it could remember of that."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._rebooted: dict[str, int] = {}
        self._booted_ms: dict[str, int] = {}
        self._epochs: dict[tuple[str, str], int] = {}

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """Note at which epoch each group is owned."""
        for group in beat.groups:
            self._epochs[machine.name, group.name] = group.epoch if group.holding else 0

    def booted(self, machine: Gateway) -> None:
        """A boot begins."""
        self._booted_ms[machine.name] = self.now_ms
        for group in self.world.resources:
            self._epochs.pop((machine.name, group), None)

    def panicking(self, machine: Gateway) -> None:
        """A node reboots itself."""
        up_ms = self.now_ms - self._booted_ms.get(machine.name, 0)
        again = self._rebooted.get(machine.name) == machine.boots and up_ms < machine.config.reboot_window_ms
        if again and not self._has_lost(machine):
            self.broken("R10", f"{machine.name} reboots itself again, {up_ms} ms after it did so")
        if machine.disk == "ok":
            self._rebooted[machine.name] = machine.boots + 1

    def _has_lost(self, machine: Gateway) -> bool:
        peer = peer_of(self.world, machine)
        for group in self.world.resources:
            theirs, ours = (self._epochs.get((one.name, group), 0) for one in (peer, machine))
            shelves = self.world.storage.shelves.values()
            holders = {name for shelf in shelves for address in shelf.addresses[group] for name in address.holders}
            if machine.runs_any(group) and (theirs > ours or peer.name in holders):
                return True
        return False
