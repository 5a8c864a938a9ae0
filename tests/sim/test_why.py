"""What a gateway says of itself is true now, not only when it was decided."""

import pytest

from aoeha.core import status as status_document
from aoeha.core.model.conditions import Code
from aoeha.core.ownership import owners
from aoeha.sim.judges.status import judge_ownership
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

REFUSED = Code.TAKEOVER_REFUSED_BLOCKED


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
    assert told(after("cut serial1", "cut ether1", "wait 60s")) == (REFUSED, REFUSED)


def test_what_was_refused_in_a_silence_is_over_when_the_peer_is_heard_again() -> None:
    world = after("cut serial1", "cut ether1", "wait 60s", "heal serial1", "heal ether1", "wait 5s")
    assert told(world) == (Code.STATE_PEER_SERVES, None)


def test_the_oracle_names_a_refusal_that_outlives_its_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    world = after("cut serial1", "cut ether1", "wait 60s", "heal serial1", "heal ether1", "wait 5s")
    judge_ownership(world)
    monkeypatch.setattr(status_document, "_refusal", lambda _state, group: group.refusal)
    with pytest.raises(Violation, match="still says 'beta does not take over storage"):
        judge_ownership(world)


def test_a_standby_is_not_advised_to_serve_beside_a_silent_owner() -> None:
    world = after("heal-san beta", "ask beta: standby", "power off alpha", "wait 20s")
    assert told(world) == (REFUSED, REFUSED)
    assert "aoeha unstandby" not in world.why("beta")


def test_the_oracle_names_an_owner_who_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    world = after("heal-san beta", "wait 5s")
    judge_ownership(world)
    monkeypatch.setattr(owners, "owner", lambda state, _group: state.config.node)
    with pytest.raises(Violation, match="beta says that beta owns storage"):
        judge_ownership(world)
