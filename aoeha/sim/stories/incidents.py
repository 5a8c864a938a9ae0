"""All incidents at once: in several processes, and what several begin with is played once.

Most incidents begin alike: the same pair boots, and twenty seconds pass. A world can be copied (3 ms) where playing
twenty seconds takes 100 ms and more. So stories are sorted by their lines, and each continues the world of the one
before it from the point where they differ. A copy continues exactly as its original does: all its chance is in it.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from aoeha.sim.stories.scenario import Performance, Scenario, ScenarioError, read

__all__ = ["Finding", "findings", "perform_all"]

CHUNK = 12
"""Stories that a process takes at once: enough to share beginnings, few enough that no process ends long before."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one incident: `fault` says what is wrong, empty for nothing."""

    path: Path
    fault: str = ""


def findings(paths: Iterable[Path], jobs: int) -> Iterator[Finding]:
    """Play incidents and yield the result of each as it finishes; incidents that cannot be read come first."""
    stories: list[tuple[Path, Scenario]] = []
    for path in paths:
        try:
            stories.append((path, read(path)))
        except ScenarioError as error:
            yield Finding(path, str(error))
    stories.sort(key=lambda each: _lines(each[1]))
    chunks = [stories[first : first + CHUNK] for first in range(0, len(stories), CHUNK)]
    if jobs <= 1:
        for chunk in chunks:
            yield from _judge(chunk)
        return
    with get_context("fork").Pool(jobs) as pool:
        for found in pool.imap_unordered(_judge, chunks):
            yield from found


def perform_all(stories: list[Scenario]) -> Iterator[list[str]]:
    """Yield the trace of each story, in order. Neighbours share what they begin with. Raises ScenarioError."""
    kept: list[Performance] = []
    """Performances of beginnings, each longer than the one before it."""
    for number, story in enumerate(stories):
        later = stories[number + 1] if number + 1 < len(stories) else None
        shared = _shared(story, later) if later is not None else 0
        while kept and not kept[-1].begins(story):
            kept.pop()
        performance = copy.deepcopy(kept[-1]) if kept else Performance(story)
        performance.story = story
        if shared > performance.done:
            performance.play(shared)
            kept.append(copy.deepcopy(performance))
        performance.play()
        yield performance.trace()


def _judge(chunk: list[tuple[Path, Scenario]]) -> list[Finding]:
    traces = perform_all([story for _, story in chunk])
    return [Finding(path, _fault(story, trace)) for (path, story), trace in zip(chunk, traces, strict=True)]


def _fault(story: Scenario, trace: list[str]) -> str:
    """Say what is wrong with a trace: what it breaks, else the first line that is another one than was recorded."""
    broken = [line for line in trace if " BROKEN " in line]
    if broken:
        return broken[0].strip()
    for number, (now, then) in enumerate(zip(trace, story.expected, strict=False), start=1):
        if now != then:
            return f"line {number} of the trace is now: {now.strip()}"
    if len(trace) != len(story.expected):
        return f"the trace has {len(trace)} lines, and {len(story.expected)} were recorded"
    return ""


def _lines(story: Scenario) -> tuple[str, ...]:
    return (story.settings.line(), *(each.source for each in story.statements))


def _shared(story: Scenario, other: Scenario) -> int:
    """Return how many statements both begin with."""
    if story.settings != other.settings:
        return 0
    count = 0
    for mine, theirs in zip(story.statements, other.statements, strict=False):
        if mine.source != theirs.source:
            break
        count += 1
    return count
