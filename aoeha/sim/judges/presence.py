"""What a node knows of itself: which groups it owns, and that it was stalled.

A node whose clock stood still with it cannot know of a stall.
"""

from aoeha.core.model.beat import Beat
from aoeha.core.model.memory import Memory
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["Presence"]


class Presence(Judge):
    """Notes what nodes know. `owned` are the nodes and groups of which the node has decided to be the owner."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.owned: set[tuple[str, str]] = set()
        self._there: dict[str, tuple[int, int]] = {}

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """Note whose owner a node is."""
        for group in memory.groups:
            (self.owned.add if group.holding else self.owned.discard)((machine.name, group.name))

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """Note how the clock of a node that is there stands."""
        del beat
        self._there[machine.name] = self.now_ms, machine.clock_ms()

    def knows_of_a_stall(self, machine: Gateway) -> bool:
        """Whether the clock of a node that is back has gone on meanwhile."""
        there_ms, clock_ms = self._there.get(machine.name, (0, 0))
        return 2 * (machine.clock_ms() - clock_ms) > self.now_ms - there_ms
