"""A change that the law does not name is loud, and what steps leave behind is reached by changes that it names."""

from enum import Enum

import pytest

from aoeha.core.model.config import Identity
from aoeha.core.model.fence import FencePhase, FenceState
from aoeha.core.model.power_order import OrderStage, PowerAct, PowerOrder
from aoeha.core.model.state import LinkCondition, PeerCondition, ResourcePhase
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.transitions import BEGIN, LEGAL, MACHINES
from aoeha.core.step import initial
from aoeha.sim.stories.settings import Settings

STATES: dict[str, type[Enum]] = {
    "peer": PeerCondition,
    "link": LinkCondition,
    "resource": ResourcePhase,
    "fence": FencePhase,
}


def begun() -> StepContext:
    state, _ = initial(Settings().configs()["alpha"], Identity("a" * 32, 1), None, 1_000)
    return StepContext(state)


def reached(state: Enum) -> set[Enum]:
    """All states that legal changes lead to from this one."""
    found: set[Enum] = set()
    left = [state]
    while left:
        new = set(LEGAL[left.pop()]) - found
        found |= new
        left += new
    return found


def test_a_fence_that_settles_without_having_switched_off_is_our_bug() -> None:
    step = begun()
    with pytest.raises(AssertionError, match="illegal transition of a FencePhase: idle -> settling"):
        step.change_fence(phase=FencePhase.SETTLING)
    step.change_fence(phase=FencePhase.WAITING)
    with pytest.raises(AssertionError, match="waiting -> reading back"):
        step.change(fence=FenceState(FencePhase.READING_BACK))


def test_a_resource_that_runs_without_a_start_is_our_bug() -> None:
    step = begun()
    step.change_resource("storage", "mirror", phase=ResourcePhase.STOPPED)
    with pytest.raises(AssertionError, match="stopped -> running"):
        step.change_resource("storage", "mirror", phase=ResourcePhase.RUNNING)


def test_a_peer_that_was_heard_is_never_unheard_again() -> None:
    step = begun()
    step.change_peer(condition=PeerCondition.ONLINE)
    with pytest.raises(AssertionError, match="online -> unheard"):
        step.change_peer(condition=PeerCondition.NEVER_SEEN)
    with pytest.raises(AssertionError, match="unheard -> late"):
        step.change_link("ether1", condition=LinkCondition.LATE)


def test_an_order_that_was_read_is_not_off_again() -> None:
    step = begun()
    step.change(order=PowerOrder(PowerAct.TEST, OrderStage.READING, "root", 1, 0))
    with pytest.raises(AssertionError, match="reading -> off"):
        step.change_order(stage=OrderStage.OFF)


def test_the_law_knows_every_state() -> None:
    assert set(LEGAL) == {state for kind in (*STATES.values(), OrderStage) for state in kind}


@pytest.mark.parametrize("name", STATES)
def test_what_steps_leave_behind_is_reached_by_legal_changes(name: str) -> None:
    for before, followers in MACHINES[name].moves.items():
        for after in followers if before != BEGIN else ():
            assert STATES[name](after) in reached(STATES[name](before)), f"{before} -> {after}"


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_has_a_meaning(name: str) -> None:
    machine = MACHINES[name]
    named = {state for state in machine.moves if state != BEGIN}.union(*machine.moves.values())
    assert set(machine.meanings) == named
