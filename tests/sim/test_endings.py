"""How seeds end: a human does only what he is told, and what is left alone must serve, or say what helps."""

import re
from dataclasses import replace

import pytest

from aoeha.core.fencing import power_fence
from aoeha.core.model.code_book import BOOK
from aoeha.core.storage import leg_sentences
from aoeha.core.storage.start_choice import Doubt, Refusal
from aoeha.sim.stories import survivor
from aoeha.sim.stories.human import COMMANDS, Human
from aoeha.sim.stories.plan import Planned
from aoeha.sim.stories.scenario import text_of
from aoeha.sim.stories.settings import Settings
from aoeha.sim.stories.swarm import Outcome, Story, play

SEEDS = range(2_000)
ALONE = [seed for seed in SEEDS if survivor.ends_alone(seed)]
PLAYED = ALONE[:6]
BOOT = Planned(0, "boot alpha beta")
SITE_BLACKOUT = (Planned(280_000, "power off alpha"), Planned(280_000, "power off beta"))
"""Both come up again, and then one of them is lost for good before they have heard each other."""


def survivors(*plan: Planned, pair: str = "pair") -> list[tuple[Story, Outcome]]:
    """Stories that end with one gateway, one shelf and one fence path."""
    stories = [Story(replace(Settings.parse(pair), seed=seed), (BOOT, *plan)) for seed in PLAYED]
    return [(story, play(story)) for story in stories]


def test_whatever_the_human_does_is_said_by_the_book_or_a_sentence() -> None:
    said = [entry.remedy for entry in BOOK.values()]
    said.append(leg_sentences.why_not_start("the mirror", "", Refusal(Doubt.MAY_LACK_WRITES, ("shelf1",))))
    for command in COMMANDS:
        assert any(re.search(command, text) for text in said), command


def test_a_share_of_the_seeds_leaves_one_of_each_and_it_serves() -> None:
    assert 0.9 * survivor.SHARE < len(ALONE) / len(SEEDS) < 1.1 * survivor.SHARE
    for story, outcome in survivors():
        assert outcome.survivor
        assert not outcome.broken, outcome.sentence
        lost = [planned.line for planned in outcome.ending]
        assert sum(line.startswith("power off") for line in lost) == 1
        assert sum(line.endswith("silent") for line in lost) == 1
        assert all(f"\n{line}\n" in text_of(story, "Anything.") for line in lost)


def test_a_survivor_that_may_not_know_tells_what_helps_and_that_helps() -> None:
    found = survivors(*SITE_BLACKOUT, pair="pair reserve=1")
    assert not [outcome.sentence for _, outcome in found if outcome.broken]
    done = {planned.line.partition(" ")[0] for _, outcome in found for planned in outcome.ending}
    assert "vouch" in done


def test_nobody_helps_who_was_not_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Human, "look", lambda _self: None)
    sentences = [outcome.sentence for _, outcome in survivors(*SITE_BLACKOUT, pair="pair reserve=1")]
    assert any("is left, with one shelf and one fence path, and does not serve storage" in said for said in sentences)


def test_a_remedy_that_does_not_work_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power_fence, "confirm", lambda _step, _user: None)
    broken = [outcome for _, outcome in survivors(*SITE_BLACKOUT, pair="pair reserve=1") if outcome.broken]
    assert broken
    assert all(outcome.broken == "I6" and "a human did as told: vouch" in outcome.sentence for outcome in broken)


@pytest.mark.parametrize(("takes", "broken"), [("70s", ""), ("1200s", "I6")])
def test_a_pair_is_not_well_while_a_daemon_starts_and_none_may_start_for_ever(takes: str, broken: str) -> None:
    seed = next(seed for seed in SEEDS if seed not in ALONE)
    plan = (BOOT, Planned(281_000, f"starts alpha take {takes}"), Planned(281_000, "kill alpha"))
    outcome = play(Story(replace(Settings.parse("pair revive=0 devices="), seed=seed), plan))
    assert outcome.broken == broken, outcome.sentence
    assert outcome.simulated_ms > 351_000
    assert not broken or "alpha has no daemon" in outcome.sentence
