"""Two machines with one name, as a cloned image or a spare gateway makes them: neither boot proves the other's end."""

from stories import hears, played, state_of

from aoeha.core.model.proof import ProofKind
from aoeha.sim.world.world import World


def with_a_clone() -> World:
    """A pair of which alpha serves, and beta has heard a machine of alpha's name in turn with it."""
    world = played()
    for _ in range(6):
        hears(world, "beta", boot_id="c10e".ljust(32, "0"))
        world.run(700)
    return world


def test_two_boots_that_alternate_are_told_and_prove_nothing() -> None:
    world = with_a_clone()
    assert state_of(world, "beta").peer.duplicate_name
    assert "peer.duplicate-name" in "\n".join(world.trace.lines)
    assert state_of(world, "beta").groups[0].proof is None
    assert world.machines["alpha"].serves("storage")


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
