"""The key file: what is accepted, and what an error may show."""

import contextlib
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import BOOTS, KEY, OTHER_KEY, Gateway

from aoeha.wire.keys import Key, KeyFileError, parse_keys

SECRET = "5e" * 32


def test_comments_and_empty_lines_are_skipped_and_the_order_is_kept() -> None:
    text = f"# made by keygen\n\n 7  {SECRET} # new\n1\t{'A1' * 40}\n"
    assert parse_keys(text, "keys") == (Key(7, bytes.fromhex(SECRET)), Key(1, b"\xa1" * 40))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (SECRET, "found 1 words"),
        (f"1 {SECRET} {SECRET}", "found 3 words"),
        (f"0 {SECRET}", "from 1 to 255"),
        (f"256 {SECRET}", "from 1 to 255"),
        (f"{SECRET} 1", "from 1 to 255"),
        (f"² {SECRET}", "from 1 to 255"),
        (f"1 {SECRET}g", "must be hex digits"),
        (f"1 {SECRET[:-2]}", "it has 31 bytes, 32 are needed"),
        (f"9 {SECRET}", "cannot take key 9 twice"),
    ],
)
def test_errors_name_file_and_line_and_show_nothing_of_a_key(line: str, says: str) -> None:
    with pytest.raises(KeyFileError, match=r"^/etc/aoeha/keys:3: cannot ") as raised:
        parse_keys(f"9 {SECRET}\n\n{line}\n", "/etc/aoeha/keys")
    assert says in str(raised.value)
    shown = "".join(traceback.format_exception_only(raised.value)) + repr(raised.value.__cause__)
    assert "5e5e" not in shown
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_an_empty_file_says_how_to_make_a_key() -> None:
    with pytest.raises(KeyFileError, match="aoeha keygen"):
        parse_keys("# nothing\n", "keys")


def test_a_key_does_not_show_its_secret() -> None:
    assert "5e" not in repr(Key(1, bytes.fromhex(SECRET)))


@given(st.text())
def test_any_text_is_keys_or_a_key_file_error(text: str) -> None:
    with contextlib.suppress(KeyFileError):
        assert parse_keys(text, "keys")


def test_keys_rotate_without_a_gap() -> None:
    """Each step is done on one gateway after the other, in either order; every beat counts in between."""
    steps = [(KEY,), (KEY, OTHER_KEY), (OTHER_KEY, KEY), (OTHER_KEY,)]
    alpha, beta = Gateway("alpha", BOOTS[0], keys=steps[0]), Gateway("beta", BOOTS[1], keys=steps[0])
    for keys in steps:
        alpha.keys = keys
        alpha = alpha.restarted()
        assert both_hear_again(alpha, beta)
        beta.keys = keys
        beta = beta.restarted()
        assert both_hear_again(alpha, beta)


def both_hear_again(alpha: Gateway, beta: Gateway) -> bool:
    """The first beat of each only introduces it."""
    beta.hears(alpha.send())
    alpha.hears(beta.send())
    return beta.hears(alpha.send()) and alpha.hears(beta.send())


def test_a_removed_key_is_a_wrong_key() -> None:
    alpha, beta = Gateway("alpha", BOOTS[0], keys=(KEY,)), Gateway("beta", BOOTS[1], keys=(OTHER_KEY,))
    assert beta.why_not(alpha.send()) == "wrong_key"
    assert beta.receiver.count("lan")["wrong_key"] == 1
