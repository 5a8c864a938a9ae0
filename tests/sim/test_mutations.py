"""The oracle notices: each test breaks one rule of the core and sees the right invariant named, within 2,000 seeds.

The same seeds without the mutation are clean, or the finding would say nothing.
"""

import functools
import os
import random
import time
from pathlib import Path

import pytest
from planted_acts import ACTS_IN_STORIES
from planted_bugs import IN_STORIES, MUTATIONS, Mutation
from planted_speech import SPEECH_IN_SEEDS, SPEECH_IN_STORIES

from aoeha.sim.stories.scenario import perform, read
from aoeha.sim.stories.swarm import Outcome, play, story_of

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SEEDS_MAX = 2_000
SAMPLE = int(os.environ.get("AOEHA_MUTATIONS", "0"))
"""How many of the rules broken among seeds to try, 0 for all; AOEHA_SEED repeats a choice."""
CHOICE = int(os.environ.get("AOEHA_SEED", time.time()))
PROMISE = "promise"
STORIES = (*IN_STORIES, *ACTS_IN_STORIES, *SPEECH_IN_STORIES)
IN_SEEDS = [*MUTATIONS, *SPEECH_IN_SEEDS]
CHOSEN = random.Random(CHOICE).sample(IN_SEEDS, SAMPLE) if SAMPLE else IN_SEEDS


@functools.cache
def unbroken(seed: int) -> str:
    """What the whole core breaks in this seed."""
    return play(story_of(seed)).sentence


def first_broken(mutation: Mutation) -> tuple[int, Outcome]:
    """The first seed in which the oracle names something; where the core asserts before it, the seed tells nothing."""
    for seed in range(mutation.first_seed, mutation.first_seed + SEEDS_MAX):
        outcome = play(story_of(seed))
        if outcome.broken not in ("", "core"):
            return seed, outcome
    pytest.fail(f"nobody noticed in {SEEDS_MAX} seeds; expected {mutation.expected}")


@pytest.mark.parametrize("mutation", CHOSEN, ids=[mutation.name for mutation in CHOSEN])
def test_a_broken_rule_is_named(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(mutation.target, mutation.function)
    with monkeypatch.context() as broken:
        broken.setattr(mutation.target, mutation.function, mutation.make(original))
        seed, outcome = first_broken(mutation)
    assert outcome.broken in mutation.expected, f"seed {seed}: {outcome.sentence}"
    assert not [sentence for sentence in map(unbroken, range(mutation.first_seed, seed + 1)) if sentence]


@pytest.mark.parametrize(("mutation", "story"), STORIES, ids=[mutation.name for mutation, _ in STORIES])
def test_a_broken_rule_is_named_in_its_story(mutation: Mutation, story: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = read(SCENARIOS / f"{story}.txt")
    assert not broken_in(perform(scenario))
    monkeypatch.setattr(mutation.target, mutation.function, mutation.make(getattr(mutation.target, mutation.function)))
    assert broken_in(perform(scenario)) in (*mutation.expected, PROMISE)


def broken_in(trace: list[str]) -> str:
    """The invariant that a story's trace names, empty for none."""
    return next((line.split()[3] for line in trace if line.split()[1:3] == ["!", "BROKEN"]), "")
