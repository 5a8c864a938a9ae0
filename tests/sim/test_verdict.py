"""What status promises is what the survivor could do, and a total outage says so first (R19)."""

import pytest

from aoeha.core.model.beat import GroupPhase
from aoeha.core.status import Status
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.world import World


def after(settings: Settings, *lines: str) -> World:
    world = settings.world()
    for line in ("boot alpha beta", "wait 20s", *lines):
        verb, _, rest = line.partition(" ")
        if verb == "wait":
            world.run(int(rest.removesuffix("s")) * 1_000)
        else:
            do(world, line)
    return world


def told(world: World, node: str) -> Status:
    return next(status for machine, status in world.told() if machine.name == node)


def test_a_device_that_only_the_survivor_knows_to_be_wrong_makes_both_say_not_ready() -> None:
    """Beta has seen its switch read alpha as off while alpha ran: alpha, which serves, must not call the pair ready."""
    wrong = ("miswire switch alpha", "break alpha stop mirror hang", "ask alpha: switchover", "wait 90s")
    world = after(Settings(), *wrong)
    assert world.machines["alpha"].serves("storage")
    for node in ("alpha", "beta"):
        assert told(world, node).forecasts[0].ready is False, told(world, node).verdict
        assert "NOT PROTECTED" in told(world, node).verdict


@pytest.mark.parametrize("settings", [Settings(reserve=1), Settings(reserve=1, suffices=0), Settings()], ids=str)
def test_both_nodes_say_the_same_of_a_healthy_pair_and_it_comes_true_in_time(settings: Settings) -> None:
    world = after(settings, "wait 60s")
    mine, theirs = told(world, "beta").forecasts[0], told(world, "alpha").forecasts[0]
    assert mine.ready is theirs.ready is True
    assert (mine.victim, mine.survivor, mine.proof) == ("alpha", "beta", theirs.proof)
    assert abs(mine.takeover_ms - theirs.takeover_ms) < 1_000
    begun_ms = world.timeline.now_ms
    do(world, "power off alpha")
    while not world.machines["beta"].serves("storage"):
        world.run(100)
        assert world.timeline.now_ms - begun_ms < 60_000
    came_ms = world.timeline.now_ms - begun_ms
    assert came_ms <= 2 * mine.takeover_ms
    assert mine.takeover_ms <= 2 * came_ms


def test_what_was_heard_last_of_a_silent_owner_is_not_what_is() -> None:
    world = after(Settings(), "wait 60s", "device switch dead", "power off alpha", "wait 30s")
    shown = told(world, "beta")
    assert shown.groups[0].phase == GroupPhase.UNKNOWN.value
    assert shown.groups[0].served is False
    assert shown.verdict.startswith("NOBODY SERVES storage")
    refusal = shown.groups[0].refusal
    assert refusal is not None
    assert "aoeha confirm alpha" in refusal.sentence


def test_a_standby_that_stands_by_on_purpose_is_not_called_ready() -> None:
    world = after(Settings(), "ask beta: standby", "wait 5s")
    assert "NOT ready" in told(world, "alpha").verdict
    assert "NOT ready" in told(world, "beta").verdict


def test_a_peer_that_does_not_say_is_unknown_and_not_a_no() -> None:
    world = after(Settings(), "wait 30s")
    alpha = world.machines["alpha"].daemon
    assert alpha is not None
    alpha.receiver._peer_knows = 2
    beta = world.machines["beta"].daemon
    assert beta is not None
    beta.sender._version = lambda: 2
    world.run(5_000)
    shown = told(world, "alpha")
    assert shown.forecasts[0].ready is None
    assert "NOT KNOWN" in shown.verdict


def test_legs_that_a_stranger_holds_make_the_standby_unready_and_a_switchover_is_refused() -> None:
    taken = ("reserve shelf1 storage stranger", "reserve shelf2 storage stranger")
    world = after(Settings(reserve=1), "wait 40s", *taken, "wait 30s")
    assert told(world, "alpha").forecasts[0].ready is False
    assert "stranger" in told(world, "beta").verdict
    do(world, "ask alpha: switchover")
    world.run(60_000)
    assert not world.machines["beta"].serves("storage")


def test_a_stranger_on_a_leg_that_has_left_the_mirror_hinders_nobody() -> None:
    world = after(Settings(reserve=1), "wait 40s", "reserve shelf2 storage stranger", "wait 30s")
    assert told(world, "alpha").forecasts[0].ready
    do(world, "ask alpha: switchover")
    world.run(60_000)
    assert world.machines["beta"].serves("storage")


def test_a_level_that_is_waited_for_in_vain_is_part_of_the_time() -> None:
    world = after(Settings(devices="ups:1,switch:2"), "device ups dead", "wait 120s")
    foreseen = told(world, "beta").forecasts[0]
    begun_ms = world.timeline.now_ms
    do(world, "power off alpha")
    while not world.machines["beta"].serves("storage"):
        world.run(100)
        assert world.timeline.now_ms - begun_ms < 60_000
    assert world.timeline.now_ms - begun_ms <= 2 * foreseen.takeover_ms


def test_of_two_nodes_that_both_serve_each_death_is_foreseen_and_comes_true() -> None:
    world = after(Settings(groups="storage:alpha,archive:beta"), "wait 60s")
    for node in ("alpha", "beta"):
        assert {(one.victim, one.survivor, one.ready) for one in told(world, node).forecasts} == {
            ("alpha", "beta", True),
            ("beta", "alpha", True),
        }
        assert "if alpha died now" in told(world, node).verdict
        assert "if beta died now" in told(world, node).verdict


@pytest.mark.parametrize(
    "lines",
    [
        ("cut serial1", "cut ether1", "wait 30s", "kill beta", "wait 30s"),
        ("ask alpha: pause", "wait 5s", "ask alpha: leave", "wait 20s"),
    ],
    ids=["seen at the shelves alone", "left in a pause"],
)
def test_what_a_node_cannot_know_is_no_outage(lines: tuple[str, ...]) -> None:
    world = after(Settings(reserve=1), "wait 30s", *lines)
    assert world.machines["alpha"].serves("storage")
    assert told(world, "beta").groups[0].served is None
    assert "NOBODY SERVES" not in told(world, "beta").verdict
