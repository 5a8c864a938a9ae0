"""Who names a mutant: the promises of an incident, a rule of a judge, or the core itself.

A recorded trace that changes names nobody. A story counts only if it breaks nothing without the mutant; the campaign
sees to that. This file is used in a process in which a mutant was planted, and imports the core when it is asked.

What this file does not know: which mutant was planted.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from time import process_time
from types import FrameType

from mutant import ROOT

__all__ = ["SCENARIOS", "Finding", "Search", "search"]

SCENARIOS = ROOT / "tests/scenarios"
PROCESSOR_S = 90
"""So much processor time may one story use: the dearest takes a fiftieth of it. More is a core without end."""
CORE_SAYS = ("assertion", "core")
"""How stories call an assertion of the core that failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one story, or of all of them. `by` is the invariant, `promise`, `the core`, or empty for nothing.

    `story` is an incident's name, or `seed N`. `played` counts the stories until then.
    """

    by: str = ""
    story: str = ""
    sentence: str = ""
    played: int = 0
    processor_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Search:
    """Which stories to play, in this order, until one names the mutant. `ready`: ask the judge of R19 as well."""

    incidents: tuple[str, ...]
    seeds: tuple[int, ...]
    ready: bool = False


class _EndlessError(BaseException):
    """A story used too much of the processor. No handler of the core or the world catches it."""


def search(wanted: Search) -> Finding:
    """Play stories until one of them breaks something."""
    begun_s, played = process_time(), 0
    for played, (story, play) in enumerate(_stories(wanted), start=1):
        by, sentence = _bounded(play)
        if by:
            return Finding(by, story, sentence, played, process_time() - begun_s)
    return Finding(played=played, processor_s=process_time() - begun_s)


def _stories(wanted: Search) -> Iterator[tuple[str, Callable[[], tuple[str, str]]]]:
    playing = import_module("playing")
    """Imports the core, with the mutant in it."""
    for name in wanted.incidents:
        yield name, partial(playing.play_incident, SCENARIOS / f"{name}.txt")
    if wanted.ready:
        yield "killed owners", partial(playing.kill_owners, sorted(SCENARIOS.glob("*.txt")))
    for seed in wanted.seeds:
        yield f"seed {seed}", partial(playing.play_seed, seed)


def _bounded(play: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """Play, and see what the core does to itself: an assertion, another error, or no end."""
    try:
        with _processor_time(PROCESSOR_S):
            by, sentence = play()
    except _EndlessError:
        return "the core", f"it computes for more than {PROCESSOR_S} s"
    except RecursionError:
        return "the core", "it calls itself without end"
    except Exception as error:  # noqa: BLE001  # whatever a mutant makes of the core
        return "the core", f"{type(error).__name__}: {error}"
    return ("the core", sentence) if by in CORE_SAYS else (by, sentence)


@contextmanager
def _processor_time(most_s: float) -> Iterator[None]:
    def end(_signal: int, _frame: FrameType | None) -> None:
        raise _EndlessError

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, most_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
