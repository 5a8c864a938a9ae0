"""Excuses end: after each of them, and beside it, a judge still names what is planted."""

from dataclasses import replace

import pytest
from planted_bugs import fence_on_suspicion, silence_is_proof

from aoeha.core.fencing import power_fence
from aoeha.core.model.task import SuperblocksRead
from aoeha.core.ownership import proofs
from aoeha.core.resources import lifecycle, mirror_start
from aoeha.core.storage import suspect_legs
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.judged import JudgedWorld
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.violation import Violation

PAIR = "pair keepalive=200ms warntime=600ms deadtime=2s resources=3"
LONG_MS = 60_000
HELD = f"{PAIR} reserve=1"


def played(*lines: str, pair: str = PAIR) -> JudgedWorld:
    """A pair that serves, and then sees this."""
    world = Settings.parse(pair).world()
    do(world, "boot alpha beta")
    world.run(20_000)
    for line in lines:
        if line.startswith("wait"):
            world.run(int(line.split()[1]) * 1_000)
        else:
            do(world, line)
    return world


def named(world: JudgedWorld, ms: int = LONG_MS) -> str:
    """What is broken within this time, empty for nothing."""
    try:
        world.run(ms)
    except Violation as violation:
        return violation.invariant
    return ""


def without(found: SuperblocksRead, name: str) -> SuperblocksRead:
    """A reading of a mirror's legs in which one of them is absent."""
    legs = (replace(leg, present=False, superblock=None) if leg.name == name else leg for leg in found.legs)
    return replace(found, legs=tuple(legs))


def stop_for_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lifecycle, "_wanted_up", lambda _state, _group: False)


def fence_for_one_quiet_link(world: JudgedWorld, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(power_fence, "_reason", fence_on_suspicion(power_fence._reason))
    do(world, "cut ether1")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("ask beta: cleanup", "ask alpha: fence-test"),
        ("ask beta: standby",),
        ("ask alpha: switchover group=storage", "wait 20"),
        ("ask alpha: pause", "wait 5", "ask alpha: resume"),
        ("miswire switch alpha",),
        ("break alpha monitor volume fail", "wait 40", "mend", "wait 120"),
        ("drop alpha volume", "wait 120"),
    ],
    ids=str,
)
def test_a_stop_for_nothing_is_named(lines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    world = played(*lines)
    stop_for_nothing(monkeypatch)
    assert named(world) == "I5"


@pytest.mark.parametrize("lines", [(), ("power off alpha", "wait 20")], ids=str)
def test_a_stop_of_an_owner_whose_legs_are_its_own_is_named(
    lines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = played(*lines, pair=f"{PAIR} reserve=1")
    stop_for_nothing(monkeypatch)
    assert named(world) == "I5"


@pytest.mark.parametrize(
    "lines",
    [
        ("ask alpha: switchover group=storage",),
        ("ask alpha: standby",),
        ("ask alpha: leave",),
        ("break alpha monitor volume fail",),
        ("drop alpha volume",),
    ],
    ids=str,
)
def test_a_stop_for_a_reason_is_not(lines: tuple[str, ...]) -> None:
    assert named(played(*lines)) == ""


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("miswire switch alpha",),
        ("ask alpha: pause", "wait 5", "ask alpha: resume"),
        ("cut-san alpha", "wait 1", "heal-san alpha"),
    ],
    ids=str,
)
def test_a_fence_for_nothing_is_named(lines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    world = played(*lines, pair=f"{PAIR} reserve=1")
    fence_for_one_quiet_link(world, monkeypatch)
    assert named(world) == "I5"


def test_a_fence_of_a_gateway_that_sees_its_shelves_again_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was blind, was fenced for that, rules again, and is well."""
    world = played("cut-san alpha", "wait 30", "heal-san alpha", "wait 120", pair=f"{PAIR} reserve=1")
    assert world.machines["beta"].serves("storage")
    fence_for_one_quiet_link(world, monkeypatch)
    assert named(world) == "I5"


DECEIVED = ("miswire switch alpha", "cut serial1", "cut ether1", "wait 20")
"""Links are cut, and the plug that beta switches off is not that of alpha, which goes on."""


def test_two_writers_after_a_plug_that_deceived_somebody_are_excused() -> None:
    world = played(*DECEIVED)
    assert all(machine.serves("storage") for machine in world.machines.values())
    assert named(world) == ""


@pytest.mark.parametrize(
    "lines",
    [
        ("miswire switch alpha", "cut serial1", "cut ether1"),
        (*DECEIVED, "replug switch alpha", "heal", "wait 120", "cut serial1", "cut ether1"),
    ],
    ids=["before anybody asked that plug", "long after it was mended"],
)
def test_two_writers_for_another_reason_are_named(lines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    world = played(*lines)
    monkeypatch.setattr(proofs, "proof_against_peer", silence_is_proof(proofs.proof_against_peer))
    assert named(world) == "I1"


FALSE_WORD = ("device switch dead", "cut serial1", "cut ether1", "wait 20", "vouch alpha unseen", "wait 20")
"""Links are cut, no device answers, and an operator who has not looked says that alpha is off, which goes on."""


def test_two_writers_by_the_false_word_of_an_operator_are_excused() -> None:
    world = played(*FALSE_WORD)
    assert all(machine.serves("storage") for machine in world.machines.values())
    assert named(world) == ""


@pytest.mark.parametrize(
    "lines",
    [
        ("vouch alpha unseen", "wait 5", "cut serial1", "cut ether1"),
        (*FALSE_WORD[:4], "power off alpha", "vouch alpha", "wait 20", "power on alpha"),
        (*FALSE_WORD, "heal", "wait 60", "cut serial1", "cut ether1"),
    ],
    ids=["a word that was not taken", "a true word", "long after a false one"],
)
def test_two_writers_not_by_a_false_word_are_named(lines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    world = played(*lines)
    monkeypatch.setattr(proofs, "proof_against_peer", silence_is_proof(proofs.proof_against_peer))
    assert named(world) == "I1"


FORGETFUL = f"{PAIR} reserve=1 durable=0"
BOTH_FORGET = ("shelf shelf1 restarts loses 5s", "shelf shelf2 restarts loses 5s")
EXCUSE = ("excused", "every target lost what it acknowledged")


def test_what_every_target_forgot_is_excused() -> None:
    world = played(*BOTH_FORGET, "power off alpha", pair=FORGETFUL)
    assert named(world) == ""
    assert world.machines["beta"].serves("storage")
    assert world.counts[EXCUSE] == 1


def test_what_one_target_forgot_is_excused_as_the_other_restarts_too() -> None:
    """The other one lost nothing, and nobody can tell."""
    world = played("shelf shelf1 restarts loses 5s", "shelf shelf2 restarts", "power off alpha", pair=FORGETFUL)
    assert named(world) == ""
    assert world.counts[EXCUSE] == 1


def test_a_record_that_no_target_forgot_is_named_beside_them() -> None:
    """It is older than what they forgot, and one of the legs lacks it all the same."""
    world = played(*BOTH_FORGET, pair=FORGETFUL)
    leg = world.storage.mirrors["storage"].leg("shelf2")
    leg.records.remove(min(leg.records))
    do(world, "power off alpha")
    assert named(world) == "I2"


@pytest.mark.parametrize(
    "lines",
    [
        ("shelf shelf1 restarts loses 5s",),
        ("shelf shelf2 restarts loses 5s", "wait 30", "shelf shelf1 restarts loses 5s"),
        ("shelf shelf2 restarts", "wait 30", "shelf shelf1 restarts loses 5s"),
    ],
    ids=["the only one", "after the other was copied", "after the other lost nothing"],
)
def test_a_record_that_another_leg_still_has_is_not(lines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is afraid of a leg whose target has forgotten, and the next owner starts from it."""
    world = played(*lines[:-1], pair=FORGETFUL)
    monkeypatch.setattr(suspect_legs, "is_sound", lambda _group, _leg: True)
    do(world, lines[-1])
    do(world, "power off alpha")
    assert named(world) == "I2"


LIMIT = ("excused", "a leg dropped in its owner's last moments")
DROPPED = ("pause alpha", "shelf shelf2 fails", "wait 1", "power off alpha", "shelf shelf1 silent", "shelf shelf2 ok")


def test_what_was_acknowledged_since_a_leg_was_dropped_untold_is_excused() -> None:
    world = played(*DROPPED, pair=HELD)
    assert named(world) == ""
    assert world.machines["beta"].serves("storage")
    assert world.counts[LIMIT] == 1


def test_what_was_acknowledged_before_that_is_not() -> None:
    world = played(*DROPPED, pair=HELD)
    leg = world.storage.mirrors["storage"].leg("shelf2")
    leg.records.remove(min(leg.records))
    assert named(world) == "I2"


def test_a_leg_that_the_owner_had_the_time_to_tell_of_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "mirrors_changed", lambda _step: None)
    world = played(*DROPPED[1:], pair=HELD)
    assert named(world) == "I2"


def test_a_leg_beside_one_that_could_tell_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both can be read, and the one that was dropped is started from all the same."""
    world = played(*DROPPED[:3], "shelf shelf2 ok", pair=HELD)
    monkeypatch.setattr(mirror_start, "_held_only", lambda _group, found: without(found, "shelf1"))
    do(world, "power off alpha")
    assert named(world) == "I2"
