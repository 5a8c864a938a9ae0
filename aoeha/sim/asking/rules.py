"""Which rules of a core need not be asked again, because they would do nothing.

A step asks every rule about the whole state, and an idle pair makes eighteen steps a second: nearly all rules are asked
nearly always what they have just been asked. A rule that did nothing is asked a second time about a watched copy of the
same state (aoeha.sim.asking.watched). From then on it is asked again when a field that it read has changed, or when a
comparison with a time that it made would end in another way. So whatever a rule reads is found out and never declared,
and a rule that is changed, by its author or by a planted bug, needs nothing here. A test plays stories with and without
this, and sees the same traces.

The product asks every rule at every step.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aoeha.core.model.state import NodeState
from aoeha.core.model.step_context import ChosenLegs, StepContext
from aoeha.core.rules import RULES, Decide
from aoeha.sim.asking.followed import LATER_MS, Bounds, Notes
from aoeha.sim.asking.watched import CHOSEN, Copy, changes

__all__ = ["Asking"]

RULES_ALL = (1 << len(RULES)) - 1
HASTE = 8
"""Notes that last no longer than so many steps cost more than they save."""
PAUSE_MAX = 31
"""At most so often a rule is then asked without notes."""


@dataclass(slots=True)
class Known:
    """What one rule read when it last did nothing, or one question, and until when that holds.

    `ends_ms` are the ends for its comparisons with the present, under no name, and with the time since each stamp.
    `pause` and `waits` count how often it is asked without notes, for those that it had did not last.
    """

    read: set[str] = field(default_factory=set)
    stamps: dict[str, Bounds] = field(default_factory=dict)
    ends_ms: dict[str, int] = field(default_factory=dict)
    step: int = 0
    pause: int = 0
    waits: int = 0


class Asking:
    """What one core's rules and questions have read. Each is known by its place, the rules first, also as a bit."""

    def __init__(self) -> None:
        self._steps = 0
        self._state: NodeState | None = None
        self._chosen: ChosenLegs | None = None
        self._copy: Copy | None = None
        self._unknown = RULES_ALL
        self._known = [Known() for _ in RULES]
        self._until_ms = [LATER_MS] * len(RULES)
        self._readers: dict[str, int] = {}
        self._stamped: dict[str, set[int]] = {}
        self._places: dict[Callable[[NodeState], Any], int] = {}
        self._answers: dict[int, Any] = {}

    def ask(self, step: StepContext) -> None:
        """Ask the rules that could do something, in the order of the list (`rules.ask_all`)."""
        self._steps += 1
        step.recall = self._recall
        self._note_changes(step)
        place, due = 0, self._due(step.now_ms)
        seen: dict[Decide, NodeState] = {}
        while waiting := due >> place:
            place += (waiting & -waiting).bit_length() - 1
            decide, state, acts = RULES[place].decide, step.state, len(step.actions)
            if seen.get(decide) is not state:
                seen[decide] = state
                decide(step)
                if step.state is not state:
                    self._note(step.state)
                    due = self._due(step.now_ms)
                elif len(step.actions) == acts and self._is_worth_it(self._known[place]):
                    self._learn(place, self._copied(state).ask(decide))
            place += 1
        self._copy = None

    def _recall(self, question: Callable[[NodeState], Any], state: NodeState) -> Any:
        """Answer a question as it was answered last, if nothing that it read has changed."""
        if state is not self._state:
            return question(state)
        place = self._places.get(question)
        if place is None:
            place = self._places[question] = len(self._known)
            self._known.append(Known())
            self._until_ms.append(LATER_MS)
            self._unknown |= 1 << place
        elif not self._unknown >> place & 1 and state.now_ms < self._until_ms[place]:
            return self._answers[place]
        answer = self._answers[place] = question(state)
        self._unknown |= 1 << place
        if self._is_worth_it(self._known[place]):
            self._learn(place, self._copied(state).answer(question, answer))
        return answer

    def _copied(self, state: NodeState) -> Copy:
        """The watched copy of the present state, which is made when it is needed, and is gone with the step."""
        if self._copy is None or self._copy.of is not state:
            self._copy = Copy(state, self._chosen)
        return self._copy

    def _due(self, now_ms: int) -> int:
        """The rules about which nothing is known, or not any more."""
        due = self._unknown
        if now_ms >= min(self._until_ms):
            for place, until_ms in enumerate(self._until_ms):
                if now_ms >= until_ms:
                    due |= 1 << place
        return due & RULES_ALL

    def _note_changes(self, step: StepContext) -> None:
        """Note what the event has changed, or whatever happened since the last step."""
        if self._state is None:
            self._state = step.state
        self._note(step.state)
        if step.chosen is not self._chosen:
            self._chosen = step.chosen
            self._unknown |= self._readers.get(CHOSEN, 0)

    def _note(self, state: NodeState) -> None:
        """Forget what was known by fields that have changed, and follow the stamps."""
        before, self._state = self._state, state
        assert before is not None
        readers, stamped, now_ms = self._readers, self._stamped, state.now_ms
        for name, value in changes(before, state):
            bits = readers.get(name)
            if bits:
                self._unknown |= bits
            for place in stamped.get(name, ()):
                known = self._known[place]
                bounds = known.stamps[name]
                if value is None or not bounds.hold(value, now_ms):
                    self._unknown |= 1 << place
                else:
                    known.ends_ms[name] = value + bounds.age_to_ms
                    self._until_ms[place] = min(known.ends_ms.values())

    def _is_worth_it(self, known: Known) -> bool:
        if known.waits:
            known.waits -= 1
            return False
        known.pause = min(2 * known.pause + 1, PAUSE_MAX) if self._steps - known.step <= HASTE else 0
        known.waits, known.step = known.pause, self._steps
        return True

    def _learn(self, place: int, notes: Notes) -> None:
        """Note what was read, and do not ask again before that changes."""
        known, bit = self._known[place], 1 << place
        for name in known.read - notes.read:
            self._readers[name] &= ~bit
        for name in notes.read - known.read:
            self._readers[name] = self._readers.get(name, 0) | bit
        for name in known.stamps.keys() - notes.stamps.keys():
            self._stamped[name].discard(place)
        for name in notes.stamps.keys() - known.stamps.keys():
            self._stamped.setdefault(name, set()).add(place)
        known.read, known.stamps = notes.read, notes.stamps
        known.ends_ms = {name: notes.values_ms[name] + bounds.age_to_ms for name, bounds in notes.stamps.items()}
        known.ends_ms[""] = notes.until_ms
        self._until_ms[place] = min(known.ends_ms.values())
        self._unknown &= ~bit
