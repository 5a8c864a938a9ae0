"""What a beat means after a plug was read as off: a table without a hole."""

import itertools

from aoeha.core.fencing.heard_after_off import MEANING, Heard, Meaning, Off


def test_the_table_has_every_case() -> None:
    assert set(MEANING) == set(itertools.product(Off, Heard))


def test_a_beat_that_goes_on_is_never_waited_on() -> None:
    assert all(MEANING[off, Heard.GOES_ON] in (Meaning.WRONG_PLUG, Meaning.ALIVE) for off in Off)


def test_a_late_beat_of_the_dead_voids_no_proof() -> None:
    assert all(MEANING[off, Heard.UNDER_WAY] in (Meaning.NOTHING, Meaning.LATE_BEAT) for off in Off)
