"""Incidents: stories (aoeha.scenario) as the simulator plays them, and the exact trace that comes of each.

The promises are what is tested; the trace is there to be read. `aoeha simulate --rewrite` records it, and a human
reads it then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aoeha.scenario.grammar import RULER, ScenarioError, Statement, Text
from aoeha.scenario.grammar import parse as parse_text
from aoeha.scenario.grammar import read as read_text
from aoeha.scenario.statements import World as Knows
from aoeha.sim.stories.commands import CommandError, do
from aoeha.sim.stories.ending import liveness_bound_ms
from aoeha.sim.stories.plan import SAFETY_MS
from aoeha.sim.stories.promises import BrokenPromiseError, Promises
from aoeha.sim.stories.settings import Settings
from aoeha.sim.stories.swarm import UNHEALED_MS, Story, play
from aoeha.sim.world.violation import Violation

LOOK_EVERY_MS = 100
"""How exactly an expectation that is waited for is met."""

__all__ = ["Performance", "Scenario", "ScenarioError", "parse", "perform", "read", "rewritten", "text_of"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One incident. `head` is the text above the trace, as it was written."""

    name: str
    settings: Settings
    statements: tuple[Statement, ...]
    head: str
    expected: tuple[str, ...]


def read(path: Path) -> Scenario:
    """Read a scenario file. Raises ScenarioError."""
    return _scenario(read_text(path, Knows.SIMULATOR))


def parse(name: str, text: str) -> Scenario:
    """Understand a scenario. Raises ScenarioError."""
    return _scenario(parse_text(name, text, Knows.SIMULATOR))


def _scenario(text: Text) -> Scenario:
    settings = Settings()
    for line in text.head:
        if line.kind == "pair":
            try:
                settings = Settings.parse(line.source)
            except CommandError as error:
                raise ScenarioError(f"{text.name}:{line.line}: {error}") from error
    if not any(statement.is_promise for statement in text.play):
        raise ScenarioError(f"{text.name}: cannot use it: it promises nothing; add a line `expect` or `never`")
    return Scenario(text.name, settings, text.play, text.written, text.trace)


class Performance:
    """A story on its way: its world, and how many of its statements are done. It may be copied at any time."""

    def __init__(self, story: Scenario, *, worded: bool = False) -> None:
        self.story = story
        self.done = 0
        self._ended = False
        self._settings = story.settings
        self._played: list[str] = []
        self.world = story.settings.world(traced=True)
        self.world.trace.worded = worded
        self._promises = Promises(self.world)

    def begins(self, story: Scenario) -> bool:
        """Whether this is what another story begins with."""
        lines = [statement.source for statement in story.statements[: self.done]]
        return story.settings == self._settings and lines == self._played

    def play(self, until: int | None = None) -> None:
        """Carry out statements, the first `until` of them, else all. Raises ScenarioError."""
        for statement in self.story.statements[self.done : until]:
            self.done += 1
            self._played.append(statement.source)
            self._guarded(partial(self._do, statement), statement.line)

    def _guarded(self, act: Callable[[], None], line: int) -> None:
        """Do something unless the story has ended; what breaks the pair or a promise ends it, in its trace."""
        if self._ended:
            return
        try:
            act()
        except CommandError as error:
            raise ScenarioError(f"{self.story.name}:{line}: {error}") from error
        except Violation as violation:
            self._broken(violation.invariant, str(violation))
        except BrokenPromiseError as broken:
            self._broken("promise", str(broken))
        except AssertionError as error:
            self._broken("assertion", str(error))

    def _do(self, statement: Statement) -> None:
        match statement.kind:
            case "wait":
                self._run(statement.time_ms)
            case "mark":
                self._promises.mark()
            case kind if kind.startswith("never "):
                self._promises.begin(statement)
            case kind if kind.startswith("expect "):
                self._promises.expect(statement, self._run)
            case _:
                do(self.world, statement.source)
                self._promises.look()

    def _run(self, ms: int, until: Callable[[], bool] | None = None) -> None:
        """Let time pass, no longer than until something is so."""
        world = self.world
        end_ms = world.timeline.now_ms + ms

        def afterwards() -> None:
            world.look()
            self._promises.look()

        if until is None:
            world.timeline.run_until(end_ms, afterwards)
        while until is not None and world.timeline.now_ms < end_ms and not until():
            world.timeline.run_until(min(end_ms, world.timeline.now_ms + LOOK_EVERY_MS), afterwards)

    def _broken(self, invariant: str, sentence: str) -> None:
        self.world.trace.line("!", "BROKEN", invariant, sentence)
        self._ended = True

    def trace(self) -> list[str]:
        """Return what happened; when nothing broke, who serves what comes last."""
        self._guarded(self._promises.end, 0)
        if not self._ended:
            for group in self.world.resources:
                serving = [machine.name for machine in self.world.machines.values() if machine.serves(group)]
                self.world.trace.line("=", "served", group, f"by {' and '.join(serving) or 'nobody'}")
        return self.world.trace.lines


def perform(scenario: Scenario, *, worded: bool = False) -> list[str]:
    """Play a scenario; return its trace. A broken invariant or promise is its last line. Raises ScenarioError."""
    performance = Performance(scenario, worded=worded)
    performance.play()
    return performance.trace()


def rewritten(scenario: Scenario, *, worded: bool = False) -> str:
    """Return the file's text with the trace that comes of it now. Raises ScenarioError."""
    return "\n".join((f"{scenario.head.rstrip()}\n{RULER}", *perform(scenario, worded=worded), ""))


def text_of(story: Story, never: str, *, worded: bool = False) -> str:
    """Return a story as a scenario file, with its trace. `never` says what must not happen."""
    lines, now_ms = [f"# Never: {never}", story.settings.line()], 0
    lines += [f"never both serve {group}" for group in story.settings.group_names()]
    ending = play(story).ending if story.heals else ()
    for planned in (*story.plan, *ending):
        if planned.at_ms > now_ms:
            lines.append(f"wait {planned.at_ms - now_ms}ms")
            now_ms = planned.at_ms
        lines.append(planned.line)
    end_ms = SAFETY_MS + liveness_bound_ms(story.settings) if story.heals else now_ms + UNHEALED_MS
    lines.append(f"wait {end_ms - now_ms}ms")
    return rewritten(parse("story", "\n".join(lines)), worded=worded)
