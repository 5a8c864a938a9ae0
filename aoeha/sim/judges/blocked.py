"""Whether a node that asks to be fenced can neither serve nor stop (R13, R14).

It could not stop something of the group, or none of the legs that its mirror uses has answered it for deadtime. A leg
whose target may have forgotten what it acknowledged does not count as long as the mirror has another one (R5). Among
those that are as good as each other, one that the mirror reads last does not either while it reads another one first.
"""

from aoeha.core.model.beat import Beat, GroupPhase
from aoeha.core.model.memory import Memory
from aoeha.sim.judges.forgotten import Forgotten
from aoeha.sim.judges.judge import Judge
from aoeha.sim.judges.leg_reads import LegReads
from aoeha.sim.judges.sight import Sight
from aoeha.sim.judges.troubles import Troubles
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["BlockedJudge"]


class BlockedJudge(Judge):
    """Looks at what a node says of itself for the first time."""

    def __init__(
        self, world: World, *, reads: LegReads, sight: Sight, troubles: Troubles, forgotten: Forgotten
    ) -> None:
        super().__init__(world)
        self._reads = reads
        self._sight = sight
        self._troubles = troubles
        self._forgotten = forgotten
        self._blocked: set[tuple[str, str]] = set()

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon has said nothing."""
        del memory
        self._blocked = {(name, group) for name, group in self._blocked if name != machine.name}

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """A node says that it is blocked."""
        for group in beat.groups:
            key = (machine.name, group.name)
            if group.phase is not GroupPhase.BLOCKED:
                self._blocked.discard(key)
            elif key not in self._blocked:
                self._blocked.add(key)
                self._judge(machine, group.name)

    def _judge(self, machine: Gateway, group: str) -> None:
        if self._troubles.is_stuck(machine, group):
            return
        owner, assembly = self._sight.mirrors.get(group, (None, None))
        if owner is not machine or assembly is None:
            self.broken("R13", f"{machine.name} asks to be fenced for {group}, which it does not serve")
        reliable = [leg for leg in assembly.active if not self._forgotten.may_lack(leg)] or assembly.active
        for leg in [leg for leg in reliable if not leg.write_mostly] or reliable:
            answered_ms = self._reads.of(machine, group, leg.shelf).answered_ms
            if answered_ms is not None and machine.clock_ms() - answered_ms < machine.config.deadtime_ms:
                ago_ms = machine.clock_ms() - answered_ms
                sentence = f"{machine.name} asks to be fenced for {group}: {leg.shelf} answered it {ago_ms} ms ago"
                self.broken("R13", sentence)
