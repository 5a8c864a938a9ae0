"""Everything that takes transitions for the coverage gate: incidents, rare stories, a small search."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from stories import hears, played, state_of

from aoeha.core.model.actions import Action
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import Event
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.core.rules import Ask
from aoeha.core.step import initial, step
from aoeha.sim.exhaust.pair import FaultBudget
from aoeha.sim.exhaust.search import STARTS, explore
from aoeha.sim.judges.coverage import Taken
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.scenario import perform, read
from aoeha.sim.world import daemon

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SEARCHED = 20_000
INCIDENTS = (
    "blind-owner-and-a-peer-that-has-power-again",
    "blocked-beside-a-group-that-starts",
    "blocked-owner-and-its-second-level",
    "blocked-owner-on-a-wrong-plug",
    "boot-with-a-leg-each",
    "both-daemons-killed",
    "both-shelves-restart-while-links-are-cut",
    "claimer-dies-after-its-claim",
    "claimer-reboots-before-its-first-word",
    "claimers-daemon-dies-before-it-reads-the-grant",
    "cold-start-in-a-crossed-partition",
    "cold-start-without-shelves",
    "cry-for-help-of-long-ago",
    "daemon-back-in-the-middle-of-a-storage-fence",
    "distrust-outlives-the-daemon",
    "fenced-writes-and-a-new-daemon",
    "gateway-and-shelf-in-one-instant",
    "leaves-beside-a-fenced-gateway-that-lives",
    "left-and-reset-before-the-other-takes-over",
    "left-with-a-leg-in-its-name",
    "leg-joins-as-the-owner-dies",
    "leg-taken-back-on-an-old-proof",
    "old-proof-and-a-leg-that-leaves",
    "owner-loses-sight-of-its-shelves",
    "owners-daemon-dies-after-its-grant",
    "paused-again-as-a-fence-begins",
    "paused-as-superblocks-are-read",
    "paused-pair-and-a-reboot",
    "power-back-by-hand-while-a-daemon-is-gone",
    "power-off-hits-the-next-owner",
    "rebooted-owner-as-its-legs-are-taken",
    "run-and-disk-lost-and-the-daemon-dies",
    "slow-serial-line",
    "victim-boots-as-its-plug-is-read",
)
RARE = {
    "an operator's word, and what it entitles to is handed over": (
        "pair links=1 boot=2s",
        """
        device switch dead
        power off alpha
        wait 30s
        ask beta: confirm node=alpha
        expect served storage by beta within 20s
        power on alpha
        wait 30s
        device switch ok
        ask beta: switchover
        expect served storage by alpha within 20s
        """,
    ),
    "a mirror degrades, fails, and is degraded when a daemon comes back": (
        "pair links=1 monitor=3s resources=3",
        """
        wear alpha mirror
        wait 10s
        mend alpha
        wait 10s
        wear alpha mirror
        wait 10s
        drop alpha mirror
        wait 20s
        wear alpha mirror
        wait 10s
        kill alpha
        wait 10s
        ask alpha: switchover
        wait 20s
        """,
    ),
    "an owner reboots faster than it is missed": (
        "pair links=1 boot=500ms",
        """
        ask alpha: switchover
        expect served storage by beta within 20s
        wait 20s
        reset beta
        expect served storage by alpha within 40s
        wait 20s
        ask alpha: switchover
        expect served storage by beta within 20s
        """,
    ),
    "what a power-off entitles to is handed over, and found by a new daemon": (
        "pair links=1",
        """
        freeze alpha
        expect served storage by beta within 30s
        kill beta
        wait 60s
        ask beta: switchover
        expect served storage by alpha within 30s
        """,
    ),
    "what a power-off entitles to is given back as the last gateway leaves": (
        "pair links=1",
        """
        power off alpha
        expect served storage by beta within 20s
        ask beta: leave
        wait 60s
        expect served storage by nobody
        """,
    ),
    "a gateway leaves, returns, and leaves while it is late": (
        "pair links=1",
        """
        ask beta: leave
        wait 10s
        start beta
        wait 20s
        ask beta: leave
        wait 5s
        power off beta
        wait 1s
        power on beta
        wait 40s
        freeze beta for 2s
        wait 1s
        ask beta: leave
        wait 2s
        start beta
        wait 30s
        """,
    ),
    "a daemon is back while it is late": ("pair links=1", "crash alpha\nwait 2s\nstart alpha\nwait 10s"),
    "a resource fails its first look": ("pair links=1", "break alpha probe mirror fail\nkill alpha\nwait 20s"),
}


@contextmanager
def watching(taken: Taken) -> Iterator[None]:
    """Note what the cores of simulated worlds do within."""

    def begin(
        config: PairConfig, identity: Identity, memory: Memory | None, now_ms: int
    ) -> tuple[NodeState, tuple[Action, ...]]:
        state, actions = initial(config, identity, memory, now_ms)
        taken(None, state)
        return state, actions

    def go_on(state: NodeState, event: Event, ask: Ask) -> tuple[NodeState, tuple[Action, ...]]:
        after, actions = step(state, event, ask)
        taken(state, after)
        return after, actions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon, "initial", begin)
        patch.setattr(daemon, "step", go_on)
        yield


def take_by_incidents(taken: Taken) -> None:
    with watching(taken):
        for name in INCIDENTS:
            perform(read(SCENARIOS / f"{name}.txt"))


def an_operators_word_about_a_gateway_that_died_with_a_grant() -> None:
    world = played("device switch dead\nask alpha: switchover")
    while state_of(world, "alpha").groups[0].grant is None:
        world.run(5)
    do(world, "power off beta")
    world.run(20_000)
    do(world, "ask alpha: confirm node=beta")
    world.run(5_000)
    assert world.machines["alpha"].serves("storage")


def a_power_off_was_a_lie() -> None:
    """The victim answers what its taker has said since."""
    world = played("freeze alpha")
    while not state_of(world, "beta").groups[0].holding:
        world.run(10)
    hears(world, "beta", echo_sequence=state_of(world, "beta").sequence + 1)
    assert not state_of(world, "beta").groups[0].holding


def take_by_rare_stories(taken: Taken) -> None:
    with watching(taken):
        for pair, story in RARE.values():
            played(story, pair=pair)
        played(begin="break alpha probe address hang\nboot alpha beta\nwait 60s\nnever both serve storage")
        played(begin="boot alpha\nwait 40s\nfreeze alpha for 10s\nwait 15s\nnever both serve storage")
        a_power_off_was_a_lie()
        an_operators_word_about_a_gateway_that_died_with_a_grant()


def take_by_search(taken: Taken) -> None:
    for start in STARTS:
        result = explore(FaultBudget(), states_max=SEARCHED, seconds_max=inf, watchers=(taken,), start=start)
        assert not result.violation, result.story
