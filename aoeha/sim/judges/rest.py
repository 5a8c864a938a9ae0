"""Whether a node comes to rest: it remembers what has changed, and does not change its mind without end."""

from aoeha.core.model.memory import Memory
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["RestJudge"]

SECOND_MS = 1_000
WRITES_MAX = 100
"""Within one second. No node of 600 seeds wrote more than 8 times; one that forgets each epoch writes without end."""


class RestJudge(Observer):
    """Counts what each node writes to its disk within a second."""

    def __init__(self, world: World) -> None:
        self._timeline = world.timeline
        self._second = 0
        self._writes: dict[str, int] = {}

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """Count one write. Raises Violation when there is no end of them."""
        del memory
        node = machine.name
        second = self._timeline.now_ms // SECOND_MS
        if second != self._second:
            self._second = second
            self._writes.clear()
        self._writes[node] = self._writes.get(node, 0) + 1
        if self._writes[node] > WRITES_MAX:
            sentence = f"{node} decides without end: it wrote to its disk {WRITES_MAX} times within one second"
            raise Violation("I6", self._timeline.now_ms, sentence)
