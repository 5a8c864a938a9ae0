"""Many seeds on several processors."""

from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context

from aoeha.sim.stories.swarm import Outcome, Story, play, story_of

__all__ = ["outcomes"]

CHUNK = 4


def outcomes(seeds: Iterable[int], jobs: int, make: Callable[[int], Story] = story_of) -> Iterator[tuple[int, Outcome]]:
    """Yield each seed with its result, as they finish. `make` must be importable when `jobs` is above 1."""
    if jobs <= 1:
        for seed in seeds:
            yield seed, play(make(seed))
        return
    with get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(_play_one, ((make, seed) for seed in seeds), CHUNK)


def _play_one(work: tuple[Callable[[int], Story], int]) -> tuple[int, Outcome]:
    make, seed = work
    return seed, play(make(seed))
