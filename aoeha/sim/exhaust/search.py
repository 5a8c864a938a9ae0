"""`make exhaust`: every interleaving that a purse of faults allows, breadth first, until all or enough were seen.

    python -m aoeha.sim.exhaust [--states N] [--minutes M] [--crashes N] ...

Prints how many different states of the pair were seen, from cold start and from running, with power fences alone, with
reservations, and with a mirror and its ledger, and how deep. All searches share the time. A violation is printed as the
shortest story that leads to it.
"""

import argparse
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from aoeha.sim.exhaust.known import Watcher
from aoeha.sim.exhaust.pair import MIRRORED, RESERVED, FaultBudget, Pair, Search, Violation

__all__ = ["Result", "explore", "main"]

PROGRESS_EVERY, CLOCK_EVERY = 20_000, 500
STARTS = {
    "running": FaultBudget(),
    "cold": FaultBudget(),
    "running with reservations": RESERVED,
    "cold with reservations": RESERVED,
    "running with a ledger": MIRRORED,
    "one leg out": MIRRORED,
    "running, and a memory is lost": FaultBudget(failures=0, pauses=0, memories=1),
    "running with reservations, and a memory is lost": RESERVED._replace(restarts=0, memories=1),
    "running with reservations, and a file is edited": RESERVED._replace(restarts=0, edits=1),
    "running with a ledger, and shelves are slow": MIRRORED._replace(restarts=0, silences=0, delays=3),
}
"""Where a search may start, and its fault budget."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a search saw. `by_faults` counts the states by how many faults led to them, for as far as all were seen.

    `complete`: there is nothing else. `story` leads to the violation, if there is one.
    """

    states: int
    transitions: int
    by_faults: tuple[int, ...]
    gateways: int
    core_steps: int
    complete: bool
    seconds: float
    violation: str = ""
    story: tuple[str, ...] = ()


class _Exploration:
    """The states seen so far, each with the one before it; those with fewer faults are looked at first."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.states: list[Pair] = []
        self.parents = array("l")
        self.seen: set[Pair] = set()
        self.waiting: list[deque[int]] = [deque() for _ in range(search.budget.left + 1)]
        self.by_faults = [0] * len(self.waiting)
        self.level = 0
        self.transitions = 0
        self.current = -1

    def add(self, pair: Pair, parent: int) -> None:
        if pair in self.seen:
            return
        self.seen.add(pair)
        faults = self.search.faults(pair)
        self.by_faults[faults] += 1
        self.waiting[faults].append(len(self.states))
        self.states.append(pair)
        self.parents.append(parent)

    def look(self) -> bool:
        """Look at the next state; false when all were looked at."""
        while self.level < len(self.waiting) and not self.waiting[self.level]:
            self.level += 1
        if self.level == len(self.waiting):
            return False
        self.current = self.waiting[self.level].popleft()
        for _, pair in self.search.next(self.states[self.current]):
            self.transitions += 1
            self.add(pair, self.current)
        return True

    def story(self, index: int) -> list[str]:
        """Return what happened on the way to a state."""
        path = [index]
        while self.parents[path[-1]] >= 0:
            path.append(self.parents[path[-1]])
        path.reverse()
        told = []
        for before, after in pairwise(path):
            wanted = self.states[after]
            told.append(next(label for label, pair in self.search.next(self.states[before]) if pair == wanted))
        return told


def explore(
    budget: FaultBudget,
    *,
    states_max: int,
    seconds_max: float,
    start: str = "running",
    after: tuple[str, ...] = (),
    progress: Callable[[str], None] | None = None,
    watchers: tuple[Watcher, ...] = (),
) -> Result:
    """Search from a start of STARTS, fewest faults first, until all, enough or a violation was seen.

    `after` names what has happened already; the story leads on from there.
    """
    begun = time.monotonic()
    search = Search(budget, watchers)
    exploration = _Exploration(search)
    complete, violation, looked = False, "", 0
    try:
        exploration.add(search.told(beginning(search, start), after), -1)
        while len(exploration.states) < states_max and not complete:
            complete = not exploration.look()
            looked += 1
            if looked % PROGRESS_EVERY == 0 and progress:
                progress(_progress(exploration, begun))
            if looked % CLOCK_EVERY == 0 and time.monotonic() - begun > seconds_max:
                break
    except Violation as found:
        violation = str(found)
    story: tuple[str, ...] = ()
    if violation and exploration.current >= 0:
        last = search.happening
        story = (*exploration.story(exploration.current), last)
    return Result(
        len(exploration.states),
        exploration.transitions,
        tuple(exploration.by_faults[: exploration.level]),
        search.gateways,
        search.core_steps,
        complete,
        time.monotonic() - begun,
        violation,
        story,
    )


def beginning(search: Search, start: str) -> Pair:
    """Return the pair at one of STARTS."""
    match start:
        case "one leg out":
            return search.one_leg_out()
        case _:
            begin, mirrored = search.cold if start.startswith("cold") else search.running, "ledger" in start
            return begin(reserved=mirrored or "reservations" in start, mirrored=mirrored)


def _progress(exploration: _Exploration, begun: float) -> str:
    seconds = max(time.monotonic() - begun, 0.001)
    states, waiting = len(exploration.states), sum(len(one) for one in exploration.waiting)
    return (
        f"{states:>10,} states seen, {waiting:>10,} to look at, those after {exploration.level} faults now, "
        f"{states / seconds:,.0f} a second"
    )


def main(argv: list[str] | None = None) -> int:
    """Search with progress; return 0 if nothing was violated."""
    parser = argparse.ArgumentParser(prog="python -m aoeha.sim.exhaust", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--states", type=int, default=40_000_000, help="stop after so many")
    parser.add_argument("--minutes", type=float, default=9.5, help="stop after so long")
    parser.add_argument("--jobs", type=int, default=2, help="so many searches side by side (2)")
    parser.add_argument("--start", choices=STARTS, action="append", help="from there alone; may be repeated")
    for name in FaultBudget._fields:
        amounts = f"{getattr(FaultBudget(), name)}, with reservations {getattr(RESERVED, name)}"
        parser.add_argument(f"--{name}", type=int, help=f"how many {name} ({amounts})")
    arguments = parser.parse_args(argv)
    given = {name: getattr(arguments, name) for name in FaultBudget._fields if getattr(arguments, name) is not None}
    starts = arguments.start or list(STARTS)
    jobs = min(arguments.jobs, len(starts))
    limits = arguments.states // len(starts), arguments.minutes * 60 * jobs / len(starts)
    purses = [STARTS[start]._replace(**given) for start in starts]
    code = 0
    with ProcessPoolExecutor(jobs) as pool:
        searches = [pool.submit(_search, start, budget, *limits) for start, budget in zip(starts, purses, strict=True)]
        for start, budget, search in zip(starts, purses, searches, strict=True):
            faults = ", ".join(f"{amount} {name}" for name, amount in budget._asdict().items() if amount)
            print(f"aoeha: every interleaving of messages, timers and tasks from {start} with {faults}", flush=True)
            result = search.result()
            _print_result(start, result)
            code = code or bool(result.violation)
    return int(code)


def _search(start: str, budget: FaultBudget, states_max: int, seconds_max: float) -> Result:
    """Search from one start, in a process of its own."""

    def show(line: str) -> None:
        print(f"{line}, from {start}", file=sys.stderr, flush=True)

    return explore(budget, start=start, states_max=states_max, seconds_max=seconds_max, progress=show)


def _print_result(start: str, result: Result) -> None:
    print(f"from {start}:")
    for number, states in enumerate(result.by_faults):
        print(f"{states:>12,} states after {number} faults: all there are")
    extent = "all there are" if result.complete else "not all there are"
    print(
        f"{result.states:>12,} states in all ({extent}), {result.transitions:,} transitions, {result.gateways:,} "
        f"different gateways, {result.core_steps:,} steps of the core, {result.seconds:.0f} s"
    )
    if not result.violation:
        print("             no violation", flush=True)
        return
    print(f"VIOLATION: {result.violation}, after {len(result.story)} events:")
    for number, label in enumerate(result.story, start=1):
        print(f"{number:>4}  {label}")
