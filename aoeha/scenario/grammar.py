"""Stories as text: one statement a line, read into plain data for one of the worlds. `#` begins a comment.

    # Never: both gateways switch each other off.
    pair links=1 groups=storage:alpha,archive:beta
    boot alpha beta
    wait 20s
    never both serve storage
    cut serial1
    expect served storage by alpha within 30s
    ----
        0.000 >      boot alpha beta
    ...

What can be said is in aoeha.scenario.statements. Below the ruler stands what the simulator recorded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aoeha.scenario.statements import STATEMENTS, World

__all__ = ["RULER", "ScenarioError", "Statement", "Text", "milliseconds", "parse", "read"]

RULER = "----"
UNITS = {"ms": 1, "s": 1_000, "m": 60_000}
PATTERNS = tuple((form, form.pattern()) for form in STATEMENTS)


class ScenarioError(Exception):
    """A story cannot be read or played. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One line: its kind, the words that it was given, and the line itself. What a form does not name is empty."""

    line: int
    kind: str
    text: str = ""
    node: str = ""
    guests: tuple[str, ...] = ()
    time_ms: int = 0
    source: str = ""
    sentence: str = ""
    group: str = ""
    code: str = ""

    @property
    def is_promise(self) -> bool:
        """Whether this is checked, and does nothing."""
        return self.kind.startswith(("expect ", "never "))


@dataclass(frozen=True, slots=True)
class Text:
    """A story as it was written: what stands above the play, the play, its whole text, and the trace below."""

    name: str
    head: tuple[Statement, ...]
    play: tuple[Statement, ...]
    written: str
    trace: tuple[str, ...]


def milliseconds(text: str) -> int:
    """Read a duration like 200ms, 1.5s or 10m. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m)", text)
    if found is None:
        raise ValueError(f'cannot read the time "{text}": write it like 200ms, 1.5s or 10m')
    return round(float(found[1]) * UNITS[found[2]])


def read(path: Path, world: World) -> Text:
    """Read a file. Raises ScenarioError."""
    try:
        return parse(path.name, path.read_text(encoding="utf-8"), world)
    except OSError as error:
        raise ScenarioError(f"cannot read {path}: {error.strerror}") from error


def parse(name: str, text: str, world: World) -> Text:
    """Understand a story, with what it repeats written out. Raises ScenarioError for the first line that is none."""
    written, _, trace = text.partition(f"{RULER}\n")
    statements = list(_statements(name, written, world))
    heads = {form.kind for form in STATEMENTS if form.is_head}
    head = tuple(each for each in statements if each.kind in heads)
    play = _repeated(name, [each for each in statements if each.kind not in heads])
    return Text(name, head, play, written, tuple(trace.splitlines()))


def _statements(name: str, text: str, world: World) -> Iterator[Statement]:
    for number, raw in enumerate(text.splitlines(), start=1):
        line = " ".join(raw.partition("#")[0].split())
        if line:
            yield _statement(name, number, line, world)


def _statement(name: str, number: int, line: str, world: World) -> Statement:
    place = f'{name}:{number}: cannot use "{line}"'
    fitting = [(form, found) for form, pattern in PATTERNS if (found := pattern.fullmatch(line))]
    known = next(((form, found) for form, found in fitting if world in form.worlds), None)
    if known is None:
        worlds = fitting[0][0].worlds if fitting else frozenset()
        raise ScenarioError(f"{place}: {_why(line, worlds, world)}")
    form, found = known
    words = {key: value or "" for key, value in found.groupdict().items()}
    return Statement(
        number,
        form.kind,
        words.get("text", "").strip('"') if form.kind.startswith("expect") else words.get("text", ""),
        words.get("node", ""),
        tuple(words.get("guests", "").split()),
        milliseconds(words["time"]) if words.get("time") else 0,
        line,
        words.get("sentence", "").strip('"'),
        words.get("group", ""),
        words.get("code", ""),
    )


def _why(line: str, worlds: frozenset[World], world: World) -> str:
    """Say who knows a line that this world does not know, or how its like are written."""
    if worlds:
        return f"only the {' and the '.join(sorted(str(each) for each in worlds))} knows it, not the {world}"
    verb = line.split(maxsplit=1)[0]
    usages = [form.usage for form in STATEMENTS if form.usage.split()[0] == verb and world in form.worlds]
    if usages:
        return f"write {' or '.join(re.sub(r'[a-z]+:(?=[A-Z]|[a-z0-9]+[|])', '', usage) for usage in usages)}"
    return f'there is no statement "{verb}" (see aoeha/scenario/statements.py)'


def _repeated(name: str, statements: list[Statement]) -> tuple[Statement, ...]:
    """Write out what stands between `repeat` and `end`."""
    play: list[Statement] = []
    loop: tuple[int, int, int] | None = None
    for each in statements:
        if each.kind == "repeat":
            loop = (len(play), int(each.text), each.line)
        elif each.kind == "end" and loop is not None:
            begin, times, _ = loop
            play[begin:] = play[begin:] * times
            loop = None
        elif each.kind == "end":
            raise ScenarioError(f'{name}:{each.line}: cannot use "end": no "repeat" stands above it')
        else:
            play.append(each)
    if loop is not None:
        raise ScenarioError(f'{name}:{loop[2]}: this "repeat" has no "end"')
    return tuple(play)
