"""One language for both worlds: what is understood, and what is refused with its file, its line and who knows it."""

import re
from pathlib import Path

import pytest

from aoeha.rack.drills import scenario as rack
from aoeha.scenario.grammar import ScenarioError, milliseconds, parse
from aoeha.scenario.statements import STATEMENTS, World
from aoeha.sim.stories import scenario as simulator
from aoeha.sim.stories.commands import VERBS

SCENARIOS = Path(__file__).parents[1] / "scenarios"
PLAYED_BY_BOTH = ("owner-loses-power", "all-links-cut", "target-restarts-in-normal-operation")
OF_THE_STORY = {"wait", "mark", "expect", "never"}


def test_every_statement_of_the_simulator_has_somebody_who_carries_it_out() -> None:
    verbs = {form.usage.split()[0] for form in STATEMENTS if World.SIMULATOR in form.worlds and not form.is_head} - {
        "end"
    }
    assert verbs - OF_THE_STORY == set(VERBS)


def test_no_two_statements_have_one_kind() -> None:
    kinds = [form.kind for form in STATEMENTS]
    assert sorted(set(kinds)) == sorted(kinds)


@pytest.mark.parametrize(
    ("world", "line", "told"),
    [
        (World.SIMULATOR, "slow power-switch by 5s", "only the rack knows it, not the simulator"),
        (World.RACK, "jump alpha 5s", "only the simulator knows it, not the rack"),
        (World.RACK, "freeze", "write freeze NAME [[for] TIME]"),
        (World.SIMULATOR, "expect served storage by", "write expect served NAME by NAME [within TIME]"),
        (World.SIMULATOR, "explode alpha", 'there is no statement "explode"'),
        (World.SIMULATOR, "end", 'no "repeat" stands above it'),
    ],
)
def test_what_a_world_does_not_know_is_refused_with_its_place(world: World, line: str, told: str) -> None:
    with pytest.raises(ScenarioError, match=f"story.txt:3: .*{re.escape(told)}"):
        parse("story.txt", f"# Never: x.\nwait 1s\n{line}\n", world)


def test_what_is_repeated_is_played_so_often() -> None:
    text = parse("story.txt", "repeat 2\nwait 1s\nwait 2s\nend\nwait 3s\n", World.SIMULATOR)
    assert [statement.time_ms for statement in text.play] == [1_000, 2_000, 1_000, 2_000, 3_000]
    with pytest.raises(ScenarioError, match=r'story.txt:1: this "repeat" has no "end"'):
        parse("story.txt", "repeat 2\nwait 1s\n", World.SIMULATOR)


@pytest.mark.parametrize(("text", "ms"), [("200ms", 200), ("1.5s", 1_500), ("10m", 600_000)])
def test_a_time_is_read(text: str, ms: int) -> None:
    assert milliseconds(text) == ms


@pytest.mark.parametrize("name", PLAYED_BY_BOTH)
def test_an_incident_is_read_by_both_worlds(name: str) -> None:
    """The rack makes the storage and its client at the first boot; all that follows is the same."""
    path = SCENARIOS / f"{name}.txt"
    there, here = rack.read(path).statements, simulator.read(path).statements
    booted = next(number for number, statement in enumerate(here) if statement.kind == "boot")
    assert here[booted + 1 :] == there[-len(here) + booted + 1 :]
    assert [each.kind for each in there[:3]] == ["boot", "storage", "daemon"]


def test_a_pair_that_the_rack_cannot_be_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"story:1: .* the rack has no hosts"):
        rack.parse("story", "pair reserve=1 hosts=1\nboot alpha beta\nexpect served storage by alpha within 5s\n")


def test_a_drill_whose_faults_exist_in_the_simulator_is_played_there() -> None:
    """A drill without what only the rack makes and judges."""
    drill = """
        pair reserve=1 resources=3
        boot alpha beta
        expect served storage by alpha within 40s
        wait 10s
        mark cut
        cut-san alpha
        wait 500ms
        heal-san alpha
        expect beta lives on
        power off alpha
        expect served storage by beta within 30s
        expect writes within 40s
        expect mirror whole within 60s
        never both serve storage
    """
    assert not [line for line in simulator.perform(simulator.parse("drill", drill)) if " BROKEN " in line]
    assert rack.parse("drill", drill).statements
