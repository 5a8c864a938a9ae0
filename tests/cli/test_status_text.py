"""The screens of `aoeha status`, as `make goldens` renders them from simulated pairs: read one that changed."""

import re

import pytest
from goldens import HERE, SCREENS, document, rendered, screen

from aoeha.cli.status_text import render_status


@pytest.mark.parametrize("name", SCREENS)
def test_a_document_is_what_a_gateway_tells_in_that_moment(name: str) -> None:
    assert rendered(name) == document(name), "run: make goldens"


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_what_is_printed_of_its_document(name: str) -> None:
    assert render_status(document(name)) == screen(name), "run: make goldens"


def test_no_screen_is_left_over() -> None:
    assert {path.stem for path in HERE.iterdir()} == set(SCREENS)


@pytest.mark.parametrize("name", SCREENS)
def test_no_line_is_wider_than_eighty_columns(name: str) -> None:
    assert [line for line in screen(name).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_has_sentences_and_no_data_structures(name: str) -> None:
    assert not re.search(r"[{}]|\bNone\b|\bTrue\b|\bFalse\b", screen(name))


@pytest.mark.parametrize("name", SCREENS)
def test_colour_changes_no_character_of_the_text(name: str) -> None:
    coloured = render_status(document(name), colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == screen(name)


@pytest.mark.parametrize("name", SCREENS)
def test_the_last_words_are_verdict_and_why(name: str) -> None:
    last_block = screen(name).split("\n\n")[-1]
    assert [line.split()[0] for line in last_block.splitlines() if not line.startswith(" ")] == ["verdict", "why"]


def test_not_protected_is_in_capitals_only_when_it_is_so() -> None:
    assert {name for name in SCREENS if "\nNOT PROTECTED" in screen(name)} == {"nobody-serves", "not-protected"}


def test_a_document_of_a_younger_daemon_with_keys_missing_is_still_shown() -> None:
    assert render_status({"cluster": "gw"}).startswith("cluster gw")
