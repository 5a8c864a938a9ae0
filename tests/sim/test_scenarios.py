"""Incidents (tests/scenarios/*.txt): each gives exactly the trace that was recorded, and breaks nothing.

`aoeha simulate --rewrite tests/scenarios/*.txt` records them anew; then read what changed.
"""

import os
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
    stories = sorted((read(path) for path in FILES), key=lambda each: [line for _, line in each.commands])[:6]
    assert list(perform_all(stories)) == [perform(story) for story in stories]


def test_no_two_incidents_are_alike() -> None:
    scenarios = [read(path) for path in FILES]
    stories = {(scenario.settings.line(), *(line for _, line in scenario.commands)) for scenario in scenarios}
    assert len(stories) == len(scenarios) >= ENOUGH
    assert len({scenario.never for scenario in scenarios}) == len(scenarios)


def test_a_scenario_without_its_sentence_is_refused() -> None:
    with pytest.raises(ScenarioError, match="never SENTENCE"):
        parse("nameless", "boot alpha\n----\n")


@pytest.mark.parametrize("line", ["explode alpha", "cut serial9", "boot gamma", "wait soon", "pair wheels=4"])
def test_a_line_that_means_nothing_is_named(line: str) -> None:
    with pytest.raises(ScenarioError, match="odd:"):
        perform(parse("odd", f"never Anything happens.\n{line}\n----\n"))


def test_rewriting_twice_changes_nothing() -> None:
    once = rewritten(read(FILES[0]))
    assert rewritten(parse(FILES[0].stem, once)) == once
