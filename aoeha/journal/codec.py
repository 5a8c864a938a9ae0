"""Converts events and actions to plain records and back, exactly.

A record is what JSON can hold: `{"type": "TaskDone", "now_ms": 12, ...}`. The type is the class name, enums go by
value, flags by number, nested dataclasses as objects without a type (the field says it); where a field may hold one of
several classes (a task, the outcome of one), the object has a type too. Whatever was written comes back equal; whatever
would not be written that way is refused with a sentence, so that a journal that was edited, cut or made by another
version is never half believed.
"""

from typing import Any, TypeVar, get_args

import msgspec

from aoeha.core.model.actions import Action
from aoeha.core.model.events import Event
from aoeha.journal.tagging import UntaggedError, tagged, untagged

__all__ = ["RecordError", "action_from", "event_from", "from_plain", "to_plain", "to_record"]

EVENT_TYPES: dict[str, type] = {kind.__name__: kind for kind in get_args(Event)}
ACTION_TYPES: dict[str, type] = {kind.__name__: kind for kind in get_args(Action)}

T = TypeVar("T")


class RecordError(Exception):
    """A record cannot be read. The message is one sentence that names the record's type and the field."""


def to_plain(thing: object) -> Any:
    """Return a dataclass tree as dicts, lists, strings and numbers."""
    return tagged(thing, type(thing))


def from_plain(plain: Any, kind: type[T], what: str) -> T:
    """Return the `kind` that `plain` describes; `what` names it in errors.

    Fields that are left out take their default, so that what an older version wrote can be read. Fields that `kind`
    does not know are refused: dropping them silently could drop a reason to refuse.
    """
    try:
        thing: T = untagged(plain, kind)
    except (msgspec.ValidationError, UntaggedError) as error:
        raise RecordError(f"cannot read {what}: {error}; another version wrote it, or it was changed") from error
    stranger = _first_stranger(plain, tagged(thing, kind), "$")
    if stranger:
        raise RecordError(f"cannot read {what}: {stranger} is not known here; a newer version wrote it")
    return thing


def to_record(thing: Event | Action) -> dict[str, Any]:
    """Return the record of an event or an action."""
    return {"type": type(thing).__name__, **to_plain(thing)}


def event_from(record: Any) -> Event:
    """Return the event that a record describes, or raise RecordError."""
    event: Event = _from_record(record, EVENT_TYPES, "event")
    return event


def action_from(record: Any) -> Action:
    """Return the action that a record describes, or raise RecordError."""
    action: Action = _from_record(record, ACTION_TYPES, "action")
    return action


def _from_record(record: Any, types: dict[str, type], what: str) -> Any:
    name = record.get("type") if isinstance(record, dict) else None
    kind = types.get(name) if isinstance(name, str) else None
    if kind is None:
        raise RecordError(f"cannot read {what}: its type is {name!r}; expected one of {', '.join(sorted(types))}")
    fields = {key: value for key, value in record.items() if key != "type"}
    return from_plain(fields, kind, f"{what} {name}")


def _first_stranger(given: Any, known: Any, path: str) -> str:
    """Return the path of the first key in `given` that `known` lacks, or an empty string."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            if key not in known:
                return f"{path}.{key}"
            if stranger := _first_stranger(value, known[key], f"{path}.{key}"):
                return stranger
    elif isinstance(given, list | tuple) and isinstance(known, list | tuple):
        for index, (value, counterpart) in enumerate(zip(given, known, strict=False)):
            if stranger := _first_stranger(value, counterpart, f"{path}[{index}]"):
                return stranger
    return ""
