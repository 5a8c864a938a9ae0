"""The pair's life as short stories, where no incident (tests/scenarios) tells it already."""

from dataclasses import replace

import pytest
from stories import SERVING, broken, codes, hears, played, state_of

from aoeha.core.model.actions import StartTask
from aoeha.core.model.beat import BeatFlag, GroupPhase
from aoeha.core.model.conditions import Code
from aoeha.core.model.config import Identity
from aoeha.core.model.events import BeatHeard, Tick
from aoeha.core.model.task import TaskKind
from aoeha.core.step import initial, step
from aoeha.sim.stories.settings import Settings

STORIES = {
    "a fenced gateway is switched on, joins as standby, and takes over in its turn": """
        freeze alpha
        mark fenced
        expect served storage by beta within 20s
        expect alpha boots within 60s
        wait 40s
        expect served storage by beta
        freeze beta
        expect served storage by alpha within 20s
    """,
    "two groups on their preferred gateways, of which one is switched over, and its owner dies": """
        expect served archive by beta
        ask beta: switchover group=archive
        expect served archive by alpha within 10s
        expect served storage by alpha
        ask alpha: switchover group=archive
        expect served archive by beta within 10s
        power off beta
        expect served archive by alpha within 20s
        expect served storage by alpha
    """,
    "a switchover is taken back at once": """
        ask alpha: switchover wait_ms=20000
        expect served storage by beta within 10s
        ask beta: switchover wait_ms=20000
        expect served storage by alpha within 10s
    """,
    "no failback by itself": """
        ask alpha: switchover
        expect served storage by beta within 10s
        never served storage by alpha
        never alpha off
        never beta off
        wait 10m
    """,
    "standby hands over, and unstandby allows a start again": """
        ask alpha: standby wait_ms=20000
        expect served storage by beta within 10s
        power off beta
        wait 20s
        expect served storage by nobody
        ask alpha: unstandby
        expect served storage by alpha within 20s
    """,
    "the last gateway leaves, and the other starts on its word": """
        ask beta: standby
        wait 1s
        never alpha off
        never beta off
        ask alpha: leave
        wait 40s
        expect served storage by nobody
        ask beta: unstandby
        expect served storage by beta within 10s
    """,
    "a gateway that could not start the group never fences": """
        break beta validate mirror fail
        wait 30s
        power off alpha
        wait 60s
        expect served storage by nobody
    """,
    "an owner that slept while its peer was off serves on": """
        power off beta
        wait 10s
        never alpha off
        freeze alpha for 5s
        wait 20s
        expect served storage by alpha
    """,
    "a sleeper does not judge its peer by beats that it could not hear": """
        never alpha off
        never beta off
        freeze beta for 10s
        wait 30s
        expect served storage by alpha
    """,
    "a release that the peer has not heard of ends with one owner": """
        cut serial1
        cut ether1
        ask alpha: switchover
        wait 60s
        expect served storage by somebody
    """,
}
PAIRS = {
    "two groups on their preferred gateways, of which one is switched over, and its owner dies": (
        "pair groups=storage:alpha,archive:beta"
    )
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_it_promises(name: str) -> None:
    assert broken(STORIES[name], pair=PAIRS.get(name, "pair")) == []


@pytest.mark.parametrize("links", [1, 8])
def test_the_preferred_gateway_starts_whatever_the_number_of_links(links: int) -> None:
    world = played(pair=f"pair links={links}")
    assert world.machines["alpha"].serves("storage")
    assert not world.machines["beta"].serves("storage")


def test_the_preferred_gateway_starts_even_if_it_looks_around_more_slowly() -> None:
    world = played(begin="boot beta\nwait 300ms\nboot alpha\nexpect served storage by alpha within 20s")
    assert world.machines["alpha"].serves("storage")


def test_what_is_not_sound_is_refused() -> None:
    world = played("ask beta: confirm node=alpha\nask beta: confirm node=gamma")
    assert codes(world, "beta") == [Code.COMMAND_REFUSED_PEER_NOT_SILENT, Code.COMMAND_USAGE]
    world = played("ask beta: standby\nwait 1s\nask alpha: switchover\nwait 20s\nexpect served storage by alpha")
    assert codes(world, "alpha") == [Code.COMMAND_REFUSED_PEER_NOT_READY]


def test_an_operators_word_ends_with_the_first_beat() -> None:
    played("""
        device switch dead
        ask beta: standby
        wait 1s
        cut serial1
        cut ether1
        wait 5s
        ask beta: confirm node=alpha
        heal
        wait 1s
        ask beta: unstandby
        cut serial1
        cut ether1
        wait 20s
        expect served storage by alpha
    """)


def test_a_restart_that_was_announced_is_waited_for() -> None:
    """The first beat of a restarting daemon says how long the rest takes: silence counts from then (R15)."""
    world = played("crash alpha")
    hears(world, "beta", incarnation=2, sequence=0, flags=BeatFlag.RESTARTING, back_within_ms=8_000)
    world.run(10_000)
    assert world.machines["alpha"].alive
    world.run(5_000)
    assert world.machines["alpha"].boots == 2 or not world.machines["alpha"].alive


def test_a_late_beat_with_a_claim_starts_no_storm_of_claims() -> None:
    """The proof falls while the storage starts: the lower rank gives way once, and does not claim at each step."""
    world = played("power off alpha")
    while not state_of(world, "beta").groups[0].holding:
        world.run(10)
    state = state_of(world, "beta")
    last = state.peer.beat
    assert last is not None
    epoch = last.groups[0].epoch + 9
    claiming = replace(last.groups[0], phase=GroupPhase.STOPPED, holding=False, claim=7, claim_epoch=epoch)
    late = replace(last, sequence=last.sequence + 1, echo_sequence=state.sequence + 1, groups=(claiming,))
    for _ in range(20):
        state, _ = step(state, BeatHeard(state.now_ms, "ether1", late))
        late = replace(late, sequence=late.sequence + 1)
    assert not state.groups[0].holding
    assert state.groups[0].claims <= 1


def test_every_event_sequence_is_answered_the_same_twice() -> None:
    config, identity = Settings().configs()["alpha"], Identity("a" * 32, 1)
    state, actions = initial(config, identity, None, 0)
    assert (state, actions) == initial(config, identity, None, 0)
    again = [step(state, Tick(at_ms)) for at_ms in (200, 400, 20_000)]
    assert again == [step(state, Tick(at_ms)) for at_ms in (200, 400, 20_000)]


def test_no_start_task_ever_leaves_without_a_proof_in_the_state() -> None:
    state, _ = initial(Settings().configs()["beta"], Identity("b" * 32, 1), None, 0)
    _, actions = step(state, Tick(60_000))
    assert not [action for action in actions if isinstance(action, StartTask) and action.task.kind is TaskKind.START]


def test_a_pair_that_serves_has_fenced_nobody() -> None:
    assert not played(begin=SERVING).counts["fence", "beta"]
