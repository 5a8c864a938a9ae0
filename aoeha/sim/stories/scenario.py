"""Incidents as text: what must not happen, what happens to which pair, and the exact trace that comes of it.

    never Both gateways switch each other off.
    pair links=1 groups=storage:alpha,archive:beta
    boot alpha beta
    wait 20s
    cut serial1
    wait 30s
    ----
        0.000 >      boot alpha beta
    ...

`#` begins a comment. The commands are those of aoeha.sim.stories.commands; `aoeha simulate --rewrite` records the
trace, and a human reads it then.
"""

from dataclasses import dataclass
from pathlib import Path

from aoeha.sim.stories.commands import CommandError, do, milliseconds
from aoeha.sim.stories.faults import SAFETY_MS
from aoeha.sim.stories.settings import Settings
from aoeha.sim.stories.swarm import Story, liveness_bound_ms
from aoeha.sim.world.violation import Violation

__all__ = ["Performance", "Scenario", "ScenarioError", "parse", "perform", "read", "rewritten", "text_of"]

RULER = "----"


class ScenarioError(Exception):
    """A scenario cannot be read or played. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One incident. `head` is the text above the trace, as it was written."""

    name: str
    never: str
    settings: Settings
    commands: tuple[tuple[int, str], ...]
    head: str
    expected: tuple[str, ...]


def read(path: Path) -> Scenario:
    """Read a scenario file. Raises ScenarioError."""
    try:
        return parse(path.stem, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"cannot read {path}: {error.strerror}") from error


def parse(name: str, text: str) -> Scenario:
    """Understand a scenario. Raises ScenarioError."""
    head, _, trace = text.partition(f"{RULER}\n")
    never, settings, commands = "", Settings(), []
    for number, line in enumerate(head.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if content.startswith("never "):
            never = content.removeprefix("never ")
        elif content.startswith("pair"):
            try:
                settings = Settings.parse(content)
            except CommandError as error:
                raise ScenarioError(f"{name}:{number}: {error}") from error
        elif content:
            commands.append((number, content))
    if not never:
        raise ScenarioError(f'{name}: cannot use it: a line "never SENTENCE" must say what must not happen')
    return Scenario(name, never, settings, tuple(commands), head, tuple(trace.splitlines()))


class Performance:
    """A story on its way: its world, and how many of its commands are done. It may be copied at any time."""

    def __init__(self, story: Scenario) -> None:
        self.story = story
        self.done = 0
        self._ended = False
        self._settings = story.settings
        self._played: list[str] = []
        self._world = story.settings.world(traced=True)

    def begins(self, story: Scenario) -> bool:
        """Whether this is what another story begins with."""
        lines = [line for _, line in story.commands[: self.done]]
        return story.settings == self._settings and lines == self._played

    def play(self, until: int | None = None) -> None:
        """Carry out commands, the first `until` of them, else all. Raises ScenarioError."""
        for number, line in self.story.commands[self.done : until]:
            self.done += 1
            self._played.append(line)
            if not self._ended:
                self._do(number, line)

    def _do(self, number: int, line: str) -> None:
        try:
            verb, _, rest = line.partition(" ")
            if verb == "wait":
                self._world.run(milliseconds(rest))
            else:
                do(self._world, line)
        except CommandError as error:
            raise ScenarioError(f"{self.story.name}:{number}: {error}") from error
        except Violation as violation:
            self._broken(violation.invariant, str(violation))
        except AssertionError as error:
            self._broken("assertion", str(error))

    def _broken(self, invariant: str, sentence: str) -> None:
        self._world.trace.line("!", "BROKEN", invariant, sentence)
        self._ended = True

    def trace(self) -> list[str]:
        """Return what happened; when nothing broke, who serves what comes last."""
        if not self._ended:
            for group in self._world.resources:
                serving = [machine.name for machine in self._world.machines.values() if machine.serves(group)]
                self._world.trace.line("=", "served", group, f"by {' and '.join(serving) or 'nobody'}")
        return self._world.trace.lines


def perform(scenario: Scenario) -> list[str]:
    """Play a scenario; return its trace. A broken invariant is its last line. Raises ScenarioError."""
    performance = Performance(scenario)
    performance.play()
    return performance.trace()


def rewritten(scenario: Scenario) -> str:
    """Return the file's text with the trace that comes of it now. Raises ScenarioError."""
    return "\n".join((f"{scenario.head.rstrip()}\n{RULER}", *perform(scenario), ""))


def text_of(story: Story, never: str) -> str:
    """Return a story as a scenario file, with its trace."""
    lines, now_ms = [f"never {never}", story.settings.line()], 0
    for planned in story.plan:
        if planned.at_ms > now_ms:
            lines.append(f"wait {planned.at_ms - now_ms}ms")
            now_ms = planned.at_ms
        lines.append(planned.line)
    if story.heals:
        lines.extend((f"wait {SAFETY_MS - now_ms}ms", "restore", f"wait {liveness_bound_ms(story.settings)}ms"))
    else:
        lines.append("wait 20s")
    return rewritten(parse("story", "\n".join(lines)))
