"""Offer and claim through the shelves (R13): what people are told meanwhile, and that nothing stirs without hosts."""

import pytest

from aoeha.core.model.task import TaskKind
from aoeha.core.status import status
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.world import World

CUT = ("cut serial1", "cut ether1", "cut-clients alpha")


def served(hosts: int) -> World:
    """A pair of which alpha has served for a while."""
    world = Settings(reserve=1, hosts=hosts).world()
    do(world, "boot alpha beta")
    world.run(20_000)
    return world


def cut_off(world: World) -> None:
    for line in CUT:
        do(world, line)


def reference_hosts(world: World, name: str) -> str:
    daemon = world.machines[name].daemon
    assert daemon is not None
    assert daemon.state is not None
    return status(daemon.state).reference_hosts


def test_an_owner_says_why_it_offers_and_its_hosts_are_shown() -> None:
    world = served(hosts=1)
    assert [reference_hosts(world, name) for name in world.machines] == ["1 of 1 answer", "1 of 1 answer"]
    do(world, "cut-clients beta")
    cut_off(world)
    world.run(10_000)
    assert "alpha offers storage to beta" in world.why("alpha")
    assert [reference_hosts(world, name) for name in world.machines] == ["none answers", "none answers"]
    do(world, "heal-clients beta")
    world.run(10_000)
    assert world.machines["beta"].serves("storage")
    assert reference_hosts(world, "beta") == "1 of 1 answer"


def test_a_claimer_says_that_it_claims() -> None:
    world = served(hosts=1)
    cut_off(world)
    do(world, "break alpha stop mirror hang")
    world.run(8_000)
    assert "beta claims storage, which alpha offers" in world.why("beta")


def test_without_reference_hosts_nobody_asks_and_no_record_says_a_word() -> None:
    world = served(hosts=0)
    cut_off(world)
    world.run(40_000)
    assert world.machines["alpha"].serves("storage")
    assert reference_hosts(world, "alpha") == ""
    assert world.counts["task", TaskKind.ASK_HOSTS.value] == 0
    strings = [a.string for shelf in world.storage.shelves.values() for a in shelf.addresses["storage"]]
    assert strings
    assert all(string.startswith(b"aoeha 1 ") for string in strings)


@pytest.mark.parametrize("hosts", [0, 1])
def test_while_a_link_carries_beats_a_group_moves_only_by_what_hosts_answered(hosts: int) -> None:
    world = served(hosts)
    for line in CUT[1:]:
        do(world, line)
    world.run(40_000)
    assert world.machines["beta" if hosts else "alpha"].serves("storage")
