"""Drills: stories (aoeha.scenario) as the rack plays them, with what is judged from their evidence."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from aoeha.scenario.grammar import ScenarioError, Statement, Text, milliseconds
from aoeha.scenario.grammar import parse as parse_text
from aoeha.scenario.grammar import read as read_text
from aoeha.scenario.statements import World

__all__ = ["LINKS", "Ownership", "Scenario", "ScenarioError", "Statement", "milliseconds", "parse", "read"]

MACHINES = frozenset({"alpha", "beta", "shelf1", "shelf2", "client", "bystander"})
LINKS = ("serial1", "ether1")
SERVED_MS = 90_000
"""How long the rack may take from its first boot to its first service."""
TIMINGS = ("keepalive", "warntime", "deadtime", "initdead")
ANY_PAIR = ("resources", "seed", "boot", "groups", "links", "serial")
"""Settings of a simulated pair whose values the rack has of its own."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """One turn of owning the group. `proof` is empty where any will do."""

    node: str
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole drill. `owners` are the histories that it may have; None where a number or a time does not matter.

    `foreign` is a shelf, and for how many milliseconds after a restart it may take a fenced gateway's writes.
    """

    name: str
    about: str
    timings: dict[str, str] = field(default_factory=dict)
    watchdog: str = ""
    owners: tuple[tuple[Ownership, ...], ...] = ()
    untouched: bool = False
    alarms: tuple[str, ...] = ()
    durable: bool = False
    dual_homed: bool = False
    reference_host: bool = False
    alone: bool = False
    foreign: tuple[str, int] | None = None
    power_offs: int | None = None
    outage_max_ms: int | None = None
    statements: tuple[Statement, ...] = ()
    outage_limits_ms: tuple[tuple[str, int], ...] = ()


def read(path: Path) -> Scenario:
    """Read a drill; its name is the file's. Raises ScenarioError."""
    return _drill(path.stem, read_text(path, World.RACK))


def parse(name: str, text: str) -> Scenario:
    """Understand a drill's text; raises ScenarioError for the first line that is none."""
    return _drill(name, parse_text(name, text, World.RACK))


def _drill(name: str, text: Text) -> Scenario:
    about: list[str] = []
    drill = Scenario(name, "")
    for line in text.head:
        match line.kind:
            case "about":
                about.append(line.text)
            case "pair":
                drill = _as_the_pair_is(drill, text.name, line)
            case "timing":
                drill = replace(drill, timings={**drill.timings, line.node: line.text})
            case "deadsecs":
                drill = replace(drill, timings={**drill.timings, "deadsecs": line.text})
            case "policy":
                drill = replace(drill, timings={**drill.timings, "fence_policy": line.text})
            case "watchdog":
                drill = replace(drill, watchdog=line.text)
            case "owners":
                turns = tuple(_ownership(part.strip()) for part in line.text.split(","))
                drill = replace(drill, owners=(*drill.owners, turns))
            case "foreign":
                drill = replace(drill, foreign=(line.node, line.time_ms))
            case "power-offs":
                drill = replace(drill, power_offs=int(line.text))
            case "outage after":
                limits = tuple((mark, line.time_ms) for mark in line.text.split())
                drill = replace(drill, outage_limits_ms=(*drill.outage_limits_ms, *limits))
            case "outage":
                drill = replace(drill, outage_max_ms=line.time_ms)
            case "untouched":
                drill = replace(drill, untouched=True)
            case "alarms":
                drill = replace(drill, alarms=(*drill.alarms, *line.text.split()))
            case "durable":
                drill = replace(drill, durable=True)
            case "reference-host":
                drill = replace(drill, reference_host=True)
            case "dual-homed":
                drill = replace(drill, dual_homed=True)
            case "alone":
                drill = replace(drill, alone=True)
    for statement in text.play:
        _verify(text.name, statement)
    return replace(drill, about=" ".join(about), statements=_whole_play(text.play))


def _ownership(text: str) -> Ownership:
    node, _, proof = text.partition(" by ")
    return Ownership(node, proof)


def _as_the_pair_is(drill: Scenario, name: str, line: Statement) -> Scenario:
    """Take a simulated pair's settings over as far as the rack has them."""
    chosen = dict(word.partition("=")[::2] for word in line.text.split())
    timings = {key: chosen.pop(key) for key in TIMINGS if key in chosen}
    by_shelves = chosen.pop("reserve", "0") == "1" and chosen.pop("suffices", "1") == "1"
    timings["fence_policy"] = "storage" if by_shelves else "power"
    durable, paths = chosen.pop("durable", "1"), chosen.pop("paths", "1")
    foreign = [key for key in chosen if key not in ANY_PAIR]
    if foreign or paths not in ("1", "2") or chosen.get("groups", "storage").partition(":")[0] != "storage":
        what = foreign[0] if foreign else "groups or paths like these"
        raise ScenarioError(f'{name}:{line.line}: cannot use "{line.source}": the rack has no {what}')
    return replace(drill, timings={**drill.timings, **timings}, durable=durable == "1", dual_homed=paths == "2")


def _verify(name: str, statement: Statement) -> None:
    """Refuse what the grammar allows and this rack does not have. Raises ScenarioError."""
    place = f'{name}:{statement.line}: cannot use "{statement.source}"'
    strangers = set(statement.guests) - MACHINES
    if statement.node and statement.node not in (*MACHINES, "somebody", "nobody"):
        strangers.add(statement.node)
    if strangers:
        raise ScenarioError(f"{place}: the rack has no {', '.join(sorted(strangers))}")
    match statement.kind:
        case "cut" | "heal" if statement.node or (statement.text and statement.text not in LINKS):
            raise ScenarioError(f"{place}: the rack cuts {' or '.join(LINKS)}, both ways")
        case "freeze" if not statement.time_ms:
            raise ScenarioError(f"{place}: the rack needs a time")
        case "pause" if statement.time_ms:
            raise ScenarioError(f"{place}: the rack pauses a daemon for good")
        case "device" if (statement.text, statement.sentence) != ("switch", "dead"):
            raise ScenarioError(f"{place}: the rack knows `device switch dead`")
        case "shelf" if statement.text != "restarts":
            raise ScenarioError(f"{place}: the rack knows `shelf NAME restarts`")
        case "ask" if "=" in statement.text:
            raise ScenarioError(f"{place}: the rack knows verbs without arguments; write `command`")
        case kind if statement.group not in ("", "storage"):
            raise ScenarioError(f"{place}: the rack has one group, storage ({kind})")


def _whole_play(play: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """Make the storage and a client at the first boot, if the story leaves that to its world."""
    first = next((number for number, each in enumerate(play) if each.kind == "boot"), None)
    if first is None or any(each.kind == "storage" for each in play):
        return play
    boot = play[first]

    def also(kind: str, *guests: str, node: str = "", group: str = "", text: str = "") -> Statement:
        time_ms = SERVED_MS if kind.startswith("expect") else 0
        source = " ".join(word for word in (kind, *guests, group, node, text) if word)
        return Statement(boot.line, kind, text, node, guests, time_ms, source, group=group)

    begun = (
        also("boot", "shelf1", "shelf2", *boot.guests, "client"),
        also("storage"),
        also("daemon", *boot.guests),
        also("expect served", node="somebody", group="storage"),
        also("client"),
        also("expect writes"),
        also("mark", text="begun"),
    )
    return (*play[:first], *begun, *play[first + 1 :])
