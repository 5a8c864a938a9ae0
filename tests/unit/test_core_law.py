"""Every condition that stops an act is weighed in one table, and no rule tests one by hand."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from aoeha.core.fencing import forecast
from aoeha.core.model import code_entry, law
from aoeha.core.model.code_book import BOOK
from aoeha.core.model.conditions import Code, Condition, Subject
from aoeha.core.model.law import Act, Kind, parsed
from aoeha.core.model.state import Leaving, Revalidation
from aoeha.core.ownership import blockers
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings

CORE = Path(__file__).parents[2] / "aoeha" / "core"
FLAGS = ("paused", "panicking", "ownership_unverified", "revalidating", "duplicate_name", "storage_lost")
PATTERNS = {"ownership_unverified": r"\.(?:ownership_)?unverified\b"}
"""Where the term's own field could be read instead."""
HOMES = {
    "paused": {"operator/pause.py", "beats.py", "memory.py", "peer/disk_heartbeat.py", "step.py"},
    "panicking": {"ownership/own_stall.py", "memory.py"},
    "ownership_unverified": {"ownership/own_stall.py"},
    "revalidating": {"ownership/own_stall.py"},
    "duplicate_name": {"peer/membership.py"},
    "storage_lost": {"resources/storage_loss.py"},
}
"""Where a flag is set, or passed on as a fact: to a beat, a record or the memory."""


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_read_in_its_home_and_in_the_law_alone(flag: str) -> None:
    readers = {
        str(path.relative_to(CORE))
        for path in CORE.rglob("*.py")
        if re.search(PATTERNS.get(flag, rf"\.{flag}\b"), path.read_text())
        and path.relative_to(CORE).parts[0] != "model"
    }
    assert readers <= HOMES[flag], "ask aoeha.core.model.law instead"


def test_an_empty_cell_is_an_error() -> None:
    with pytest.raises(AssertionError, match="a cell is empty"):
        parsed("      start stop\npaused  x\n")
    with pytest.raises(AssertionError, match="neither x nor -"):
        parsed("      start stop\npaused  x ?\n")
    with pytest.raises(AssertionError, match="an act is missing"):
        parsed("      start stop\npaused  x x\n")


def test_an_unknown_condition_stops_every_act_but_a_stop() -> None:
    acts = [act.value for act in Act]
    stopped_by = parsed(" " * 10 + " ".join(acts) + "\npaused " + " ".join("-" for _ in acts))
    assert all(Kind.STANDBY in stopped_by[act] for act in Act if act is not Act.STOP)
    assert Kind.STANDBY not in stopped_by[Act.STOP]
    assert not any(Kind.PAUSED in kinds for kinds in stopped_by.values())


def test_every_condition_of_the_table_is_tested_somewhere() -> None:
    assert forecast.TESTS.keys() == set(Kind), "a row that nothing reads is decoration"


def test_every_condition_stops_something() -> None:
    assert {kind for kinds in law.STOPPED_BY.values() for kind in kinds} == set(Kind)


@pytest.mark.parametrize(
    ("act", "codes", "prefix"),
    [
        (Act.CLAIM, blockers.TAKEOVER_REFUSED, "takeover.refused."),
        (Act.START, blockers.START_REFUSED, "start.refused."),
    ],
)
def test_a_condition_that_stops_a_group_from_running_here_has_its_own_code(
    act: Act, codes: Mapping[Kind, Code], prefix: str
) -> None:
    told = {kind: code.value for kind, code in codes.items()}
    assert told == {kind: f"{prefix}{kind.value}" for kind in law.STOPPED_BY[act]}
    assert all(BOOK[code].kind is code_entry.Kind.REFUSAL for code in codes.values())


def test_a_condition_that_stops_an_act_has_a_sentence() -> None:
    world = Settings(reserve=1).world()
    do(world, "boot alpha beta")
    world.run(20_000)
    daemon = world.machines["alpha"].daemon
    assert daemon is not None
    state = daemon.state
    assert state is not None
    term = state.groups[0].term
    assert term is not None
    doubted = replace(term, unverified=True, storage_lost=True, yielding="a switchover")
    group = replace(state.groups[0], term=doubted)
    troubled = replace(
        state,
        **dict.fromkeys(("standby", "left", "paused"), True),
        panic=Condition(Code.GROUP_BLOCKED, Subject.group("storage"), "it is blocked"),
        leaving=Leaving(by_ms=1),
        revalidation=Revalidation(until_ms=1),
        peer=replace(state.peer, alternated_ms=1),
        groups=(group,),
    )
    for kind in FLAG_KINDS:
        assert law.TESTS[kind](troubled, group), kind
        assert not law.TESTS[kind](state, state.groups[0]), kind


FLAG_KINDS = (
    Kind.STANDBY,
    Kind.PANICKING,
    Kind.LEAVING,
    Kind.LEFT,
    Kind.PAUSED,
    Kind.REVALIDATING,
    Kind.DUPLICATE_NAME,
    Kind.UNVERIFIED,
    Kind.STORAGE_LOST,
    Kind.HANDING_OVER,
)
