"""What comes from outside is shown as text: nothing of it steers a terminal or forges a line."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoeha.core.model.text import one_line, shown


@given(st.text())
def test_nothing_that_is_shown_steers_a_terminal(text: str) -> None:
    for told in (shown(text), one_line(text)):
        assert told.isprintable()
        assert not {unicodedata.category(each) for each in told} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text())
def test_what_is_shown_already_stays_as_it_is(text: str) -> None:
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plug 7 reads off", "plug 7 reads off"),
        ("Steckdose „größer“ aus, 電源オフ", "Steckdose „größer“ aus, 電源オフ"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\x9b31mred", r"a\x9b31mred"),
        ("\u202eevil", r"\u202eevil"),
        ("off\r\non", r"off\r\non"),
        ("\udc80", r"\udc80"),
    ],
)
def test_what_is_printable_is_kept_and_the_rest_is_an_escape(text: str, told: str) -> None:
    assert shown(text) == told


def test_a_sentence_is_one_line() -> None:
    assert one_line("  it\tis\r\n down\x1b ") == r"it is down\x1b"
