"""What a node knew of one term of ownership ends with it, however it ends."""

from dataclasses import replace

import pytest
from pair import pair_config

from aoeha.core.model.config import Identity
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.state import NodeState, ResourcePhase
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.term import Term
from aoeha.core.ownership import claims, group_beat
from aoeha.core.step import initial

NAME = "storage"
TERM = Term(
    Proof(ProofKind.HANDED_OVER, NAME, 3, "b" * 32), yielding="switchover", unverified=True, legs_transferred=("leg0",)
)


def owner() -> NodeState:
    """A node that could serve its group again, and was stalled while it handed it over."""
    state, _ = initial(pair_config("alpha", "beta"), Identity("a" * 32, 1), None, 1_000)
    (group,) = state.groups
    stopped = tuple(replace(one, phase=ResourcePhase.STOPPED, valid=True) for one in group.resources)
    return replace(state, groups=(replace(group, epoch=3, term=TERM, resources=stopped),))


def test_a_node_that_lost_what_it_was_handing_over_may_be_given_it_again() -> None:
    step = StepContext(owner())
    claims.drop(step, NAME, "alpha was fenced while it was stalled")
    beat = group_beat.group_beat(step.state, step.state.group(NAME))
    assert (beat.holding, beat.yielding, beat.willing) == (False, False, True)


def test_a_term_can_be_changed_only_while_there_is_one() -> None:
    step = StepContext(owner())
    claims.drop(step, NAME, "alpha was fenced while it was stalled")
    with pytest.raises(AssertionError, match="storage is not owned"):
        step.change_term(NAME, yielding="again")
