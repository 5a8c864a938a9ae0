"""The screen of `aoeha status`, compared with golden texts: read a changed one before you keep it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aoeha.cli.status_text import render_status

HERE = Path(__file__).parent


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return loaded


@pytest.mark.parametrize("name", ["healthy", "trouble"])
def test_status_reads_as_recorded(name: str) -> None:
    assert render_status(document(name)) == (HERE / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", ["healthy", "trouble"])
def test_no_line_is_wider_than_eighty_columns(name: str) -> None:
    assert [line for line in render_status(document(name)).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", ["healthy", "trouble"])
def test_colour_changes_no_character_of_the_text(name: str) -> None:
    coloured = render_status(document(name), colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_status(document(name))


def test_the_last_words_are_verdict_and_why() -> None:
    last_block = render_status(document("healthy")).split("\n\n")[-1]
    assert [line.split()[0] for line in last_block.splitlines() if not line.startswith(" ")] == ["verdict", "why"]


def test_not_protected_is_in_capitals_only_when_it_is_so() -> None:
    assert "NOT PROTECTED" not in render_status(document("healthy"))
    assert "NOT PROTECTED" in render_status(document("healthy") | {"protected": False})


def test_a_document_of_a_younger_daemon_with_keys_missing_is_still_shown() -> None:
    assert render_status({"cluster": "gw"}).startswith("cluster gw")
