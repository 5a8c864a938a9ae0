"""What excuses a promise that does not come true (R19), and what does not: another fault, node, moment or leg."""

from dataclasses import replace

import pytest

from aoeha.core import verdict
from aoeha.core.verdict import Verdict
from aoeha.sim.judges.deaths import DeathJudge
from aoeha.sim.judges.ready import Outcome, Promise
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.judged import JudgedWorld
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.violation import Violation

LONG_MS = 160_000
LEGS = "pair reserve=1 suffices=0"
"""The shelves alone prove nothing."""
READ_MS = 200_000
"""For so long a device is dead before it has surely been read."""


@pytest.fixture(autouse=True)
def promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: whatever there is against it, the survivor calls itself ready."""
    monkeypatch.setattr(verdict, "verdicts", lambda _state: (Verdict("alpha", "beta", True, 5_000),))


def died(*lines: str, after: tuple[str, ...] = (), pair: str = "pair") -> str:
    """What is named if alpha dies beside these faults while nothing could prove that, and this happens then."""
    world = Settings.parse(pair).world()
    do(world, "boot alpha beta")
    do(world, "device switch dead")
    world.run(READ_MS)
    play(world, lines)
    assert world.machines["alpha"].serves("storage")
    do(world, "power off alpha")
    try:
        world.run(1_000)
        play(world, after)
        world.run(LONG_MS)
    except Violation as violation:
        return violation.invariant
    assert not world.machines["beta"].serves("storage"), "the promise did not come true, and nobody is blamed"
    return ""


def play(world: JudgedWorld, lines: tuple[str, ...]) -> None:
    for line in lines:
        if line.startswith("wait"):
            world.run(int(line.split()[1]) * 1_000)
        else:
            do(world, line)


@pytest.mark.parametrize(
    "lines",
    [
        ("cut ether1",),
        ("cut ether1", "wait 10"),
        ("clone alpha", "wait 30"),
        ("break beta start mirror fail", "wait 30"),
    ],
    ids=str,
)
def test_a_promise_beside_what_nobody_could_know_is_not_blamed(lines: tuple[str, ...]) -> None:
    assert died(*lines) == ""


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("cut ether1", "wait 20"),
        ("clone alpha", "wait 5", "unclone alpha", "wait 30"),
        ("break alpha start mirror fail", "wait 30"),
        ("break beta monitor mirror fail", "wait 30"),
        ("break beta start mirror fail", "wait 5", "mend", "wait 20"),
    ],
    ids=str,
)
def test_a_promise_beside_what_its_node_knows_or_what_is_over_is(lines: tuple[str, ...]) -> None:
    assert died(*lines) == "R19"


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        (("slow shelf1 3s", "wait 30"), ""),
        (("slow shelf1 1s", "wait 30"), "R19"),
        (("slow shelf1 3s", "wait 30", "shelf shelf1 ok", "wait 30"), "R19"),
        (("lose-san beta shelf1 40", "wait 30"), ""),
        (("lose-san beta shelf1 20", "wait 30"), "R19"),
        (("lose-san beta shelf1 100", "wait 30"), "R19"),
        (("lose-san alpha shelf1 40", "wait 30"), "R19"),
        (("lose-san beta shelf1 40", "wait 30", "heal-san beta", "wait 30"), "R19"),
    ],
    ids=str,
)
def test_a_leg_that_answers_late_or_by_chance_excuses_its_survivor_meanwhile(
    lines: tuple[str, ...], broken: str
) -> None:
    assert died(*lines, pair=LEGS) == broken


@pytest.mark.parametrize("line", ["cut ether1", "kill beta", "ask beta: pause", "shelf shelf1 silent"])
def test_another_fault_overtakes_a_promise(line: str) -> None:
    assert died(after=(line,), pair=LEGS) == ""


@pytest.mark.parametrize("line", ["heal", "heal-clients beta", "mend", "device spare ok"])
def test_a_repair_that_hinders_nothing_does_not(line: str) -> None:
    assert died(after=(line,), pair="pair devices=switch:1,spare:1") == "R19"


def test_who_was_fenced_before_dies_as_unexpectedly_as_anybody() -> None:
    world = Settings().world()
    do(world, "boot alpha beta")
    do(world, "device switch dead")
    world.run(READ_MS)
    judge = next(one for one in world.oracle.observers if isinstance(one, DeathJudge))
    judge.fenced(world.machines["beta"], world.machines["alpha"])
    judge.looked()
    do(world, "power off alpha")
    with pytest.raises(Violation, match="R19 broken"):
        world.run(LONG_MS)


READY = Promise("alpha", "beta", "", 5_000, 10_100, by=("beta",))
DESPAIRS = replace(READY, reason="the moon is full", predicted_ms=0, within_ms=90_000)


@pytest.mark.parametrize(
    ("promise", "came_ms", "kept"),
    [
        (READY, 9_000, True),
        (READY, None, False),
        (DESPAIRS, None, True),
        (DESPAIRS, 9_000, False),
        (replace(READY, hidden=True), None, True),
        (replace(DESPAIRS, hidden=True), 9_000, False),
        (replace(READY, answered_percent=64), None, False),
        (replace(READY, answered_percent=36), None, True),
        (replace(DESPAIRS, answered_percent=64), 9_000, True),
        (replace(DESPAIRS, unheard=True, by=("alpha",)), 9_000, True),
        (replace(DESPAIRS, unheard=True, by=("alpha", "beta")), 9_000, False),
        (replace(READY, unheard=True, by=("alpha",)), None, False),
        (replace(DESPAIRS, again_ms=8_000), 9_000, True),
        (replace(DESPAIRS, again_ms=8_000), 7_000, False),
    ],
)
def test_each_excuse_covers_what_it_explains(promise: Promise, came_ms: int | None, kept: bool) -> None:
    assert Outcome(promise, came_ms, "").kept is kept
    assert not Outcome(promise, came_ms, "", broken="I1").kept, "no excuse covers what is broken meanwhile"
