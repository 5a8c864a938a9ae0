"""Incidents (tests/scenarios/*.txt): each gives exactly the trace that was recorded, and breaks nothing.

`aoeha simulate --rewrite tests/scenarios/*.txt` records them anew; then read what changed.
"""

import os
import re
from pathlib import Path

import pytest

from aoeha.sim.stories.incidents import findings, perform_all
from aoeha.sim.stories.scenario import ScenarioError, parse, perform, read, rewritten

FOLDER = Path(__file__).parents[1] / "scenarios"
FILES = sorted(FOLDER.glob("*.txt"))
ENOUGH = 60
JOBS = int(os.environ.get("AOEHA_JOBS", "2"))


def test_every_incident_goes_as_it_was_recorded() -> None:
    """`make incidents` does this alone; what goes otherwise is read after `aoeha simulate --rewrite FILE`."""
    found = list(findings(FILES, JOBS))
    assert [f"{each.path}: {each.fault}" for each in found if each.fault] == []
    assert {each.path for each in found} == set(FILES)


def test_a_story_that_shares_its_beginning_goes_as_it_does_alone() -> None:
    stories = sorted((read(path) for path in FILES), key=lambda each: [one.source for one in each.statements])[:6]
    assert list(perform_all(stories)) == [perform(story) for story in stories]


def test_no_two_incidents_are_alike() -> None:
    stories = {tuple(line for line in read(path).head.splitlines() if not line.startswith("#")) for path in FILES}
    firsts = {path.read_text(encoding="utf-8").partition("\n")[0] for path in FILES}
    assert len(stories) == len(firsts) == len(FILES) >= ENOUGH


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_an_incident_says_what_must_not_happen_and_promises_what_can_be_checked(path: Path) -> None:
    assert re.match(r"# Never: .", path.read_text(encoding="utf-8"))
    assert [statement for statement in read(path).statements if statement.is_promise]


def test_a_story_that_promises_nothing_is_refused() -> None:
    with pytest.raises(ScenarioError, match="promises nothing"):
        parse("idle", "boot alpha\n----\n")


@pytest.mark.parametrize(
    "line", ["explode alpha", "cut serial9", "boot gamma", "wait soon", "pair wheels=4", "expect served attic by alpha"]
)
def test_a_line_that_means_nothing_is_named(line: str) -> None:
    with pytest.raises(ScenarioError, match="odd:2"):
        perform(parse("odd", f"never both serve storage\n{line}\n----\n"))


POWER_LOSS = "boot alpha beta\nwait 20s\n{before}\npower off alpha\n{after}\n"


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("never both serve storage", "wait 20s", True),
        ("never writes lost", "wait 20s", True),
        ("never served storage by nobody", "wait 20s", False),
        ("never served storage by beta", "wait 20s", False),
        ("never alpha off", "wait 1s", False),
        ("never beta off", "wait 20s", True),
        ("", "expect served storage by beta within 20s", True),
        ("", "expect served storage by beta within 1s", False),
        ("", "expect served storage by nobody", True),
        ("", "expect alpha off", True),
        ("", "power on alpha\nwait 20s\nexpect alpha off", False),
        ("", "expect alpha on within 1s", False),
        ("mark begun", "power on alpha\nexpect alpha boots within 60s", True),
        ("mark begun", "expect beta lives on within 1s", True),
        ("", "expect writes within 1s", False),
        ("", "expect writes within 30s", True),
        ("", "expect quiet for 1s", True),
        ("", "expect quiet for 20s", False),
        ("", "expect mirror whole", True),
    ],
)
def test_a_promise_is_checked(before: str, after: str, kept: bool) -> None:
    trace = perform(parse("power-loss", POWER_LOSS.format(before=before or "never both serve storage", after=after)))
    assert bool(re.search(r"BROKEN +promise", trace[-1])) is not kept, trace[-1]


@pytest.mark.parametrize(("shelf", "kept"), [("", True), ("shelf shelf1 silent\nwait 60s\n", False)])
def test_a_mirror_that_has_lost_a_leg_is_told_from_a_whole_one(shelf: str, kept: bool) -> None:
    trace = perform(parse("legs", f"boot alpha beta\nwait 20s\n{shelf}expect mirror whole\n"))
    assert (" BROKEN " in trace[-1]) is not kept


def test_both_gateways_serving_breaks_the_promise_even_where_the_oracle_excuses_it() -> None:
    """A plug that feeds another machine: the proof is false, and no rule can know."""
    story = read(FOLDER / "miswired-plug.txt").head.replace("never beta off", "never both serve storage")
    assert "never both serve storage: it is so" in perform(parse("miswired-plug", story))[-1]


def test_rewriting_twice_changes_nothing() -> None:
    once = rewritten(read(FILES[0]))
    assert rewritten(parse(FILES[0].stem, once)) == once
