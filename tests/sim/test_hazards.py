"""docs/hazards.md names for each hazard what answers it, and each incident names its hazards: both say the same."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "tests/scenarios"
NUMBERS = [*(f"H{n}" for n in range(1, 30)), *(f"M{n}" for n in range(1, 14)), *(f"MF{n}" for n in range(1, 6))]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/hazards.md").read_text().splitlines()
    if re.match(r"\| (H|MF?)\d", line)
]
IDS = [row[0] for row in ROWS]
MARK = "# hazards: "


def named_in(row: list[str]) -> list[str]:
    return re.findall(r"`([^`]+)`", row[3])


def marks_of(path: Path) -> list[str]:
    """The hazards that an incident names, in the line below its first sentence."""
    line = path.read_text().splitlines()[1]
    return line.removeprefix(MARK).split(", ") if line.startswith(MARK) else []


def test_every_hazard_has_its_line_in_order() -> None:
    plain = [re.sub(r"[a-d]$", "", name) for name in IDS]
    assert list(dict.fromkeys(plain)) == NUMBERS
    assert len(set(IDS)) == len(IDS)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_line_names_its_rule_and_what_exists_or_says_that_it_is_open(row: list[str]) -> None:
    assert len(row) == 4
    assert row[1].endswith(".")
    assert re.fullmatch(r"R\d+(, R\d+)*", row[2])
    assert named_in(row) or row[3].startswith("open: ")
    for name in named_in(row):
        file, _, test = name.partition("::")
        path = SCENARIOS / file if file.endswith(".txt") else ROOT / "tests" / file
        assert path.is_file(), f"there is no {name}"
        assert not test or f"def {test}(" in path.read_text(), f"there is no {name}"


def test_incidents_and_lines_name_each_other() -> None:
    by_lines = {(row[0], name) for row in ROWS for name in named_in(row) if name.endswith(".txt") and "/" not in name}
    by_incidents = {(mark, path.name) for path in SCENARIOS.glob("*.txt") for mark in marks_of(path)}
    assert by_incidents == by_lines


def test_an_incident_names_its_hazards_in_its_second_line_only() -> None:
    for path in SCENARIOS.glob("*.txt"):
        places = [n for n, line in enumerate(path.read_text().splitlines()) if line.startswith("# hazard")]
        assert places in ([], [1]), path.name
