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

__all__ = ["Scenario", "ScenarioError", "parse", "perform", "read", "rewritten", "text_of"]

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


def perform(scenario: Scenario) -> list[str]:
    """Play a scenario; return its trace. A broken invariant is its last line. Raises ScenarioError."""
    world = scenario.settings.world(traced=True)
    for number, line in scenario.commands:
        try:
            verb, _, rest = line.partition(" ")
            if verb == "wait":
                world.run(milliseconds(rest))
            else:
                do(world, line)
        except CommandError as error:
            raise ScenarioError(f"{scenario.name}:{number}: {error}") from error
        except Violation as violation:
            world.trace.line("!", "BROKEN", violation.invariant, str(violation))
            return world.trace.lines
        except AssertionError as error:
            world.trace.line("!", "BROKEN", "assertion", str(error))
            return world.trace.lines
    for group in world.resources:
        serving = [machine.name for machine in world.machines.values() if machine.serves(group)]
        world.trace.line("=", "served", group, f"by {' and '.join(serving) or 'nobody'}")
    return world.trace.lines


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
