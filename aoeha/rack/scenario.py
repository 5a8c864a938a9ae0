"""Drills as text: one statement a line, read into plain data. `#` begins a comment.

about SENTENCE                    what the drill shows
timing KEY VALUE                  overrides [timing] of aoeha.toml, e.g. `timing deadtime 2s`
policy storage|power              overrides fence_policy of aoeha.toml
watchdog TIME                     each gateway needs its softdog, with this time-out; without this line none is used
owners NODE, NODE by PROOF, ...   who must have owned the group, in order, and why each took over
untouched                         after the first mark no resource may be started or stopped
boot GUEST...                     switch guests on and wait for them
storage                           make the storage, once, as an operator would
daemon NODE...                    start aoeha there; it also starts after each later boot
client                            mount the service, write records, ping the address
mark NAME                         outages are measured from here to the next mark
power off NODE | power on NODE    the plug itself, not the gateways' power switch
cut serial|ether, heal serial|ether
garble serial for TIME            random bytes into both ends of the cable
break power-switch
slow power-switch by TIME         everything it does takes so long
kill NODE                         kill -9 the daemon; it is started again 100 ms later
freeze NODE                       SIGSTOP to the daemon; its kernel and its resources go on
command NODE: WORDS               aoeha WORDS on that gateway; must end with exit code 0
wait TIME                         let time pass
expect NODE runs within TIME      the group runs there
expect NODE ready within TIME     it says: all links are up, and the other could take over
expect NODE says "TEXT" within TIME    somewhere in its status
expect NODE reboots within TIME   its kernel has begun anew by itself since the last mark
expect writes within TIME         a record begun from now on is acknowledged, and the address answers
expect mirror whole within TIME   both legs in sync
expect quiet for TIME             nothing is started or stopped on either gateway
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Ownership", "Scenario", "ScenarioError", "Statement", "milliseconds", "parse", "read"]

GUESTS = {"alpha", "beta", "shelf1", "shelf2", "client"}
NODE = "(?P<node>alpha|beta)"
TIME = r"(?P<time>\d+(?:ms|s|m))"
STATEMENTS = {
    "boot": r"boot (?P<guests>[a-z0-9 ]+)",
    "storage": "storage",
    "daemon": r"daemon (?P<guests>[a-z ]+)",
    "client": "client",
    "mark": r"mark (?P<text>[a-z0-9-]+)",
    "power": rf"power (?P<text>off|on) {NODE}",
    "cut": "cut (?P<text>serial|ether)",
    "heal": "heal (?P<text>serial|ether)",
    "garble": f"garble serial for {TIME}",
    "break": "break power-switch",
    "slow": f"slow power-switch by {TIME}",
    "kill": f"kill {NODE}",
    "freeze": f"freeze {NODE}",
    "command": f"command {NODE}: (?P<text>.+)",
    "wait": f"wait {TIME}",
    "expect runs": f"expect {NODE} runs within {TIME}",
    "expect ready": f"expect {NODE} ready within {TIME}",
    "expect says": f'expect {NODE} says "(?P<text>[^"]+)" within {TIME}',
    "expect reboots": f"expect {NODE} reboots within {TIME}",
    "expect writes": f"expect writes within {TIME}",
    "expect mirror": f"expect mirror whole within {TIME}",
    "expect quiet": f"expect quiet for {TIME}",
}
UNITS = {"ms": 1, "s": 1_000, "m": 60_000}


class ScenarioError(Exception):
    """A scenario cannot be read: file, line and what was expected."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One line: its kind (a key of STATEMENTS), the words that it was given, and the line itself."""

    line: int
    kind: str
    text: str = ""
    node: str = ""
    guests: tuple[str, ...] = ()
    time_ms: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Ownership:
    """One turn of owning the group. `proof` is empty where any will do."""

    node: str
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole drill."""

    name: str
    about: str
    timings: dict[str, str] = field(default_factory=dict)
    watchdog: str = ""
    owners: tuple[Ownership, ...] = ()
    untouched: bool = False
    statements: tuple[Statement, ...] = ()


def milliseconds(text: str) -> int:
    """Read "200ms", "2s", "10m"."""
    found = re.fullmatch(r"(\d+)(ms|s|m)", text)
    if found is None:
        raise ValueError(f'"{text}" is no time')
    return int(found[1]) * UNITS[found[2]]


def read(path: Path) -> Scenario:
    """Read a scenario file; its name is the drill's."""
    try:
        return parse(path.stem, path.read_text())
    except OSError as error:
        raise ScenarioError(f"cannot read {path}: {error.strerror}") from error


def parse(name: str, text: str) -> Scenario:
    """Read a scenario's text; raises ScenarioError for the first line that is none."""
    about, watchdog, untouched = "", "", False
    timings: dict[str, str] = {}
    owners: tuple[Ownership, ...] = ()
    statements: list[Statement] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = " ".join(raw.partition("#")[0].split())
        keyword, _, rest = line.partition(" ")
        match keyword:
            case "":
                continue
            case "about":
                about = f"{about} {rest}".strip()
            case "timing":
                key, _, value = rest.partition(" ")
                timings[key] = value
            case "policy":
                timings["fence_policy"] = rest
            case "watchdog":
                watchdog = rest
            case "owners":
                owners = tuple(_ownership(part.strip()) for part in rest.split(","))
            case "untouched":
                untouched = True
            case _:
                statements.append(_statement(name, number, line))
    return Scenario(name, about, timings, watchdog, owners, untouched, tuple(statements))


def _ownership(text: str) -> Ownership:
    node, _, proof = text.partition(" by ")
    return Ownership(node, proof)


def _statement(name: str, number: int, line: str) -> Statement:
    for kind, pattern in STATEMENTS.items():
        found = re.fullmatch(pattern, line)
        if found is None:
            continue
        words = found.groupdict()
        guests = tuple((words.get("guests") or "").split())
        if strangers := set(guests) - GUESTS:
            raise ScenarioError(f"{name}, line {number}: there is no guest {', '.join(sorted(strangers))}")
        time_ms = milliseconds(words["time"]) if words.get("time") else 0
        return Statement(number, kind, words.get("text") or "", words.get("node") or "", guests, time_ms, line)
    raise ScenarioError(
        f'{name}, line {number}: cannot understand "{line}"; see aoeha/rack/scenario.py for what can be said'
    )
