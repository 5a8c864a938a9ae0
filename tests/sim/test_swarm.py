"""Thousands of pairs in which anything may break (aoeha.sim.stories.swarm). Fresh ones each time.

AOEHA_SEEDS shortens a run, AOEHA_SEED repeats it.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from aoeha.core.model.task import TaskResult
from aoeha.core.resources import lifecycle
from aoeha.sim.stories.parallel import outcomes
from aoeha.sim.stories.shrink import shrink
from aoeha.sim.stories.swarm import play, story_of
from aoeha.sim.stories.tally import Tally

PINNED = Path(__file__).with_name("seeds.txt")
SEEDS = int(os.environ.get("AOEHA_SEEDS", "2000"))
FIRST = int(os.environ.get("AOEHA_SEED", time.time()))
JOBS = int(os.environ.get("AOEHA_JOBS", "2"))
ENOUGH_FOR_EVERYTHING = 1_500
SAFETY_MS = 300_000
FAULTS_MIN = 5


def pinned_seeds() -> list[int]:
    lines = PINNED.read_text(encoding="utf-8").splitlines()
    return [int(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]


def test_no_seed_breaks_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    tally, begun_s = Tally(), time.monotonic()
    for seed, outcome in outcomes(range(FIRST, FIRST + SEEDS), JOBS):
        tally.add(seed, outcome)
        assert outcome.broken or outcome.simulated_ms >= SAFETY_MS
        assert outcome.broken or outcome.total("fault") >= FAULTS_MIN
    with capsys.disabled():
        told = [f"\nseeds {FIRST} to {FIRST + SEEDS - 1} in {time.monotonic() - begun_s:.0f} s", *tally.lines(), ""]
        sys.stdout.write("\n".join(told))
    failed = "\n".join(f"aoeha simulate --shrink --seed {seed}   # {o.sentence}" for seed, o in tally.failures[:20])
    assert not tally.failures, f"{len(tally.failures)} seeds broke something; to repeat:\n{failed}"
    if SEEDS >= ENOUGH_FOR_EVERYTHING:
        assert not tally.missing(), "never occurred in the whole run"


@pytest.mark.parametrize("seed", pinned_seeds())
def test_a_seed_that_once_failed_stays_well(seed: int) -> None:
    outcome = play(story_of(seed))
    assert not outcome.broken, outcome.sentence


def test_a_seed_is_one_story() -> None:
    first, second = play(story_of(7)), play(story_of(7))
    assert (first.events, first.steps, first.counts) == (second.events, second.steps, second.counts)


def test_a_failure_shrinks_to_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop that failed and counts as done is found, and the rest of the five minutes is left out."""
    honest = lifecycle._stopped
    monkeypatch.setattr(
        lifecycle,
        "_stopped",
        lambda turn, group, resource, done: honest(turn, group, resource, replace(done, result=TaskResult.OK)),
    )
    seed = next(seed for seed in range(2_000) if play(story_of(seed)).broken == "I4")
    story = story_of(seed)
    shorter = shrink(story, "I4")
    assert len(shorter.plan) < len(story.plan)
    assert play(shorter).broken == "I4"
