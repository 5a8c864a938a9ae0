"""Readiness held to what comes (aoeha.sim.judges.ready): every incident played to its end, and seeds cut short.

python -m aoeha.sim.stories.ready [--seeds N] [--first SEED] [--jobs N] [FILE ...]
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from aoeha.sim.judges.ready import Outcome, outcomes
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.scenario import Performance, read
from aoeha.sim.stories.swarm import story_of
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["KNOWN", "Judged", "judged_incidents", "judged_seeds", "main"]

QUIET_MS = 30_000
"""How long nothing happens to a pair, once a node has had the time to notice a death and to ask its devices."""
CHUNK = 4
KNOWN: Final[Mapping[str, str]] = {
    "device-lies": "a device that disobeyed once is not trusted before it is verified, though it works again",
    "slow-serial-line": "the predicted time leaves out the beats of the dead that a slow line still delivers",
}
"""Incidents whose promise does not come true yet, and why. Each waits for its own mend; no other may join them."""

Judged = tuple[str, list[Outcome]]


def judged_incidents(paths: Iterable[Path], jobs: int) -> Iterator[Judged]:
    """Yield each incident's name with what became of its promises, as they finish; nothing of one that breaks."""
    with get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(_incident, paths, CHUNK)


def judged_seeds(seeds: Iterable[int], jobs: int) -> Iterator[Judged]:
    """Yield the same of seeds, each cut at a moment of its own."""
    with get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(_seed, seeds, CHUNK)


def _incident(path: Path) -> Judged:
    return path.stem, _outcomes_of(lambda: _played(path))


def _seed(seed: int) -> Judged:
    return f"seed {seed}", _outcomes_of(lambda: _cut_short(seed))


def _outcomes_of(replay: Callable[[], World]) -> list[Outcome]:
    try:
        return outcomes(replay)
    except (Violation, AssertionError):
        return []


def _played(path: Path) -> World:
    performance = Performance(read(path))
    performance.play()
    return _settled(performance.world)


def _cut_short(seed: int) -> World:
    story = story_of(seed)
    world = story.settings.world()
    for planned in story.plan[: Random(f"ready of {seed}").randint(1, len(story.plan))]:
        world.run(planned.at_ms - world.timeline.now_ms)
        do(world, planned.line)
    return _settled(world)


def _settled(world: World) -> World:
    """Let nothing happen until each node knows what it can know."""
    configs = world.configs.values()
    monitors_ms = [fence.monitor_every_ms for config in configs for fence in config.fences]
    world.run(QUIET_MS + max(*monitors_ms, *(2 * config.deadtime_ms for config in configs)))
    return world


def main(argv: list[str] | None = None) -> int:
    """Print every promise that was not kept, and the figures. Return 1 if one of them is not known, else 0."""
    parser = argparse.ArgumentParser(prog="python -m aoeha.sim.stories.ready", description="Does ready come true?")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="so many seeds besides (default none)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them (default 0)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes side by side (default 2)")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="incidents")
    given = parser.parse_args(argv)
    promised, kept, ratios = 0, 0, []
    for judged in (
        judged_incidents(given.files, given.jobs),
        judged_seeds(range(given.first, given.first + given.seeds), given.jobs),
    ):
        for name, found in judged:
            for outcome in found:
                promised, kept = promised + 1, kept + (outcome.kept or name in KNOWN)
                if not outcome.kept:
                    known = f" (known: {KNOWN[name]})" if name in KNOWN else ""
                    sys.stdout.write(f"{name}: {outcome}{known}\n")
                elif outcome.came_ms and outcome.promise.predicted_ms:
                    ratios.append(outcome.promise.predicted_ms / outcome.came_ms)
    typical = (
        f"; a takeover was predicted {median(ratios):.2f} times as long as it took, in the median" if ratios else ""
    )
    sys.stdout.write(f"{promised} promises, {kept} kept or known not to be{typical}\n")
    return int(kept < promised)


if __name__ == "__main__":
    sys.exit(main())
