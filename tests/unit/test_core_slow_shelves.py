"""How long shelves are waited for, and which of their answers come too late to count (R3, R18)."""

from dataclasses import replace

import pytest

from aoeha.core.model import shelf_patience
from aoeha.core.model.config import Identity
from aoeha.core.model.events import TaskDone
from aoeha.core.model.legs import AddressState, LegState, ShelvesState
from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import ReservationsRead, ReservationTask, TaskKind, TaskResult
from aoeha.core.model.term import Term
from aoeha.core.ownership import claims
from aoeha.core.step import initial
from aoeha.core.storage import held_legs, reservations
from aoeha.sim.stories.settings import Settings

NAME, NOW_MS = "storage", 30_000


def node(*addresses: AddressState, **shelves: int) -> NodeState:
    """A gateway that owns nothing and knows this of its legs, one address each."""
    state, _ = initial(Settings(reserve=1, durable=0).configs()["alpha"], Identity("a" * 32, 1), None, NOW_MS)
    (group,) = state.groups
    legs = tuple(LegState(leg.name, (address,)) for leg, address in zip(group.legs, addresses, strict=True))
    return replace(state, groups=(replace(group, legs=legs, shelves=ShelvesState(read_ms=NOW_MS, **shelves)),))


def shelf(number: int, holder: Holder, *, needs_ms: int = 0, since_ms: int = 0) -> AddressState:
    return AddressState(f"shelf{number}/1", holder, since_ms, needs_ms=needs_ms)


def answered(task: ReservationTask, holder: Holder, took_ms: int = 0) -> TaskDone:
    """The second shelf alone answers."""
    found = Reservation("shelf2", "shelf2/1", holder, took_ms=took_ms)
    return TaskDone(NOW_MS + 2_000, task.id, TaskResult.OK, outcome=ReservationsRead((found,)))


def reading(task_id: int, deadline_ms: int = 5_000) -> ReservationTask:
    return ReservationTask(task_id, deadline_ms, "a test", TaskKind.READ_RESERVATIONS, NAME, NAME)


def second(state: NodeState) -> AddressState:
    return state.group(NAME).leg("shelf2").addresses[0]


@pytest.mark.parametrize(
    ("needs_ms", "reading_ms", "change_ms"),
    [(0, 500, 500), (60, 500, 500), (300, 600, 1_800), (2_000, 4_000, 12_000), (4_900, 5_000, 15_000)],
)
def test_an_address_is_waited_for_as_long_as_it_needs(needs_ms: int, reading_ms: int, change_ms: int) -> None:
    state = node(shelf(1, Holder.PEER), shelf(2, Holder.PEER, needs_ms=needs_ms))
    group = state.group(NAME)
    assert shelf_patience.reading_ms(state.config, group) == reading_ms
    assert shelf_patience.change_ms(state.config, group.leg("shelf2")) == change_ms
    assert shelf_patience.change_ms(state.config, group.leg("shelf1")) == 500


def test_an_address_that_is_silent_is_not_waited_for_however_slow_it_was() -> None:
    state = node(shelf(1, Holder.PEER), shelf(2, Holder.SILENT, needs_ms=2_000))
    assert shelf_patience.reading_ms(state.config, state.group(NAME)) == 500


def test_what_an_address_needed_is_forgotten_by_and_by() -> None:
    needs_ms, readings = 2_000, 0
    while needs_ms:
        needs_ms, readings = shelf_patience.needs_ms(needs_ms, 5), readings + 1
    assert 20 < readings < 100


def test_a_silent_address_that_answers_a_patient_reading_is_known_again() -> None:
    state = node(shelf(1, Holder.PEER), shelf(2, Holder.SILENT), patient_id=7, patient_ms=NOW_MS)
    step = StepContext(replace(state, now_ms=NOW_MS + 2_000))
    reservations.task_done(step, reading(7), answered(reading(7), Holder.PEER, took_ms=2_000))
    assert (second(step.state).holder, second(step.state).needs_ms) == (Holder.PEER, 2_000)
    assert step.state.group(NAME).leg("shelf1").shows(Holder.PEER)


@pytest.mark.parametrize("known", [shelf(2, Holder.US), shelf(2, Holder.SILENT, since_ms=NOW_MS + 1)])
def test_a_patient_reading_tells_nothing_of_an_address_that_was_asked_since(known: AddressState) -> None:
    state = node(shelf(1, Holder.PEER), known, patient_id=7, patient_ms=NOW_MS)
    step = StepContext(replace(state, now_ms=NOW_MS + 2_000))
    reservations.task_done(step, reading(7), answered(reading(7), Holder.PEER, took_ms=2_000))
    assert second(step.state) == known


def test_a_reading_that_was_begun_before_a_term_marks_no_leg_as_held_in_it() -> None:
    """A leg that is marked so and then shows the peer makes this node reboot."""
    state = node(shelf(1, Holder.PEER), shelf(2, Holder.US, needs_ms=2_000), task_id=7, asked_ms=NOW_MS)
    step = StepContext(replace(state, now_ms=NOW_MS + 2_000, tasks=(reading(7),)))
    claims._take(step, granted(step.state.group(NAME)))
    reservations.task_done(step, reading(7), answered(reading(7), Holder.US, took_ms=2_000))
    group = step.state.group(NAME)
    assert group.holding
    assert group.shelves.due
    assert not held_legs.is_held(group, group.leg("shelf2"))


@pytest.mark.parametrize("lost", [False, True])
def test_a_slow_leg_is_waited_for_where_the_other_one_may_lack_writes(lost: bool) -> None:
    state = node(shelf(1, Holder.US), shelf(2, Holder.PEER, needs_ms=2_000))
    (group,) = state.groups
    proof = granted(group)
    first, slow = group.legs
    held = replace(first, addresses=(first.addresses[0].held_in(proof.epoch),), reservation_lost=lost)
    term = Term(proof, startable_legs=("shelf1", "shelf2"))
    mirror = replace(group.resources[0], config=replace(group.resources[0].config, mirror=True))
    group = replace(group, term=term, legs=(held, slow), resources=(mirror, *group.resources[1:]))
    assert bool(held_legs.reserved(state.config, group)) is lost


def granted(group: GroupState) -> "claims.Proof":
    return claims.Proof(claims.ProofKind.HANDED_OVER, group.name, group.epoch + 1, "b" * 32)
