"""What a node tells again and again is not read any more (I8)."""

from pathlib import Path

from aoeha.sim.stories.scenario import perform, read

STORY = Path(__file__).resolve().parents[1] / "scenarios/second-leg-silent-and-the-switch-dead.txt"


def test_a_taker_without_a_proof_does_not_tell_two_refusals_in_turn() -> None:
    told = [line for line in perform(read(STORY)) if " refuses " in line and "takeover." in line]
    assert ["leg-not-reserved" in line for line in told] == [True, False]
    assert "takeover.refused.no-proof" in told[-1]
