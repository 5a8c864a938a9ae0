"""Which rules of a core need not be asked again, because they would do nothing.

A step asks every rule about the whole state, and an idle pair makes eighteen steps a second: nearly all rules are asked
nearly always what they have just been asked. A rule that did nothing is asked a second time about a watched copy of the
same state (aoeha.sim.asking.watched). From then on it is asked again when a field that it read has changed, or when a
comparison with a time that it made would end in another way. So whatever a rule reads is found out and never declared,
and a rule that is changed, by its author or by a planted bug, needs nothing here. A test plays stories with and without
this, and sees the same traces.

The product asks every rule at every step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from aoeha.core.model.state import NodeState
from aoeha.core.model.step_context import ChosenLegs, StepContext
from aoeha.core.rules import RULES, Decide
from aoeha.sim.asking.followed import LATER_MS, Bounds
from aoeha.sim.asking.watched import CHOSEN, Change, Copy, changes

__all__ = ["Asking"]

HASTE = 8
"""Notes that last no longer than so many steps cost more than they save."""
PAUSE_MAX = 15
"""At most so often a rule is then asked without notes."""


@dataclass(slots=True)
class Known:
    """What one rule read when it last did nothing, and until when that holds.

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
    """What one core's rules have read. A rule is known by its place in the list, also as a bit."""

    def __init__(self) -> None:
        self._steps = 0
        self._state: NodeState | None = None
        self._chosen: ChosenLegs | None = None
        self._unknown = (1 << len(RULES)) - 1
        self._known = [Known() for _ in RULES]
        self._until_ms = [LATER_MS] * len(RULES)
        self._readers: dict[str, int] = {}
        self._stamped: dict[str, set[int]] = {}

    def ask(self, step: StepContext) -> None:
        """Ask the rules that could do something, in the order of the list (`rules.ask_all`)."""
        self._steps += 1
        self._note_changes(step)
        place, copy, due = 0, None, self._due(step.now_ms)
        seen: dict[Decide, NodeState] = {}
        while waiting := due >> place:
            place += (waiting & -waiting).bit_length() - 1
            decide, state, acts = RULES[place].decide, step.state, len(step.actions)
            if seen.get(decide) is not state:
                seen[decide] = state
                decide(step)
                if step.state is not state:
                    self._note(changes(state, step.state), step.now_ms)
                    due = self._due(step.now_ms)
                elif len(step.actions) == acts and self._is_worth_it(self._known[place]):
                    copy = copy if copy is not None and copy.of is state else Copy(step)
                    self._learn(place, copy)
            place += 1
        self._state = step.state

    def _due(self, now_ms: int) -> int:
        """The rules about which nothing is known, or not any more."""
        due = self._unknown
        if now_ms >= min(self._until_ms):
            for place, until_ms in enumerate(self._until_ms):
                if now_ms >= until_ms:
                    due |= 1 << place
        return due

    def _note_changes(self, step: StepContext) -> None:
        """Note what the event has changed, or whatever happened since the last step."""
        if self._state is not None:
            self._note(changes(self._state, step.state), step.now_ms)
        if step.chosen is not self._chosen:
            self._chosen = step.chosen
            self._note(((CHOSEN, None),), step.now_ms)

    def _note(self, changed: Iterable[Change], now_ms: int) -> None:
        for name, value in changed:
            self._unknown |= self._readers.get(name, 0)
            for place in self._stamped.get(name, ()):
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

    def _learn(self, place: int, copy: Copy) -> None:
        """A rule did nothing: note what it reads, and do not ask it again before that changes."""
        known, bit, notes = self._known[place], 1 << place, copy.ask(RULES[place].decide)
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
