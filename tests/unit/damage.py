"""Damage for fuzz tests: good content with a few bytes of it lost, changed or put in."""

from collections.abc import Sequence

from hypothesis import strategies as st

__all__ = ["Edits", "damaged", "damaged_text", "edits", "spoilt"]

ODD = (
    b"", b"\0", b"\n", b" ", b"-1", b"0", b"\xff", b"\x1b[2J", b"9" * 400, b"[" * 3_000,
    b'"', b"'", b"<", b"=", b"/", b"..",
    *(text.encode() for text in ("\u00b2", "\u0663", "\x85", "\u2028", "\u202e", "\ufeff")),
)  # fmt: skip
"""What readers stumble over: digits that are none, ends of lines that are none, numbers without end, nesting."""


Edits = list[tuple[int, int, bytes]]
"""Where, how many bytes are lost there, and what comes in their place."""

edits: st.SearchStrategy[Edits] = st.lists(
    st.tuples(st.integers(0, 9_999), st.integers(0, 12), st.sampled_from(ODD) | st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)


def spoilt(content: bytes, changes: Edits) -> bytes:
    """Return the content with these changes. A place beyond its end is counted from its beginning again."""
    for place, length, new in changes:
        start = place % (len(content) + 1)
        content = content[:start] + new + content[start + length :]
    return content


def damaged(corpus: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of the corpus, with one to four places of it spoilt."""
    return st.builds(spoilt, st.sampled_from(corpus), edits)


def damaged_text(corpus: Sequence[str]) -> st.SearchStrategy[str]:
    """The same as text, as what a program says is read."""
    return damaged([each.encode() for each in corpus]).map(lambda content: content.decode(errors="replace"))
