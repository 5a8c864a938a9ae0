"""Whether a gateway that is fenced could be heard: what it speaks counts, and what it has signed with."""

import pytest
from judged_pair import OFF, Pair

from aoeha.sim.judges.fences import FenceJudge
from aoeha.sim.world.speech import SPEECHES, Speech
from aoeha.sim.world.violation import Violation

UNHEARD = ("other-key", "other-secret", "other-cluster")
"""What shares nothing with what the peer has: after a time its silence may be believed (R17)."""


def fenced_while_it_speaks(*speeches: str) -> str:
    """The invariant that is named when beta fences alpha long after alpha began to speak so, empty for none."""
    spoken = (line for speech in speeches for line in (f"speaks alpha {speech}", "wait 30"))
    pair = Pair("pair reserve=1", "ask alpha: pause", "wait 2", *spoken)
    try:
        pair.judge(FenceJudge).task_started(pair.beta, OFF)
    except Violation as violation:
        return violation.invariant
    return ""


@pytest.mark.parametrize("speech", SPEECHES)
def test_who_can_be_authenticated_is_not_fenced(speech: str) -> None:
    assert fenced_while_it_speaks(speech) == ("" if speech in UNHEARD else "I5")


def test_an_excuse_ends_with_its_cause() -> None:
    assert fenced_while_it_speaks("other-key", "same") == "I5"


@pytest.mark.parametrize("name", SPEECHES)
def test_what_is_understood_is_authenticated_both_ways(name: str) -> None:
    mine, theirs = Speech(), SPEECHES[name]
    assert mine.shares(theirs) == theirs.shares(mine) == (name not in UNHEARD)
    assert mine.understands(theirs) == theirs.understands(mine) == (name not in (*UNHEARD, "later-version"))
