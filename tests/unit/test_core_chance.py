"""Seeded misfortune: the pair under faults that nobody picked by hand, then healed. See pair.py for the oracle."""

import random

import pytest
from pair import Pair

from aoeha.core.model.task import TaskKind, TaskResult

SEEDS = 20


def misfortune(pair: Pair, chance: random.Random) -> None:
    """One thing that happens to a pair."""
    name = chance.choice(["alpha", "beta"])
    machine = pair[name]
    link = chance.choice(machine.config.links)
    resource = chance.choice(machine.config.groups[0].resources).name
    acts = [
        lambda: pair.power_loss(name),
        lambda: pair.cut_link(link),
        lambda: pair.cut_link(link, name),
        lambda: [pair.cut_link(one) for one in machine.config.links],
        pair.heal,
        lambda: machine.running.discard(resource),
        lambda: machine.broken.__setitem__((TaskKind.START, resource), TaskResult.FAILED),
        lambda: machine.broken.__setitem__((TaskKind.STOP, resource), TaskResult.TIMED_OUT),
        lambda: machine.broken.__setitem__((TaskKind.VALIDATE, resource), TaskResult.FAILED),
        machine.broken.clear,
        lambda: setattr(pair, "switch_works", chance.random() < 0.5),
        lambda: pair.kill_daemon(name),
        lambda: pair.sleep(name),
        lambda: pair.wake(name) if machine.asleep else None,
        lambda: pair.command(name, "switchover"),
        lambda: pair.command(name, "standby"),
        lambda: pair.command(name, "unstandby"),
        lambda: pair.command(name, "leave") if chance.random() < 0.3 else None,
    ]
    chance.choice(acts)()


def mend(pair: Pair) -> None:
    """Take every fault away and switch on what is off."""
    pair.heal()
    pair.switch_works = True
    for name in ("alpha", "beta"):
        machine = pair[name]
        machine.broken.clear()
        if machine.asleep:
            pair.wake(name)
        if not machine.powered:
            pair.boot(name)
        elif machine.state is None:
            pair.start_daemon(name)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_never_two_writers_and_service_returns_when_mended(seed: int) -> None:
    chance = random.Random(seed)
    pair = Pair(links=chance.choice([1, 2, 3]))
    pair.boot(*chance.choice([("alpha",), ("beta",), ("alpha", "beta")]))
    for _ in range(40):
        pair.run(chance.randrange(10, 4_000))
        misfortune(pair, chance)
    for _ in range(3):
        mend(pair)
        pair.run(25_000)
    for name in ("alpha", "beta"):
        pair.command(name, "unstandby")
    pair.run(90_000)
    assert pair.serves("alpha") != pair.serves("beta"), (seed, pair.why("alpha"), pair.why("beta"))
