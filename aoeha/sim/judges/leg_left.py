"""Whether a gateway may leave a leg to the other one (R3)."""

from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.judge import Judge, peer_of
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["LegLeftJudge"]


class LegLeftJudge(Judge):
    """Looks at every leg that is transferred."""

    def __init__(self, world: World, excuses: Excuses) -> None:
        super().__init__(world)
        self._excuses = excuses

    def transferring(self, machine: Gateway, group: str) -> None:
        """It has stopped, and the other one does not still run from before: the writes that it repeats would land."""
        peer = peer_of(self.world, machine)
        for one, invariant in ((machine, "I4"), (peer, "I1")):
            running = one.runs_any(group)
            if running and not self._excuses.deceived:
                sentence = f"{machine.name} leaves a leg of {group} to {peer.name} while {running} runs on {one.name}"
                self.broken(invariant, sentence)
