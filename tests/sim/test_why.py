"""What a gateway says of itself is true now, not only when it was decided."""

from pathlib import Path

import pytest

from aoeha.core import status as status_document
from aoeha.core.fencing import power_fence
from aoeha.core.model.conditions import Code
from aoeha.core.ownership import owners
from aoeha.sim.judges.status import judge_ownership
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.scenario import Performance, read
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

SCENARIOS = Path(__file__).parents[1] / "scenarios"
NO_SHELF, STANDBY = Code.TAKEOVER_REFUSED_NO_SHELF, Code.TAKEOVER_REFUSED_STANDBY


def after(*lines: str) -> World:
    """Two gateways, of which alpha serves and beta has lost its way to the shelves, and then these incidents."""
    world = Settings(reserve=1, resources=3).world()
    for line in ("boot alpha beta", "wait 20s", "cut-san beta", "wait 5s", *lines):
        verb, _, rest = line.partition(" ")
        if verb == "wait":
            world.run(int(rest.removesuffix("s")) * 1_000)
        else:
            do(world, line)
    return world


def told(world: World) -> tuple[Code, Code | None]:
    """Why beta does not serve: of the whole and of the group."""
    shown = next(status for machine, status in world.told() if machine.name == "beta")
    refusal = shown.groups[0].refusal
    return shown.why.code, None if refusal is None else refusal.code


def test_a_gateway_that_sees_no_shelf_says_so_while_its_peer_is_silent() -> None:
    assert told(after("cut serial1", "cut ether1", "wait 60s")) == (NO_SHELF, NO_SHELF)


def test_what_was_refused_in_a_silence_is_over_when_the_peer_is_heard_again() -> None:
    world = after("cut serial1", "cut ether1", "wait 60s", "heal serial1", "heal ether1", "wait 5s")
    assert told(world) == (Code.STATE_PEER_SERVES, None)


def test_a_reason_that_changes_takes_the_place_of_the_former_one() -> None:
    world = after("ask beta: pause", "power off alpha", "wait 20s")
    assert told(world) == (Code.STATE_PAUSED, Code.TAKEOVER_REFUSED_PAUSED)
    do(world, "ask beta: resume")
    world.run(1_000)
    assert told(world) == (NO_SHELF, NO_SHELF)
    do(world, "heal-san beta")
    world.run(20_000)
    assert told(world) == (Code.STATE_SERVING, None)


def test_a_pause_that_is_over_is_no_reason_while_the_fence_goes_on() -> None:
    world = Settings(devices="switch").world()
    for line in ("boot alpha beta", "device switch slow"):
        do(world, line)
        world.run(20_000)
    do(world, "ask beta: pause")
    do(world, "power off alpha")
    world.run(20_000)
    assert told(world) == (Code.STATE_PAUSED, Code.TAKEOVER_REFUSED_PAUSED)
    do(world, "ask beta: resume")
    world.run(1_000)
    assert told(world) == (Code.STATE_FENCING, None)


def test_what_held_a_start_up_is_forgotten_when_it_begins() -> None:
    performance = Performance(read(SCENARIOS / "path-dead-at-a-cold-start.txt"))
    performance.play()
    assert any("start.refused.unreserved" in line for line in performance.trace())
    daemon = performance.world.machines["alpha"].daemon
    assert daemon is not None
    assert daemon.state is not None
    assert daemon.state.groups[0].refusal is None


def test_the_oracle_names_a_refusal_that_outlives_its_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power_fence, "_end_refusals", lambda _step: None)
    world = after("cut serial1", "cut ether1", "wait 60s", "heal serial1", "heal ether1", "wait 5s")
    judge_ownership(world)
    monkeypatch.setattr(status_document, "_refusal", lambda _state, group: group.refusal)
    with pytest.raises(Violation, match="still says 'beta does not take over storage"):
        judge_ownership(world)


def test_a_standby_is_not_advised_to_serve_beside_a_silent_owner() -> None:
    world = after("heal-san beta", "ask beta: standby", "power off alpha", "wait 20s")
    assert told(world) == (STANDBY, STANDBY)
    assert "aoeha unstandby" not in world.why("beta")


def test_the_oracle_names_an_owner_who_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    world = after("heal-san beta", "wait 5s")
    judge_ownership(world)
    monkeypatch.setattr(owners, "owner", lambda state, _group: state.config.node)
    with pytest.raises(Violation, match="beta says that beta owns storage"):
        judge_ownership(world)
