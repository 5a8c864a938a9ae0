"""The gate: the tests take every transition that the tables name, and none that they don't; the diagrams show them."""

from pathlib import Path

from taking import take_by_incidents, take_by_rare_stories, take_by_search

from aoeha.core.model.transitions import MACHINES, Machine
from aoeha.sim.judges.coverage import DOCS, Taken, diagrams, differences, main

ROOT = Path(__file__).parents[2]
UNREACHED = [
    "ownership: (a daemon starts) -> granted to the peer is never taken by a test",
    "ownership: free -> owns (rebooted) is never taken by a test",
    "ownership: owns (rebooted) -> yields (rebooted) is never taken by a test",
    "ownership: yields (rebooted) -> granted to the peer is never taken by a test",
    "resource: unknown -> starting is never taken by a test",
]
"""A new boot proves the end of the last one after deadtime only. A peer that hears us grants our claim before that.

No incident kills a daemon in the instant of its grant, nor has one start a resource in the step of its first look.
"""


def test_every_transition_is_taken_by_a_test_and_none_that_is_not_known() -> None:
    taken = Taken()
    for take in (take_by_rare_stories, take_by_incidents, take_by_search):
        take(taken)
    assert differences(taken.transitions) == UNREACHED


def test_the_gate_names_what_is_missing_and_what_is_new() -> None:
    machines = {"lamp": Machine("A lamp", "", {"off": ("on",), "on": ("off", "broken")}, {})}
    assert differences({("lamp", "off", "on"), ("lamp", "on", "off"), ("lamp", "broken", "on")}, machines) == [
        "lamp: on -> broken is never taken by a test",
        "lamp: broken -> on was taken and is in no table",
    ]


def test_the_document_is_up_to_date() -> None:
    written = (ROOT / DOCS).read_text()
    assert written == diagrams(), "run: python -m aoeha.sim.judges.coverage --write-docs"


def test_every_machine_has_its_diagram(tmp_path: Path) -> None:
    assert main(["--write-docs", str(tmp_path / "states.md")]) == 0
    written = (tmp_path / "states.md").read_text()
    assert written.count("```mermaid\nstateDiagram-v2\n") == len(MACHINES)
    assert "    late --> heard_by_the_shelves_only\n" in written
    assert "- *late*: nothing was heard for warntime.\n" in written
