"""A value that differs in a few fields is a value of its own, and only of fields that exist."""

import pytest

from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import LinkState


def test_the_first_value_stays_as_it_was() -> None:
    link = LinkState("ether-a", heard_ms=1_000)
    later = replaced(link, heard_ms=2_000)
    assert (link.heard_ms, later.heard_ms) == (1_000, 2_000)
    assert later == LinkState("ether-a", heard_ms=2_000)


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AttributeError, match="LinkState has no field herd_ms"):
        replaced(LinkState("ether-a"), herd_ms=2_000)
