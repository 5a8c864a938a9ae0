"""The lines of a journal file: one header, then one line for each step, in order of occurrence.

A header holds what `initial` was given and what it answered. Feeding the events of the lines below it to `step` must
give the recorded actions, byte for byte. A file that continues an earlier one (rotation, or records that a full disk
swallowed) begins with the whole state at that point, so that each file can be repeated without those before it.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from aoeha.core.model.actions import Action
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import Event
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.journal.codec import RecordError, action_from, event_from, from_plain, to_plain, to_record

__all__ = ["SCHEMA", "Header", "Step", "decode_line", "encode_header", "encode_step"]

SCHEMA = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Header:
    """The start of a file. `wall_ms` is the time of day, since 1970, at `now_ms`: the only wall clock in a journal.

    `state` is None in the first part, and in a later one what the steps below it begin with. `lost` counts the records
    that are missing between the part before and this one.
    """

    version: str
    part: int
    now_ms: int
    wall_ms: int
    config: PairConfig
    identity: Identity
    memory: Memory | None
    actions: tuple[Action, ...]
    state: NodeState | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One event and what the core answered."""

    event: Event
    actions: tuple[Action, ...]


def encode_header(header: Header) -> bytes:
    """Return the header as one line with its newline."""
    plain = {
        "schema": SCHEMA,
        "version": header.version,
        "part": header.part,
        "lost": header.lost,
        "now_ms": header.now_ms,
        "wall_ms": header.wall_ms,
        "config": to_plain(header.config),
        "identity": to_plain(header.identity),
        "memory": to_plain(header.memory),
        "actions": [to_record(action) for action in header.actions],
        "state": to_plain(header.state),
    }
    return msgspec.json.encode(plain) + b"\n"


def encode_step(event: Event, actions: tuple[Action, ...]) -> bytes:
    """Return one step as one line with its newline."""
    plain = {
        "now_ms": event.now_ms,
        "event": to_record(event),
        "actions": [to_record(action) for action in actions],
    }
    return msgspec.json.encode(plain) + b"\n"


def decode_line(line: bytes) -> Header | Step:
    """Return what a line holds, or raise RecordError. A line cut short by a crash is refused like any other garbage."""
    try:
        plain = msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"cannot read a journal line: {error}; it is cut short or not from a journal") from error
    if not isinstance(plain, dict):
        raise RecordError("cannot read a journal line: it is no object")
    return _header(plain) if "schema" in plain else _step(plain)


def _header(plain: dict[str, Any]) -> Header:
    if plain["schema"] != SCHEMA:
        raise RecordError(f"cannot read this journal: its schema is {plain['schema']!r}, this version knows {SCHEMA}")
    try:
        return Header(
            version=from_plain(plain["version"], str, "the journal's version"),
            part=from_plain(plain["part"], int, "the journal's part"),
            now_ms=from_plain(plain["now_ms"], int, "the journal's now_ms"),
            wall_ms=from_plain(plain["wall_ms"], int, "the journal's wall_ms"),
            config=from_plain(plain["config"], PairConfig, "the journal's config"),
            identity=from_plain(plain["identity"], Identity, "the journal's identity"),
            memory=_optional(plain["memory"], Memory, "the journal's memory"),
            actions=tuple(action_from(record) for record in _list(plain["actions"])),
            state=_optional(plain["state"], NodeState, "the journal's state"),
            lost=from_plain(plain["lost"], int, "the journal's lost"),
        )
    except KeyError as error:
        raise RecordError(f"cannot read the journal's header: it lacks {error}") from error


def _optional(plain: Any, kind: type[T], what: str) -> T | None:
    return None if plain is None else from_plain(plain, kind, what)


def _step(plain: dict[str, Any]) -> Step:
    if plain.keys() != {"now_ms", "event", "actions"}:
        raise RecordError(f"cannot read a journal line: expected now_ms, event, actions, got {', '.join(plain)}")
    return Step(event_from(plain["event"]), tuple(action_from(record) for record in _list(plain["actions"])))


def _list(plain: Any) -> list[Any]:
    if not isinstance(plain, list):
        raise RecordError("cannot read a journal line: its actions are no list")
    return plain
