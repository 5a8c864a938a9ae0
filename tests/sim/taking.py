"""Everything that takes transitions for the coverage gate: the stories, chance, interrupted plans, a small search."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

import test_core_chance
import test_core_stories
from pair import Machine, Pair

from aoeha.core.model.actions import Action
from aoeha.core.model.config import FenceConfig
from aoeha.core.model.events import BeatHeard, Event
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import TaskKind, TaskResult
from aoeha.sim.exhaust.pair import FaultBudget
from aoeha.sim.exhaust.search import STARTS, explore
from aoeha.sim.judges.coverage import Taken
from aoeha.sim.stories.scenario import perform, read
from aoeha.sim.world import daemon

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SEEDS = range(40)


@contextmanager
def watching(taken: Taken) -> Iterator[None]:
    def watch(
        _: Machine, before: NodeState | None, event: Event | None, after: NodeState, actions: tuple[Action, ...]
    ) -> None:
        del event, actions
        taken(before, after)

    Pair.watchers.append(watch)
    try:
        yield
    finally:
        Pair.watchers.remove(watch)


def take_by_stories(taken: Taken) -> None:
    with watching(taken):
        for name, story in vars(test_core_stories).items():
            if name.startswith("test_") and not inspect.signature(story).parameters:
                story()


def serving() -> Pair:
    pair = Pair(links=1)
    pair.boot()
    pair.run(15_000)
    assert pair.serves("alpha")
    return pair


def a_mirror_degrades_fails_and_is_whole_again() -> None:
    pair = serving()
    pair["alpha"].degraded.add("storage-mirror")
    pair.run(5_000)
    pair["alpha"].degraded.clear()
    pair.run(5_000)
    for after in ("dies", "moves"):
        pair["alpha"].degraded.add("storage-mirror")
        pair.run(5_000)
        if after == "dies":
            pair["alpha"].running.discard("storage-mirror")
            pair.run(5_000)
        else:
            pair.kill_daemon("alpha")
            pair.start_daemon("alpha")
            pair.run(5_000)
            pair.command("alpha", "switchover")
            pair.run(5_000)


def an_owner_reboots_faster_than_it_is_missed() -> None:
    pair = serving()
    pair.command("alpha", "switchover")
    pair.run(20_000)
    pair.power_loss("beta")
    pair.run(1_000)
    pair.boot("beta")
    pair.run(10_000)
    assert pair.serves("alpha")
    pair.command("alpha", "switchover")
    pair.run(5_000)
    assert pair.serves("beta")


def a_power_off_takes_time_to_settle(interrupted: str) -> None:
    pair = Pair(links=1)
    for machine in pair.machines.values():
        machine.config = replace(machine.config, fences=(FenceConfig("switch", timeout_ms=1_000, settle_ms=3_000),))
    pair.boot()
    pair.run(15_000)
    pair.power_loss("alpha")
    pair.run(4_000)
    if interrupted:
        pair.boot("alpha")
    pair.run(10_000)


def a_stop_fails_and_nobody_can_fence(mended: bool) -> None:
    pair = serving()
    pair.switch_works = False
    pair["alpha"].broken[TaskKind.STOP, "storage-volume"] = TaskResult.TIMED_OUT
    pair.command("alpha", "switchover")
    if not mended:
        pair.power_loss("beta")
    pair.run(33_000)
    pair["alpha"].broken.clear()
    pair.run(40_000)


def a_probe_fails() -> None:
    pair = Pair(links=1)
    pair["alpha"].broken[TaskKind.PROBE, "storage-mirror"] = TaskResult.TIMED_OUT
    pair.boot()
    pair.run(20_000)


def a_peer_leaves_restarts_and_is_called_off() -> None:
    pair = serving()
    pair.command("beta", "leave")
    pair.run(10_000)
    pair.power_loss("beta")
    pair.boot("beta")
    pair.run(15_000)
    pair.switch_works = False
    pair.power_loss("alpha")
    pair.run(10_000)
    pair.command("beta", "confirm", node="alpha")
    pair.run(5_000)
    assert pair.serves("beta")
    pair.boot("alpha")
    pair.run(15_000)
    pair.command("beta", "switchover")
    pair.run(5_000)
    assert pair.serves("alpha")


def a_power_off_was_a_lie() -> None:
    pair = serving()
    pair.power_loss("alpha")
    beta = pair["beta"]
    while not (beta.state and beta.state.groups[0].holding):
        pair.run(10)
    last = beta.state.peer.beat
    assert last is not None
    alive = replace(last, sequence=last.sequence + 1, echo_sequence=beta.state.sequence + 1)
    pair._feed(beta, BeatHeard(pair.now_ms, pair["beta"].config.links[0], alive))
    assert not beta.state.groups[0].holding


def take_by_rare_stories(taken: Taken) -> None:
    with watching(taken):
        a_mirror_degrades_fails_and_is_whole_again()
        an_owner_reboots_faster_than_it_is_missed()
        for interrupted in ("", "boots"):
            a_power_off_takes_time_to_settle(interrupted)
        for mended in (False, True):
            a_stop_fails_and_nobody_can_fence(mended)
        a_probe_fails()
        a_power_off_was_a_lie()
        a_peer_leaves_restarts_and_is_called_off()


@contextmanager
def watching_the_world(taken: Taken) -> Iterator[None]:
    honest = daemon.step

    def watched(state: NodeState, event: Event) -> tuple[NodeState, tuple[Action, ...]]:
        after, actions = honest(state, event)
        taken(state, after)
        return after, actions

    daemon.step = watched
    try:
        yield
    finally:
        daemon.step = honest


def take_by_incidents(taken: Taken) -> None:
    with watching_the_world(taken):
        perform(read(SCENARIOS / "leg-lost-unheard-long-ago.txt"))
        perform(read(SCENARIOS / "leave-of-long-ago.txt"))
        perform(read(SCENARIOS / "leaves-beside-a-fenced-gateway-that-lives.txt"))
        perform(read(SCENARIOS / "victim-boots-as-its-plug-is-read.txt"))


def take_by_chance(taken: Taken) -> None:
    with watching(taken):
        for seed in SEEDS:
            test_core_chance.test_never_two_writers_and_service_returns_when_mended(seed)


def take_by_search(taken: Taken) -> None:
    for start in STARTS:
        result = explore(FaultBudget(), states_max=60_000, seconds_max=inf, watchers=(taken,), start=start)
        assert not result.violation, result.story
