"""Tries mutants, each in a process of its own, some side by side.

What this file does not know: what the mutants are.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from judging import SCENARIOS, Finding, Search, search
from mutant import ROOT, Mutant
from planting import plant, watch

__all__ = ["SEEDS", "Campaign", "Met", "clean_seeds", "prepared", "sample", "try_all"]

SEEDS = tuple(range(60))
CHUNK = 50
"""So many stories are played by one process before the search."""
BOOK = ROOT / "docs/rules.md"
SHOWN = re.compile(r"`([a-z0-9-]+)\.txt`")
FORK = get_context("fork")

Story = str | int
"""An incident's name, or a seed."""


@dataclass(frozen=True, slots=True)
class Met:
    """What one story meets: the mutants that make any difference in it. `cost` is how many events happen in it.

    `fault` is what it breaks without any mutant: such a story says nothing about one.
    """

    mutants: frozenset[str]
    cost: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is known before a search: what each story meets."""

    met: dict[Story, Met]

    def wanted(self, mutant: Mutant, first: str = "", near: str = "") -> Search:
        """The stories that may name a mutant: first the one that did so the last time.

        Then come what its searcher thinks near, what the book shows the broken rule with, and the cheapest ones.
        """
        able = [story for story, met in self.met.items() if not met.fault and str(mutant) in met.mutants]
        shown = _shown_for(mutant.rule)

        def order(story: Story) -> tuple[bool, bool, bool, int]:
            name = _name(story)
            return name != first, not near or near not in name, story not in shown, self.met[story].cost

        able.sort(key=order)
        incidents = tuple(story for story in able if isinstance(story, str))
        return Search(incidents, tuple(story for story in able if isinstance(story, int)), ready=mutant.rule == "R19")

    def faults(self) -> list[str]:
        """What breaks without any mutant."""
        return [f"{_name(story)}: {met.fault}" for story, met in self.met.items() if met.fault]


def prepared(mutants: tuple[Mutant, ...], jobs: int) -> Campaign:
    """Play every incident and every seed with the core as it is."""
    stories: list[Story] = [*(path.stem for path in sorted(SCENARIOS.glob("*.txt"))), *SEEDS]
    works = [(mutants, stories[first : first + CHUNK]) for first in range(0, len(stories), CHUNK)]
    met: dict[Story, Met] = {}
    for _, found in side_by_side(works, _meet, jobs):
        met |= found
    return Campaign({story: met[story] for story in stories})


def _meet(work: tuple[tuple[Mutant, ...], list[Story]]) -> dict[Story, Met]:
    mutants, stories = work
    comparison, found = watch(mutants), dict[Story, Met]()
    playing = import_module("playing")
    playing.ask_every_rule()
    for story in stories:
        comparison.differs.clear()
        if isinstance(story, int):
            cost, fault = 0, " ".join(playing.play_seed(story))
        else:
            cost, fault = playing.look_at_incident(SCENARIOS / f"{story}.txt")
        found[story] = Met(frozenset(comparison.differs | comparison.always), cost, fault.strip())
    return found


def _name(story: Story) -> str:
    return f"seed {story}" if isinstance(story, int) else story


def _shown_for(rule: str) -> set[Story]:
    """The incidents that the book names in the section of a rule."""
    sections = re.split(r"^## ", BOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name for section in sections if section.startswith(f"{rule} ") for name in SHOWN.findall(section)}


def clean_seeds(seeds: tuple[int, ...], jobs: int) -> tuple[int, ...]:
    """Return the seeds that break nothing with the core as it is."""
    works = [Search((), (seed,)) for seed in seeds]
    return tuple(sorted(work.seeds[0] for work, finding in side_by_side(works, search, jobs) if not finding.by))


def try_all(works: Iterable[tuple[Mutant, Search]], jobs: int) -> Iterator[tuple[Mutant, Finding]]:
    """Yield what came of each mutant, as they finish."""
    for (mutant, _), finding in side_by_side(list(works), _try, jobs):
        yield mutant, finding


def _try(work: tuple[Mutant, Search]) -> Finding:
    mutant, wanted = work
    plant(mutant)
    return search(wanted)


def side_by_side(works: list[Any], do: Callable[[Any], Any], jobs: int) -> Iterator[tuple[Any, Any]]:
    """Do each work in a new process, so many at once, and yield it with what came of it."""
    waiting, running = list(reversed(works)), dict[Connection, tuple[Any, Any]]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                work = waiting.pop()
                ours, theirs = FORK.Pipe(duplex=False)
                process = FORK.Process(target=_answer, args=(theirs, do, work))
                process.start()
                theirs.close()
                running[ours] = (work, process)
            for ours in wait(list(running)):
                assert isinstance(ours, Connection)
                work, process = running.pop(ours)
                outcome = ours.recv()
                process.join()
                yield work, outcome
    finally:
        for _, process in running.values():
            process.terminate()


def _answer(theirs: Connection, do: Callable[[Any], Any], work: Any) -> None:
    theirs.send(do(work))


def sample(mutants: list[Mutant], number: int, choice: int) -> list[Mutant]:
    """Choose so many mutants, the same ones for the same number of the choice."""
    return random.Random(choice).sample(mutants, min(number, len(mutants)))
