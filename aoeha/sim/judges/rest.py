"""Whether a node comes to rest: it remembers what has changed, and does not change its mind without end.

Two reasons against a takeover that are told in turn are such an end that never comes.
"""

from collections import Counter

from aoeha.core.model.actions import Say
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.memory import Memory
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["RestJudge"]

SECOND_MS = 1_000
WRITES_MAX = 100
"""Within one second. No node of 600 seeds wrote more than 8 times; one that forgets each epoch writes without end."""

REFUSED = "takeover.refused."
SPELL_MS = 30_000
REFUSALS_MAX = 8
"""Within one spell, of one reason. No node of 40 stories told one oftener than three times; in turn they are told ten.
"""


class RestJudge(Observer):
    """Counts what each node writes to its disk within a second, and how often it tells one refusal."""

    def __init__(self, world: World) -> None:
        self._timeline = world.timeline
        self._second = 0
        self._writes: dict[str, int] = {}
        self._spell = 0
        self._refusals: Counter[tuple[str, Code, Subject]] = Counter()

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

    def said(self, machine: Gateway, action: Say) -> None:
        """Count a refusal. Raises Violation when the node does not make up its mind."""
        code, subject = action.condition.identity
        if not code.value.startswith(REFUSED) or action.ends:
            return
        spell = self._timeline.now_ms // SPELL_MS
        if spell != self._spell:
            self._spell = spell
            self._refusals.clear()
        self._refusals[machine.name, code, subject] += 1
        if self._refusals[machine.name, code, subject] > REFUSALS_MAX:
            told = f"it told {code.value} of {subject.name} {REFUSALS_MAX} times within {SPELL_MS // 1_000} s"
            raise Violation("I6", self._timeline.now_ms, f"{machine.name} does not make up its mind: {told}")
