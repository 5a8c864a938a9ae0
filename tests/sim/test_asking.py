"""Rules that would do nothing are not asked (aoeha.sim.asking.rules), and every story goes as if all had been asked."""

import random
from collections.abc import Callable
from itertools import product
from operator import eq, ge, gt, le, lt, ne

import pytest

from aoeha.core.rules import ask_all
from aoeha.sim.asking.followed import LATER_MS, Notes
from aoeha.sim.asking.rules import Asking
from aoeha.sim.stories.swarm import play, story_of

SEEDS = range(24)
COMPARISONS: tuple[Callable[[int, int], bool], ...] = (lt, le, gt, ge, eq, ne)
NUMBERS: tuple[Callable[[int, int], int], ...] = (
    lambda now, _: now,
    lambda _, stamp: stamp,
    lambda now, stamp: now - stamp,
    lambda now, stamp: stamp - now,
    lambda _, stamp: stamp + 7,
    lambda now, _: 90 - now,
    lambda now, stamp: now - max(stamp, 20),
    lambda now, stamp: (now - stamp) // 10,
    lambda now, _: 2 * now,
    lambda now, stamp: now + stamp,
    lambda now, stamp: int(bool(now - stamp)),
    lambda _now, _stamp: 12,
)
"""What a rule might compute from the present and a stamp."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_story_goes_as_if_every_rule_were_asked_at_every_step(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    story = story_of(seed)
    fewer = play(story)
    monkeypatch.setattr(Asking, "ask", lambda _self, step: ask_all(step))
    assert play(story) == fewer


def test_a_time_that_is_waited_for_is_not_asked_about_before() -> None:
    """The bounds are no tighter than they must be: a rule that waits for a beat is not asked at each beat."""
    notes = Notes(1_000)
    heard = notes.stamp("heard", 950)
    assert not notes.present() - heard >= 600
    assert not notes.present() >= 5_000
    bounds = notes.stamps["heard"]
    assert (notes.until_ms, bounds.age_to_ms, bounds.from_ms, notes.read) == (5_000, 600, -LATER_MS, set())
    assert bounds.hold(990, 1_000)


@pytest.mark.parametrize("compare", COMPARISONS)
def test_a_comparison_holds_within_its_bounds(compare: Callable[[int, int], bool]) -> None:
    """Later, and with a later or an earlier stamp, it ends in the same way as long as its notes say so."""
    dice = random.Random(compare.__name__)
    for number, other in [*product(NUMBERS, NUMBERS)] * 20:
        now_ms, stamp_ms = dice.randrange(10, 60), dice.randrange(1, 60)
        notes = Notes(now_ms)
        now, stamp = notes.present(), notes.stamp("stamp", stamp_ms)
        found = compare(number(now, stamp), other(now, stamp))
        assert found == compare(number(now_ms, stamp_ms), other(now_ms, stamp_ms))
        bounds = notes.stamps["stamp"]
        for later_ms in range(now_ms, now_ms + 60):
            for other_ms in (stamp_ms, dice.randrange(1, 90), dice.randrange(1, 90)):
                if other_ms != stamp_ms and "stamp" in notes.read:
                    continue
                in_time = later_ms < min(notes.until_ms, other_ms + bounds.age_to_ms)
                if in_time and bounds.hold(other_ms, later_ms):
                    assert compare(number(later_ms, other_ms), other(later_ms, other_ms)) == found
