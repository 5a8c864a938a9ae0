"""Two machines with one name, as a cloned image or a spare gateway makes them: neither boot proves the other's end.

Nothing is believed while both are heard. That ends when one is silent, and is never a proof.
"""

import pytest
from stories import codes, hears, played, state_of

from aoeha.core.model.conditions import Code
from aoeha.core.model.proof import ProofKind
from aoeha.sim.stories.commands import do
from aoeha.sim.world.world import World

CLONE = "c10e".ljust(32, "0")
RESERVED = "pair reserve=1"


def clone_beats(world: World, times: int = 6) -> World:
    """Beta hears a spare machine that was booted from alpha's image, in turn with alpha."""
    for _ in range(times):
        hears(world, "beta", boot_id=CLONE)
        world.run(700)
    return world


def with_a_clone(pair: str = "pair") -> World:
    """A pair of which alpha serves, and beta has heard a machine of alpha's name in turn with it."""
    return clone_beats(played(pair=pair))


def verdict(world: World, node: str) -> str:
    return next(told.verdict for machine, told in world.told() if machine.name == node)


def test_two_boots_that_alternate_are_told_and_prove_nothing() -> None:
    world = with_a_clone()
    assert state_of(world, "beta").peer.duplicate_name
    assert "peer.duplicate-name" in "\n".join(world.trace.lines)
    assert state_of(world, "beta").groups[0].proof is None
    assert world.machines["alpha"].serves("storage")


def test_a_pair_with_a_clone_is_not_ready_and_says_why() -> None:
    world = with_a_clone(RESERVED)
    assert "NOT ready" in verdict(world, "beta")
    assert "two machines use the name alpha" in verdict(world, "beta")
    assert "NOT ready" in verdict(world, "alpha")


def test_when_both_are_silent_only_a_power_off_is_a_proof() -> None:
    world = with_a_clone()
    for link in world.links.values():
        link.change(None, cut=True)
    world.run(60_000)
    assert world.machines["beta"].serves("storage")
    proof = state_of(world, "beta").groups[0].proof
    assert proof is not None
    assert proof.kind is ProofKind.POWERED_OFF
    assert world.counts["fence", "alpha"]


def test_when_the_clone_is_gone_the_name_is_believed_again() -> None:
    world = with_a_clone()
    world.run(10_000)
    assert not state_of(world, "beta").peer.duplicate_name
    assert world.machines["alpha"].boots == 1


def test_the_clone_is_forgotten_when_it_is_silent_and_a_dead_owner_is_replaced() -> None:
    world = with_a_clone(RESERVED)
    world.run(10_000)
    assert "beta is ready" in verdict(world, "beta")
    do(world, "power off alpha")
    world.run(60_000)
    assert world.machines["beta"].serves("storage")


def test_a_switchover_to_a_node_that_hears_two_machines_of_our_name_is_refused() -> None:
    """A hand-over that the peer would not accept stops the service for good: alpha keeps it."""
    world = clone_beats(played(pair=RESERVED), 2)
    do(world, "ask alpha: switchover")
    clone_beats(world, 60)
    assert world.machines["alpha"].serves("storage")


def test_confirm_is_refused_while_two_machines_are_heard_by_that_name() -> None:
    world = with_a_clone(RESERVED)
    do(world, "ask beta: confirm node=alpha")
    assert codes(world, "beta") == [Code.COMMAND_REFUSED_DUPLICATE_NAME]


@pytest.mark.parametrize("reserve", [0, 1])
def test_a_boot_that_alternated_is_never_proven_gone_by_a_new_one(reserve: int) -> None:
    """The new boot may be the clone's: alpha may serve on. Power or shelves must tell."""
    world = with_a_clone(f"pair reserve={reserve}")
    world.run(10_000)
    do(world, "reset alpha")
    world.run(120_000)
    kinds = [group.proof.kind for group in state_of(world, "beta").groups if group.proof is not None]
    assert ProofKind.REBOOTED not in kinds
    assert [name for name in world.machines if world.machines[name].serves("storage")]
