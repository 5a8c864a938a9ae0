"""Ready comes true (R19): the owner dies, and what its pair said of that is what comes.

Of every incident, and of seeds: make verdicts
"""

from pathlib import Path

import pytest

from aoeha.core import verdict
from aoeha.core.verdict import Verdict
from aoeha.sim.judges.ready import Outcome, outcomes
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.ready import KNOWN, judged_incidents
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

SCENARIOS = Path(__file__).parents[1] / "scenarios"


def served() -> World:
    """A pair that is well."""
    world = Settings().world()
    do(world, "boot alpha beta")
    world.run(30_000)
    return world


def served_without_a_device() -> World:
    """A pair whose only fence device is dead, and was read since."""
    world = Settings().world()
    do(world, "boot alpha beta")
    do(world, "device switch dead")
    world.run(200_000)
    return world


def said(found: list[Outcome]) -> list[tuple[bool, bool, bool]]:
    """Of each promise: whether it was said to be ready, whether the survivor served, and whether that was kept."""
    return [(not one.promise.reason, one.came_ms is not None, one.kept) for one in found]


def test_a_pair_that_is_well_is_ready_and_one_without_a_device_is_not() -> None:
    assert set(said(outcomes(served))) == {(True, True, True)}
    assert set(said(outcomes(served_without_a_device))) == {(False, False, True)}


def test_a_verdict_that_asks_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: every reason against is forgotten."""
    monkeypatch.setattr(verdict, "verdicts", lambda _state: (Verdict("alpha", "beta", True, 5_000),))
    assert said(outcomes(served_without_a_device)) == [(True, False, False)]


def test_a_verdict_that_despairs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a reason against that is none."""
    moon = Verdict("alpha", "beta", False, 0, "", "the moon is full")
    monkeypatch.setattr(verdict, "verdicts", lambda _state: (moon,))
    assert said(outcomes(served)) == [(False, True, False)]


def test_a_verdict_that_promises_too_much_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a takeover that is said to take no time."""
    monkeypatch.setattr(verdict, "verdicts", lambda _state: (Verdict("alpha", "beta", True, 1_000),))
    assert said(outcomes(served)) == [(True, False, False)]


def test_a_promise_that_a_real_death_does_not_keep_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second world is asked: the judge of every story sees the owner die, and what comes of it."""
    monkeypatch.setattr(verdict, "verdicts", lambda _state: (Verdict("alpha", "beta", True, 5_000),))
    world = served_without_a_device()
    do(world, "power off alpha")
    with pytest.raises(Violation, match="R19 broken"):
        world.run(60_000)


def test_a_promise_that_another_fault_overtakes_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "verdicts", lambda _state: (Verdict("alpha", "beta", True, 5_000),))
    world = served_without_a_device()
    do(world, "power off alpha")
    do(world, "cut serial1")
    world.run(60_000)
    assert not world.machines["beta"].serves("storage"), "the promise did not come true, and nobody is blamed"


def test_what_is_known_not_to_come_true_is_still_so() -> None:
    """A promise that comes true by now leaves the list."""
    paths = [SCENARIOS / f"{name}.txt" for name in KNOWN]
    assert all(not all(one.kept for one in found) for _name, found in judged_incidents(paths, 2))
