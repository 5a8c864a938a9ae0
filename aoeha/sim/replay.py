"""A journal fed to the core again: the same events must give the same actions, or the first difference is told.

What the caller gets is a stream of moments, one for each line, so that a long journal needs no memory. A part of a
journal begins with a header. The header of the first part of a daemon's life has what `initial` was given. Each later
header has the whole state, from which the part can be replayed without the parts before it. Where the part before is at
hand and no record is missing between them, the state in the header is verified as well.

Another version of the core may say the same in other words. A line in which only the sentences for people differ is
marked as such and the replay continues. Any other difference ends it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path

from aoeha.core.model.actions import Action, Answer, Panic, Say, StartTask
from aoeha.core.model.events import Event
from aoeha.core.model.state import NodeState
from aoeha.core.step import initial, step
from aoeha.journal.codec import RecordError
from aoeha.journal.part_names import order
from aoeha.journal.records import Header, Step, decode_line

__all__ = ["Difference", "JournalError", "Moment", "parts_of", "replay"]


class JournalError(Exception):
    """A journal cannot be read. The message is a sentence with the file and the line."""


class Difference(Exception):  # noqa: N818  it is a finding, not a failure of this code
    """The core answers otherwise than it did when the journal was written. The message says where and how."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a journal, repeated. `number` counts lines over all parts from 1; `note` is for people.

    `actions` are those that were recorded; `rewording` tells how the words differ that the core finds today.

    `event` is None at a header. `wall_ms` is the time of day since 1970, `since_ms` the time since the part's daemon
    wrote its header. `state` is what the core knew afterwards. `part` counts the parts of this daemon's life.
    """

    path: Path
    line: int
    number: int
    wall_ms: int
    since_ms: int
    event: Event | None
    actions: tuple[Action, ...]
    state: NodeState
    note: str = ""
    rewording: str = ""
    part: int = 1


def parts_of(place: Path) -> list[Path]:
    """Return the parts of a journal in the order in which they were written; a file is its own only part."""
    if place.is_dir():
        # What was kept has a second name below the folder, and outlives the first one.
        named = {path.name: path for path in (*place.glob("kept/*.jsonl"), *place.glob("*.jsonl"))}
        parts = [named[name] for name in sorted(named, key=order)]
        if not parts:
            raise JournalError(f"cannot replay {place}: no *.jsonl file is in it; name the folder called journal")
        return parts
    if not place.exists():
        raise JournalError(f"cannot replay {place}: there is no such file or folder")
    return [place]


def replay(parts: list[Path]) -> Iterator[Moment]:
    """Repeat journals line by line. Raises JournalError for what cannot be read, and the first Difference."""
    last: Moment | None = None
    for path in parts:
        for moment in _replay_part(path, last):
            last = moment
            yield moment


def _replay_part(path: Path, previous: Moment | None) -> Iterator[Moment]:
    number = previous.number if previous is not None else 0
    lines = _lines(path)
    header = _decode(path, 1, lines[0]) if lines else None
    if not isinstance(header, Header):
        raise JournalError(f"cannot replay {path}: it does not begin with a header; it is no journal or was cut")
    state, rewording, note = _begin(path, header, previous)
    yield Moment(path, 1, number + 1, header.wall_ms, 0, None, header.actions, state, note, rewording, header.part)
    for index, line in enumerate(lines[1:], start=2):
        if index == len(lines) and not line.endswith(b"\n"):
            return  # the machine died while it wrote this line
        record = _decode(path, index, line)
        if not isinstance(record, Step):
            raise JournalError(f"cannot replay {path}: line {index} is a second header; it was put together by hand")
        note = ""
        try:
            state, actions = step(state, record.event)
        except Exception as error:
            note = f"the core fails here: {type(error).__name__}: {error}"
            if record.actions or index < len(lines):
                raise Difference(f"{path}:{index}: {_named(record.event)}: {note}; it did not then") from error
            actions = ()
        rewording = _compare(f"{path}:{index}: {_named(record.event)}", record.actions, actions)
        since_ms = record.event.now_ms - header.now_ms
        wall_ms = header.wall_ms + since_ms
        yield Moment(
            path,
            index,
            number + index,
            wall_ms,
            since_ms,
            record.event,
            record.actions,
            state,
            note,
            rewording,
            header.part,
        )


def _begin(path: Path, header: Header, previous: Moment | None) -> tuple[NodeState, str, str]:
    """Return the state that a part begins with, what is worded otherwise about its birth, and a sentence on both."""
    who = f"{header.config.node}, boot {header.identity.boot_id[:8]}, daemon {header.identity.incarnation}"
    if header.state is None:
        try:
            state, actions = initial(header.config, header.identity, header.memory, header.now_ms)
        except Exception as error:
            fault = f"the core fails at this start: {type(error).__name__}: {error}"
            raise Difference(f"{path}:1: {fault}; it did not then") from error
        rewording = _compare(f"{path}:1: the start", header.actions, actions)
        return state, rewording, f"{who} starts (version {header.version})"
    if header.lost:
        return header.state, "", f"{who} goes on after {header.lost} records that are in no file"
    earlier = previous.state if previous is not None and previous.part + 1 == header.part else None
    follows = earlier is not None and earlier.identity == header.identity
    if follows and earlier != header.state:
        path_of = _differing_field(header.state, earlier, "state")
        raise Difference(f"{path}:1: the state at the head of part {header.part} is another one: {path_of}")
    return (
        header.state,
        "",
        f"{who} goes on in part {header.part}" + ("" if follows else "; the part before is missing"),
    )


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise JournalError(f"cannot replay {path}: {error.strerror}") from error


def _decode(path: Path, index: int, line: bytes) -> Header | Step:
    try:
        return decode_line(line)
    except RecordError as error:
        raise JournalError(f"{path}:{index}: {error}") from error


def _named(event: Event) -> str:
    return f"{type(event).__name__} at {event.now_ms} ms"


def _compare(where: str, expected: tuple[Action, ...], got: tuple[Action, ...]) -> str:
    """Return a sentence if only words differ, empty if nothing does, and raise Difference for anything else."""
    if expected == got:
        return ""
    if _wordless(expected) == _wordless(got):
        return f"{where}: {_first_difference(expected, got)}"
    raise Difference(f"{where}: {_first_difference(expected, got)}")


def _wordless(actions: tuple[Action, ...]) -> list[Action]:
    """Return the actions without what is said to people alone."""
    wordless: list[Action] = []
    for action in actions:
        match action:
            case Say():
                pass
            case StartTask(task=task):
                wordless.append(StartTask(replace(task, reason="")))
            case Answer():
                wordless.append(replace(action, sentence=""))
            case Panic():
                wordless.append(replace(action, condition=replace(action.condition, sentence="")))
            case _:
                wordless.append(action)
    return wordless


def _first_difference(expected: tuple[Action, ...], got: tuple[Action, ...]) -> str:
    for index, (one, other) in enumerate(zip(expected, got, strict=False), start=1):
        if one != other:
            where = _differing_field(one, other, type(one).__name__)
            return f"action {index} differs: {where}\n  expected {one}\n  got      {other}"
    longer, word = (expected, "is missing") if len(expected) > len(got) else (got, "is one too many")
    extra = longer[min(len(expected), len(got))]
    return f"{len(expected)} actions were recorded and {len(got)} come out: {extra} {word}"


def _differing_field(one: object, other: object, path: str) -> str:
    """Return the path of the first field in which two trees of dataclasses differ."""
    if type(one) is not type(other):
        return f"{path}: {type(one).__name__} then, {type(other).__name__} now"
    if is_dataclass(one):
        for each in fields(one):
            if getattr(one, each.name) != getattr(other, each.name):
                return _differing_field(getattr(one, each.name), getattr(other, each.name), f"{path}.{each.name}")
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            if mine != theirs:
                return _differing_field(mine, theirs, f"{path}[{index}]")
    return f"{path}: {one!r} then, {other!r} now"
