"""Whether who serves does serve: a client's record is acknowledged within a bound, again and again (I6).

It is judged while exactly one gateway has the group running, reaches its client, and is held by a leg of its mirror
that is whole and answers it in time, with nothing that only a human could end: no pause of the pair, no broken agent,
no daemon that is gone or stands still. A client that waits before it tries again does not count either, nor does a
mirror of which only a leg is left that it must not rely on (R5).

The bound is what a silent shelf may cost. It is seconds where the peer hears of it at once. Where the peer may not, the
leg leaves after every ledger that the peer can have heard is too old (R5).
"""

from aoeha.core.model.beat import Beat, BeatFlag
from aoeha.sim.judges.judge import LOOK_EVERY_MS, Judge, is_reserved
from aoeha.sim.judges.sight import Sight
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.mirror import Assembly
from aoeha.sim.world.world import World

__all__ = ["ServingJudge"]

READS = 3
"""A leg has left after so many readings of the reservations: two that it does not answer, and one under way."""
EVICTION_MS = 8_000
"""One that failed is tried again, and the write that waits for it is repeated."""
CLOCKS_PERCENT = 110


class ServingJudge(Judge):
    """Looks each second at what should be acknowledged."""

    def __init__(self, world: World, witness: Witness, sight: Sight) -> None:
        super().__init__(world)
        self._witness = witness
        self._sight = sight
        self._due_since_ms: dict[str, int] = {}
        self._paused: set[str] = set()
        world.timeline.after(LOOK_EVERY_MS, self._look)

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """Note who knows of a pause."""
        (self._paused.add if BeatFlag.PAUSED in beat.flags else self._paused.discard)(machine.name)

    def _look(self) -> None:
        for group in self.world.resources:
            if is_reserved(self.world, group):
                self._judge(group)
        self.world.timeline.after(LOOK_EVERY_MS, self._look)

    def _judge(self, group: str) -> None:
        serving = [machine for machine in self.world.machines.values() if machine.serves(group)]
        hindrance = self._hindrance(serving[0], group) if len(serving) == 1 else "it is not served by one"
        if serving:
            self.note("acknowledging", hindrance)
        if hindrance:
            self._due_since_ms.pop(group, None)
            return
        machine, _ = self._sight.mirrors[group]
        since_ms = max(self._due_since_ms.setdefault(group, self.now_ms), self.world.storage.served_ms[group] or 0)
        if self.now_ms - since_ms > self._bound_ms(machine, group):
            legs = " and ".join(leg.shelf for leg in self._sight.usable(machine, group))
            waited_s = (self.now_ms - since_ms) / 1_000
            sentence = f"{machine.name} serves {group}, holds its leg on {legs}, and has acknowledged no record"
            self.broken("I6", f"{sentence} for {waited_s:g} s")

    def _hindrance(self, machine: Gateway, group: str) -> str:
        """Why no record need be acknowledged now, empty for no reason."""
        owner, assembly = self._sight.mirrors[group]
        storage = self.world.storage
        if owner is not machine:
            return "its storage was taken"
        if storage.reach[machine.name].cut or storage.clients[group].waits(self.now_ms):
            return "the client waits"
        if machine.present_since_ms is None:
            return "no daemon"
        if machine.name in self._paused:
            return "paused"
        if any(resource in self.world.resources[group] for _, resource in machine.broken):
            return "a broken agent"
        if self._is_a_strangers(group, assembly):
            return "a stranger holds a leg"
        return "" if any(self._sight.usable(machine, group)) else "no leg answers"

    def _is_a_strangers(self, group: str, assembly: Assembly) -> bool:
        """Whether a leg is reserved for a third host: that is an alarm, and a human ends it (R3)."""
        shelves = [self.world.storage.shelves[leg.shelf] for leg in assembly.active]
        holders = {name for shelf in shelves for address in shelf.addresses[group] for name in address.holders}
        return not holders <= self.world.machines.keys()

    def _bound_ms(self, machine: Gateway, group: str) -> int:
        config, storage = machine.config, self.world.storage
        slowest_ms = max(address.slow_ms[1] for shelf in storage.shelves.values() for address in shelf.addresses[group])
        reading_ms = READS * (max(config.hold_every_ms, config.keepalive_ms) + config.shelf_timeout_ms)
        revalidation_ms = config.deadtime_ms
        quick_ms = (
            reading_ms
            + revalidation_ms
            + 2 * config.keepalive_ms
            + EVICTION_MS
            + storage.clients[group].period_ms
            + slowest_ms
        )
        peer = self.world.machines[config.peer]
        if self._witness.whole_link_ms(machine, peer) > quick_ms + config.deadtime_ms:
            return quick_ms
        return quick_ms + config.ledger_lease_ms * CLOCKS_PERCENT // 100
