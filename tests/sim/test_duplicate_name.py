"""A second machine with the peer's name: nothing is believed while both are heard, and it ends when one is silent."""

from dataclasses import replace

import pytest

from aoeha.core.model.events import BeatHeard
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.world import World

CLONE = "c10e".ljust(32, "0")


def serving() -> World:
    """Alpha serves, beta stands by."""
    world = Settings(reserve=1).world()
    do(world, "boot alpha beta")
    world.run(20_000)
    assert world.machines["alpha"].serves("storage")
    return world


def clone_of_alpha_beats(world: World, times: int = 6) -> None:
    """A spare machine that was booted from alpha's image is heard by beta, in turn with alpha."""
    beta = world.machines["beta"].daemon
    assert beta is not None
    for number in range(1, times + 1):
        assert beta.state is not None
        beat = beta.state.peer.beat
        assert beat is not None
        cloned = replace(beat, boot_id=CLONE, sequence=beat.sequence + number)
        beta.feed(BeatHeard(world.machines["beta"].clock_ms(), "serial1", cloned))
        world.run(700)


def verdict(world: World, node: str) -> str:
    return next(told.verdict for machine, told in world.told() if machine.name == node)


def answers(world: World) -> list[str]:
    return [line for line in world.trace.lines if " answers " in line]


def test_a_pair_with_a_clone_is_not_ready_and_says_why() -> None:
    world = serving()
    clone_of_alpha_beats(world)
    assert "NOT ready" in verdict(world, "beta")
    assert "two machines use the name alpha" in verdict(world, "beta")
    assert "NOT ready" in verdict(world, "alpha")


def test_the_clone_is_forgotten_when_it_is_silent_and_a_dead_owner_is_replaced() -> None:
    world = serving()
    clone_of_alpha_beats(world)
    world.run(10_000)
    assert "beta is ready" in verdict(world, "beta")
    do(world, "power off alpha")
    world.run(60_000)
    assert world.machines["beta"].serves("storage")


def test_a_switchover_to_a_node_that_hears_two_machines_of_our_name_is_refused() -> None:
    """A hand-over that the peer would not accept stops the service for good: alpha keeps it."""
    world = serving()
    clone_of_alpha_beats(world, 2)
    do(world, "ask alpha: switchover")
    clone_of_alpha_beats(world, 60)
    assert world.machines["alpha"].serves("storage")


def test_confirm_is_refused_while_two_machines_are_heard_by_that_name() -> None:
    world = serving()
    clone_of_alpha_beats(world)
    beta = world.machines["beta"].daemon
    assert beta is not None
    assert beta.state is not None
    world.trace.on = True
    do(world, "ask beta: confirm node=alpha")
    assert answers(world)[-1].split()[-1] == "107"


@pytest.mark.parametrize("reserve", [0, 1])
def test_a_boot_that_alternated_is_never_proven_gone_by_a_new_one(reserve: int) -> None:
    """The new boot may be the clone's: alpha may serve on. Power or shelves must tell."""
    world = Settings(reserve=reserve).world()
    do(world, "boot alpha beta")
    world.run(20_000)
    clone_of_alpha_beats(world)
    world.run(10_000)
    do(world, "reset alpha")
    world.run(120_000)
    beta = world.machines["beta"].daemon
    assert beta is not None
    assert beta.state is not None
    kinds = [group.proof.kind.value for group in beta.state.groups if group.proof is not None]
    assert "rebooted" not in kinds
    assert [name for name in world.machines if world.machines[name].serves("storage")]
