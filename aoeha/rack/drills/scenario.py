"""Drills as text: one statement a line, read into plain data. `#` begins a comment.

about SENTENCE                    what the drill shows
timing KEY VALUE                  overrides [timing] of aoeha.toml, e.g. `timing deadtime 2s`
deadsecs NUMBER                   overrides deadsecs of the aoe resource
dual-homed                        each shelf exports its disk on a second switch too, san2; gateways have a card there
foreign SHELF for TIME            a fenced gateway's writes may land there so long after its target announced itself; by
                                  then it must be reserved for the new owner again; elsewhere and later none may land
durable                           the targets are declared to keep what they acknowledged (they do: vblade -s)
policy storage|power              overrides fence_policy of aoeha.toml
watchdog TIME                     each gateway needs its softdog, with this time-out; without this line none is used
owners NODE, NODE by PROOF, ...   who must have owned the group, in order, and why each took over; of several lines, one
untouched                         after the first mark no resource may be started or stopped, nor power switched off
                                  unless `power-offs` says how often
power-offs NUMBER                 how often the gateways' power switch must have switched something off
outage at most TIME               the longest pause that the client may see after any mark
outage at most TIME after NAME... the longest that it may see after these marks, up to the next one
alone                             wants the machine for itself: its verdict is about milliseconds
boot GUEST...                     switch guests on and wait for them
storage                           make the storage, once, as an operator would
daemon NODE...                    start aoeha there; it also starts after each later boot
client                            mount the service, write records, ping the address
mark NAME                         outages are measured from here to the next mark
power off|on GUEST...             the plugs themselves, not the gateways' power switch, all in one instant
pause NODE for TIME               its whole machine stands still from now on, as a paused virtual machine
cut serial|ether, heal serial|ether
cut san GUEST..., heal san GUEST...    the storage network's cables of gateways or shelves; san2: to the second switch
split san, join san               the storage network falls apart: alpha with shelf1, beta with shelf2
garble serial for TIME            random bytes into both ends of the cable
plug NODE feeds GUEST             the power switch's plug of that name feeds the node itself, another machine
                                  (bystander is one that has no part in anything), or nothing
break power-switch
slow power-switch by TIME         everything it does takes so long
kill NODE                         kill -9 the daemon; it is started again 100 ms later
freeze NODE                       SIGSTOP to the daemon; its kernel and its resources go on
crash NODE                        kill -9 the daemon; it is not started again before the next boot
restart targets of SHELF          kill -9 what exports its disk; 100 ms later it is back, and no reservation with it
command NODE: WORDS               aoeha WORDS on that gateway; must end with exit code 0
refused NODE "TEXT": WORDS        aoeha WORDS there; must end with another exit code and complain with that text
fatal NODE: WORDS                 aoeha WORDS there; that gateway must lose its power before they end
operator NODE: WORDS              a program that somebody runs there; must end with exit code 0
wait TIME                         let time pass
repeat NUMBER ... end             play the lines between so often
expect NODE runs within TIME      the group runs there; `expect somebody runs`: on either gateway
expect NODE ready within TIME     it says: all links are up, and the other could take over
expect NODE holds within TIME     every shelf says that its leg is reserved for this gateway alone
expect NODE lives on within TIME  its kernel of the last mark runs: nobody took its power since
expect NODE boots within TIME     a kernel of it has come up since the last mark, switched on or by itself; NODE may be
                                  the bystander here, and in the line above
expect NODE says "TEXT" within TIME    somewhere in its status
expect NODE logs "TEXT" within TIME    in a line of its daemon's since the last mark
expect NODE reboots within TIME   its kernel has begun anew by itself since the last mark
expect writes within TIME         a record begun from now on is acknowledged, and the address answers
expect mirror whole within TIME   both legs in sync
expect mirror degraded within TIME     one leg has left it
expect quiet for TIME             nothing is started or stopped on either gateway
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Ownership", "Scenario", "ScenarioError", "Statement", "milliseconds", "parse", "read"]

GUESTS = {"alpha", "beta", "shelf1", "shelf2", "client", "bystander"}
NODE = "(?P<node>alpha|beta)"
MACHINE = "(?P<node>alpha|beta|bystander)"
TIME = r"(?P<time>\d+(?:ms|s|m))"
STATEMENTS = {
    "boot": r"boot (?P<guests>[a-z0-9 ]+)",
    "storage": "storage",
    "daemon": r"daemon (?P<guests>[a-z ]+)",
    "client": "client",
    "mark": r"mark (?P<text>[a-z0-9-]+)",
    "power": r"power (?P<text>off|on) (?P<guests>[a-z0-9 ]+)",
    "pause": f"pause {NODE} for {TIME}",
    "cut": "cut (?P<text>serial|ether)",
    "heal": "heal (?P<text>serial|ether)",
    "cut san": "cut (?P<text>san2?) (?P<guests>[a-z0-9 ]+)",
    "heal san": "heal (?P<text>san2?) (?P<guests>[a-z0-9 ]+)",
    "split": "split san",
    "join": "join san",
    "garble": f"garble serial for {TIME}",
    "plug": f"plug {NODE} feeds (?P<text>alpha|beta|bystander|nothing)",
    "break": "break power-switch",
    "slow": f"slow power-switch by {TIME}",
    "kill": f"kill {NODE}",
    "freeze": f"freeze {NODE}",
    "crash": f"crash {NODE}",
    "restart": "restart targets of (?P<guests>shelf1|shelf2)",
    "command": f"command {NODE}: (?P<text>.+)",
    "refused": f'refused {NODE} "(?P<sentence>[^"]+)": (?P<text>.+)',
    "fatal": f"fatal {NODE}: (?P<text>.+)",
    "operator": f"operator {NODE}: (?P<text>.+)",
    "wait": f"wait {TIME}",
    "expect runs": f"expect {NODE} runs within {TIME}",
    "expect somebody": f"expect somebody runs within {TIME}",
    "expect ready": f"expect {NODE} ready within {TIME}",
    "expect holds": f"expect {NODE} holds within {TIME}",
    "expect lives": f"expect {MACHINE} lives on within {TIME}",
    "expect boots": f"expect {MACHINE} boots within {TIME}",
    "expect says": f'expect {NODE} says "(?P<text>[^"]+)" within {TIME}',
    "expect logs": f'expect {NODE} logs "(?P<text>[^"]+)" within {TIME}',
    "expect reboots": f"expect {NODE} reboots within {TIME}",
    "expect writes": f"expect writes within {TIME}",
    "expect mirror": f"expect mirror (?P<text>whole|degraded) within {TIME}",
    "expect quiet": f"expect quiet for {TIME}",
}
UNITS = {"ms": 1, "s": 1_000, "m": 60_000}


class ScenarioError(Exception):
    """A scenario cannot be read: file, line and what was expected."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One line: its kind (a key of STATEMENTS), the words that it was given, and the line itself.

    `sentence` is what a refused command must say.
    """

    line: int
    kind: str
    text: str = ""
    node: str = ""
    guests: tuple[str, ...] = ()
    time_ms: int = 0
    source: str = ""
    sentence: str = ""


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
    durable: bool = False
    dual_homed: bool = False
    alone: bool = False
    foreign: tuple[str, int] | None = None
    power_offs: int | None = None
    outage_max_ms: int | None = None
    statements: tuple[Statement, ...] = ()
    outage_limits_ms: tuple[tuple[str, int], ...] = ()


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
    about, watchdog, untouched, durable, dual_homed, alone = "", "", False, False, False, False
    foreign: tuple[str, int] | None = None
    power_offs: int | None = None
    outage_max_ms: int | None = None
    outage_limits_ms: list[tuple[str, int]] = []
    timings: dict[str, str] = {}
    owners: list[tuple[Ownership, ...]] = []
    statements: list[Statement] = []
    loop: tuple[int, int] | None = None
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
            case "deadsecs":
                timings["deadsecs"] = _rest(name, number, line, r"deadsecs (\d+)")
            case "dual-homed":
                dual_homed = True
            case "alone":
                alone = True
            case "foreign":
                foreign = _foreign(name, number, line)
            case "durable":
                durable = True
            case "policy":
                timings["fence_policy"] = rest
            case "watchdog":
                watchdog = rest
            case "owners":
                owners.append(tuple(_ownership(part.strip()) for part in rest.split(",")))
            case "untouched":
                untouched = True
            case "power-offs":
                power_offs = int(_rest(name, number, line, r"power-offs (\d+)"))
            case "outage" if " after " in line:
                limit, _, marks = _rest(
                    name, number, line, r"outage at most (\d+(?:ms|s|m) after [a-z0-9 -]+)"
                ).partition(" after ")
                outage_limits_ms += [(mark, milliseconds(limit)) for mark in marks.split()]
            case "outage":
                outage_max_ms = milliseconds(_rest(name, number, line, r"outage at most (\d+(?:ms|s|m))"))
            case "repeat":
                loop = (len(statements), int(_rest(name, number, line, r"repeat (\d+)")))
            case "end" if loop is not None:
                begin, times = loop
                statements[begin:] = statements[begin:] * times
                loop = None
            case _:
                statements.append(_statement(name, number, line))
    if loop is not None:
        raise ScenarioError(f'{name}: "repeat" has no "end"')
    return Scenario(
        name,
        about,
        timings,
        watchdog,
        tuple(owners),
        untouched,
        durable,
        dual_homed,
        alone,
        foreign,
        power_offs,
        outage_max_ms,
        tuple(statements),
        tuple(outage_limits_ms),
    )


def _foreign(name: str, number: int, line: str) -> tuple[str, int]:
    found = re.fullmatch(r"foreign (shelf1|shelf2) for (\d+(?:ms|s|m))", line)
    if found is None:
        raise _not_understood(name, number, line)
    return found[1], milliseconds(found[2])


def _ownership(text: str) -> Ownership:
    node, _, proof = text.partition(" by ")
    return Ownership(node, proof)


def _rest(name: str, number: int, line: str, pattern: str) -> str:
    found = re.fullmatch(pattern, line)
    if found is None:
        raise _not_understood(name, number, line)
    return found[1]


def _not_understood(name: str, number: int, line: str) -> ScenarioError:
    return ScenarioError(
        f'{name}, line {number}: cannot understand "{line}"; see aoeha/rack/drills/scenario.py for what can be said'
    )


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
        text, node, sentence = (words.get(name) or "" for name in ("text", "node", "sentence"))
        return Statement(number, kind, text, node, guests, time_ms, line, sentence)
    raise _not_understood(name, number, line)
