"""What a rule of the core reads of a state, and for how long it would decide the same.

A watched copy of a state notes each field that is read of it, and follows its times (aoeha.sim.asking.followed). A rule
that did nothing about a state does nothing as long as the fields that it read are the same and its comparisons hold.

What this file does not know: what the notes are good for (aoeha.sim.asking.rules).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache, partial
from itertools import compress
from operator import is_not
from typing import Any

from aoeha.core.model.beat import Beat
from aoeha.core.model.legs import HeardLedger, ShelvesState
from aoeha.core.model.state import GroupState, LinkState, NodeState, PeerState
from aoeha.core.model.step_context import ChosenLegs, StepContext
from aoeha.sim.asking.followed import Notes

__all__ = ["CHOSEN", "Change", "Copy", "changes"]

CHOSEN = "chosen"
"""The name of what a step chose before its rules are asked."""


class Watched:
    """A copy of a value that notes each field which is read of it. It is the one in its `place` among its like.

    What a rule makes of it by `dataclasses.replace` has no notes: all its fields were read for that.
    """

    notes: Notes | None = None
    place: int = 0
    _base: type
    _fields: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self._base) and all(
            getattr(self, name) == getattr(other, name) for name in self._fields
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A class of the state, its watched copy, and by which names its fields are noted.

    Fields that never change, or whose parts are watched one by one, have no name. `deeper` are the kinds of fields that
    are watched in turn. Of those the name tells only whether they are there. A stamp is noted by its place as well.
    """

    copy: type
    fields: tuple[str, ...]
    names: Mapping[str, str]
    stamps: frozenset[str]
    deeper: Mapping[str, "_Kind"]


def _kind(base: type, *nameless: str, stamps: tuple[str, ...] = (), **deeper: _Kind) -> _Kind:
    every = tuple(known.name for known in fields(base))
    names = {name: f"{base.__name__}.{name}" for name in every if name not in nameless}
    noting = {name: (_stamping if name in stamps else _noting)(name, noted) for name, noted in names.items()}
    copy = type(f"Watched{base.__name__}", (Watched, base), {"_base": base, "_fields": every, **noting})
    return _Kind(copy, every, names, frozenset(stamps), deeper)


def _noting(field: str, name: str) -> property:
    def read(value: Watched) -> Any:
        if value.notes is not None:
            value.notes.read.add(name)
        return value.__dict__[field]

    return property(read, partial(_set, field))


def _stamping(field: str, name: str) -> property:
    def read(value: Watched) -> Any:
        named, known, notes = _in_place(name, value.place), value.__dict__[field], value.notes
        if notes is None:
            return known
        if known is None:
            notes.read.add(named)
            return None
        return notes.stamp(named, known)

    return property(read, partial(_set, field))


def _set(field: str, value: Watched, new: object) -> None:
    value.__dict__[field] = new


@cache
def _in_place(name: str, place: int) -> str:
    return f"{name} {place}"


LINK = _kind(LinkState, "name", stamps=("heard_ms",))
PEER = _kind(PeerState, stamps=("answered_ms",), beat=_kind(Beat, "sender"))
SHELVES = _kind(ShelvesState, stamps=("asked_ms", "read_ms"))
GROUP = _kind(GroupState, "config", shelves=SHELVES, heard_ledger=_kind(HeardLedger, stamps=("as_of_ms",)))
NODE = _kind(NodeState, "config", "identity", "now_ms", "links", "peer", "groups", stamps=("next_beat_ms",))
HEARD = "NodeState.heard_ms"
"""The newest of the stamps of all links, which is read as one."""
NODE.copy.heard_ms = _stamping("heard_ms", HEARD)  # type: ignore[attr-defined]


class Copy:
    """A watched copy of the state `of` a step. Rules are asked about it that do nothing, and questions."""

    def __init__(self, state: NodeState, chosen: ChosenLegs | None) -> None:
        self.of = state
        self._notes = notes = Notes(state.now_ms)
        self._state = _copy(
            NODE,
            state,
            notes,
            peer=_copy(PEER, state.peer, notes),
            links=tuple(_copy(LINK, link, notes, place) for place, link in enumerate(state.links)),
            groups=tuple(_copy(GROUP, group, notes, place) for place, group in enumerate(state.groups)),
            now_ms=notes.present(),
            heard_ms=state.heard_ms,
        )
        self._step = _WatchedStep(self._state, notes, chosen)

    def ask(self, decide: Callable[[StepContext], None]) -> Notes:
        """Ask a rule what it reads. The notes are those of the next rule when that is asked."""
        self._notes.begin()
        decide(self._step)
        undecided = self._step.state is self._state and not self._step.actions
        assert undecided, f"{decide} decides otherwise about a watched state"
        return self._notes

    def answer(self, question: Callable[[NodeState], Any], known: object) -> Notes:
        """Ask a question with this answer what it reads, and for how long the numbers in the answer are the same."""
        self._notes.begin()
        assert question(self._state) == known, f"{question} is answered otherwise about a watched state"
        return self._notes


def _copy(kind: _Kind, value: Any, notes: Notes, place: int = 0, **others: Any) -> Any:
    copy: Any = object.__new__(kind.copy)
    known = copy.__dict__
    known.update(value.__dict__, notes=notes, place=place, **others)
    for field, deeper in kind.deeper.items():
        if known[field] is not None:
            known[field] = _copy(deeper, known[field], notes, place)
    return copy


class _WatchedStep(StepContext):
    """A step that notes whether it was asked what it had chosen."""

    __slots__ = ("_had", "_notes")

    def __init__(self, state: NodeState, notes: Notes, chosen: ChosenLegs | None) -> None:
        super().__init__(state)
        self._notes, self._had = notes, chosen

    @property
    def chosen(self) -> ChosenLegs | None:
        """What the step chose."""
        self._notes.read.add(CHOSEN)
        return self._had

    @chosen.setter
    def chosen(self, chosen: ChosenLegs | None) -> None:
        self._had = chosen


Change = tuple[str, int | None]
"""The name of a field, and its value if it is a stamp."""


def changes(before: NodeState, after: NodeState) -> list[Change]:
    """Return the fields in which two states differ."""
    found: list[Change] = []
    _compare(NODE, before, after, 0, found)
    if after.peer is not before.peer:
        _compare(PEER, before.peer, after.peer, 0, found)
    if after.links is not before.links:
        found.append((_in_place(HEARD, 0), after.heard_ms))
        _compare_all(LINK, before.links, after.links, found)
    if after.groups is not before.groups:
        _compare_all(GROUP, before.groups, after.groups, found)
    return found


def _compare_all(kind: _Kind, olds: tuple[object, ...], news: tuple[object, ...], found: list[Change]) -> None:
    for place, (old, new) in enumerate(zip(olds, news, strict=True)):
        if new is not old:
            _compare(kind, old, new, place, found)


def _compare(kind: _Kind, before: object, after: object, place: int, found: list[Change]) -> None:
    olds, news, names = before.__dict__, after.__dict__, kind.names
    for field in compress(kind.fields, map(is_not, olds.values(), news.values())):
        name = names.get(field)
        if name is None:
            continue
        old, new = olds[field], news[field]
        if field in kind.stamps:
            found.append((_in_place(name, place), new))
        elif field not in kind.deeper:
            if old != new:
                found.append((name, None))
        elif old is None or new is None:
            found.append((name, None))
        else:
            _compare(kind.deeper[field], old, new, place, found)
