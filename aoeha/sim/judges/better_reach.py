"""Whether a group moves to the gateway that more reference hosts answer (R25).

It is judged where both gateways have been up for long, with a whole link between them, no pause and one configuration,
and where the peer has said all the time that it could serve. A group that lately came to whom more hosts answered is
left out: it may have moved for that reason, and stays for the cool-down.
"""

from aoeha.core.model.beat import Beat, BeatFlag
from aoeha.sim.judges.judge import LOOK_EVERY_MS, SLACK_MS, Judge, patience_ms, peer_of
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["BetterReachJudge"]

DEADTIMES = 3
COOL_DOWN_MS = 300_000
MOVE_MS = 60_000
"""A group has moved within this time, or it is not this that moved it."""
READINGS = 3
"""A number of hosts is asked for, told, and the next one asked for meanwhile."""


class BetterReachJudge(Judge):
    """Looks each second at who serves, and whom its clients could reach better."""

    def __init__(self, world: World, witness: Witness) -> None:
        super().__init__(world)
        self._witness = witness
        self._willing_since_ms: dict[tuple[str, str], int] = {}
        self._owners: dict[str, str] = {}
        self._came_ms: dict[str, int] = {}
        self._better_ms: dict[str, int] = {}
        self._may_move_since_ms: dict[str, int] = {}
        self._paused: set[str] = set()
        if next(iter(world.configs.values())).reference_hosts:
            world.timeline.after(LOOK_EVERY_MS, self._look)

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """Note who could serve, and who knows of a pause."""
        (self._paused.add if BeatFlag.PAUSED in beat.flags else self._paused.discard)(machine.name)
        for group in beat.groups:
            key = machine.name, group.name
            if group.willing:
                self._willing_since_ms.setdefault(key, self.now_ms)
            else:
                self._willing_since_ms.pop(key, None)

    def _look(self) -> None:
        self._better_ms.update({one.name: self.now_ms for one in self.world.machines.values() if self._is_better(one)})
        for group in self.world.resources:
            serving = [machine for machine in self.world.machines.values() if machine.runs_whole(group)]
            if len(serving) != 1:
                continue
            machine = serving[0]
            if self._owners.get(group, machine.name) != machine.name and self._was_better(machine):
                self._came_ms[group] = self.now_ms
            self._owners[group] = machine.name
            hindrance = self._hindrance(machine, group)
            if self._is_better(peer_of(self.world, machine)):
                self.note("better reach", hindrance)
            if hindrance:
                self._may_move_since_ms.pop(group, None)
            elif self.now_ms - self._may_move_since_ms.setdefault(group, self.now_ms) > self._bound_ms(machine):
                peer = machine.config.peer
                self.broken(
                    "R25", f"{machine.name} keeps {group}, though more hosts answer {peer}, which could serve it"
                )
        self.world.timeline.after(LOOK_EVERY_MS, self._look)

    def _hindrance(self, machine: Gateway, group: str) -> str:
        """Why the group need not move now, empty for no reason."""
        peer = peer_of(self.world, machine)
        if not self._is_better(peer):
            return "the other one is no better"
        if self._witness.whole_link_ms(machine, peer) < patience_ms(machine):
            return "no link was whole"
        if self._paused or machine.config.config_tag != peer.config.config_tag:
            return "a pause, or two configurations"
        if (peer.name, group) not in self._willing_since_ms or self._witness.misled:
            return "the other one could not serve"
        came_ms = self._came_ms.get(group)
        return "it moved lately" if came_ms is not None and self.now_ms - came_ms < COOL_DOWN_MS else ""

    def _was_better(self, machine: Gateway) -> bool:
        """Whether that was so while a group may have moved."""
        better_ms = self._better_ms.get(machine.name)
        return better_ms is not None and self.now_ms - better_ms < MOVE_MS

    def _is_better(self, machine: Gateway) -> bool:
        """Whether more hosts answer a gateway than its peer."""
        peer, reach = peer_of(self.world, machine), self.world.storage.reach
        return reach[machine.name].hosts(machine.config) > reach[peer.name].hosts(peer.config)

    def _bound_ms(self, machine: Gateway) -> int:
        config = machine.config
        reading_ms = READINGS * (config.hold_every_ms + config.shelf_timeout_ms)
        return DEADTIMES * config.deadtime_ms + reading_ms + patience_ms(machine) + SLACK_MS
