"""What a node knew of one term of ownership ends with it, however it ends."""

from dataclasses import replace

import pytest

from aoeha.core.model.beat import Ledger
from aoeha.core.model.config import Identity, ResourceConfig
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.state import NodeState, ResourcePhase, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.term import Term
from aoeha.core.ownership import claims, group_beat
from aoeha.core.step import check_invariants, initial
from aoeha.sim.stories.settings import Settings

NAME = "storage"
TERM = Term(
    Proof(ProofKind.HANDED_OVER, NAME, 3, "b" * 32), yielding="switchover", unverified=True, legs_transferred=("leg0",)
)


def owner() -> NodeState:
    """A node that could serve its group again, and was stalled while it handed it over."""
    state, _ = initial(Settings().configs()["alpha"], Identity("a" * 32, 1), None, 1_000)
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


def with_ledger(*, version: int = 5, fence: tuple[int, ...] = (0, 1), start: tuple[int, ...] = (0, 1)) -> NodeState:
    """An owner of a mirror of two legs, of which one is missing, with a ledger."""
    state = owner()
    (group,) = state.groups
    mirror = ResourceState(ResourceConfig("mirror", mirror=True), ResourcePhase.DEGRADED, missing=("leg1",))
    legs = tuple(LegState(name, (AddressState(name),)) for name in ("leg0", "leg1"))
    term = replace(TERM, ledger=Ledger(version, fence, start))
    return replace(state, groups=(replace(group, term=term, resources=(mirror,), legs=legs),))


GOOD = with_ledger(start=(0,))


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        (with_ledger(fence=(1,), start=(0,)), "need not be fenced"),
        (with_ledger(start=(0, 1)), "from a leg that it goes without"),
        (with_ledger(fence=(0,), start=(0,)), "two ledgers of one version"),
        (with_ledger(version=4, start=(0,)), "two ledgers of one version"),
    ],
)
def test_a_ledger_that_promises_too_much_is_loud(after: NodeState, broken: str) -> None:
    check_invariants(GOOD, GOOD, ())
    with pytest.raises(AssertionError, match=f"I2: .*{broken}"):
        check_invariants(GOOD, after, ())


def test_a_later_term_may_begin_its_ledger_again() -> None:
    (group,) = GOOD.groups
    earlier = replace(group, term=replace(TERM, proof=replace(TERM.proof, epoch=2), ledger=Ledger(9, (0,), (0,))))
    check_invariants(replace(GOOD, groups=(earlier,)), GOOD, ())
