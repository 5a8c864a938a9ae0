"""When a driver may be hurried: never while anything on its machine can have waited as long as costs a leg."""

from dataclasses import replace
from typing import Any

import pytest

from aoeha.core.mirror import path_failover
from aoeha.core.model.actions import CancelTask, StartTask
from aoeha.core.model.conditions import Code, Condition, Subject
from aoeha.core.model.config import Identity, ResourceConfig
from aoeha.core.model.legs import AddressState, LegState, LegWork, ShelvesState
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState, ResourcePhase, ResourceState, Revalidation
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import PathTask
from aoeha.core.model.term import Term
from aoeha.core.step import initial
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.mirror import PATH_TIMING

PAIR = Settings().configs()["alpha"]
CUT_MS = 100_000
ANSWERED_MS, SINCE_MS = CUT_MS - 100, CUT_MS + 900
FOUND_MS = SINCE_MS + 500
TERM = Term(Proof(ProofKind.HANDED_OVER, "storage", 1, "b" * 32))
OURS = AddressState("one/1", Holder.US, 1_000, held_epoch=1)
LOST = AddressState("one/2", Holder.SILENT, SINCE_MS, held_epoch=1, answered_ms=ANSWERED_MS)


def leg(name: str, *addresses: AddressState, **fields: Any) -> LegState:
    named = tuple(replace(address, name=f"{name}/{number}") for number, address in enumerate(addresses, 1))
    return replace(LegState(name, named), **fields)


WELL = leg("two", OURS, OURS)
CUT = leg("one", OURS, LOST)


def group_of(*legs: LegState, name: str = "storage", **fields: Any) -> GroupState:
    driver = ResourceState(ResourceConfig("shelves", paths=PATH_TIMING), ResourcePhase.RUNNING)
    mirror = ResourceState(ResourceConfig("mirror", mirror=True), ResourcePhase.RUNNING)
    config = replace(PAIR.groups[0], name=name)
    known = GroupState(config, (driver, mirror), 1, TERM, legs=legs, shelves=ShelvesState(read_ms=SINCE_MS))
    return replace(known, **fields)


def at(now_ms: int, *groups: GroupState, **fields: Any) -> NodeState:
    state, _ = initial(PAIR, Identity("a" * 32, 1), None, 0)
    return replace(state, **{"now_ms": now_ms, "groups": groups, **fields})


def ordered(state: NodeState) -> list[PathTask]:
    step = StepContext(state)
    path_failover.decide(step)
    again = StepContext(step.state)
    path_failover.decide(again)
    assert not [action for action in again.actions if isinstance(action, StartTask)], "once for a silence"
    started = [action.task for action in step.actions if isinstance(action, StartTask)]
    return [task for task in started if isinstance(task, PathTask)]


def test_a_path_is_left_as_soon_as_its_silence_is_found() -> None:
    (task,) = ordered(at(FOUND_MS, group_of(CUT, WELL)))
    assert (task.subject, task.legs) == ("shelves", ("one",))


@pytest.mark.parametrize("addresses", [2, 3, 4])
def test_nothing_has_waited_as_long_as_costs_a_leg_when_it_is_over(addresses: int) -> None:
    """The driver counts whole seconds, and leaves a path once something has waited longer than its share."""
    cut = leg("one", *(OURS,) * (addresses - 1), LOST)
    (task,) = ordered(at(FOUND_MS, group_of(cut, WELL)))
    read_soon_ms = task.failover.begin_ms + task.failover.for_ms - (FOUND_MS + 500)
    assert read_soon_ms >= PATH_TIMING.left_after_ms[addresses - 2], "then it leaves the path"
    latest_ms = task.failover.begin_by_ms + task.failover.for_ms - ANSWERED_MS
    assert latest_ms + 2_000 <= PATH_TIMING.leg_lost_after_ms, "and not the leg"
    assert task.deadline_ms > task.failover.begin_by_ms + task.failover.for_ms - FOUND_MS


def test_both_legs_by_one_switch_are_one_order() -> None:
    (task,) = ordered(at(FOUND_MS, group_of(CUT, leg("two", OURS, LOST))))
    assert task.legs == ("one", "two")


def test_found_too_late_nothing_is_done() -> None:
    (task,) = ordered(at(FOUND_MS, group_of(CUT, WELL)))
    spare_ms = task.failover.begin_by_ms - task.failover.begin_ms
    assert spare_ms > 200
    assert ordered(at(FOUND_MS + spare_ms, group_of(CUT, WELL)))
    assert ordered(at(FOUND_MS + spare_ms + 1, group_of(CUT, WELL))) == []


def test_an_old_look_at_another_group_is_too_old() -> None:
    other = group_of(WELL, name="other", shelves=ShelvesState(read_ms=ANSWERED_MS))
    assert ordered(at(FOUND_MS, group_of(CUT, WELL), other))
    assert (
        ordered(at(FOUND_MS, group_of(CUT, WELL), replace(other, shelves=ShelvesState(read_ms=ANSWERED_MS - 2_000))))
        == []
    )


@pytest.mark.parametrize(
    ("now", "stands"),
    [
        ((CUT, WELL), True),
        ((leg("one", OURS, replace(LOST, holder=Holder.US)), WELL), False),
        ((leg("one", LOST, LOST), WELL), False),
        ((CUT, leg("two", LOST, LOST)), False),
        ((CUT, leg("two", OURS, LOST)), True),
    ],
)
def test_it_is_called_off_when_it_has_no_reason_or_does_harm(now: tuple[LegState, ...], stands: bool) -> None:
    step = StepContext(at(FOUND_MS, group_of(CUT, WELL)))
    path_failover.decide(step)
    (task,) = [task for task in step.state.tasks if isinstance(task, PathTask)]
    known = step.state.groups[0].legs
    marked = tuple(known[0] if new is CUT else new if new.name != "one" else _hurried(new) for new in now)
    later = StepContext(
        replace(step.state, now_ms=FOUND_MS + 1_000, groups=(replace(step.state.groups[0], legs=marked),))
    )
    path_failover.decide(later)
    called_off = [action for action in later.actions if isinstance(action, CancelTask)]
    assert called_off == ([] if stands else [CancelTask(task.id)])


def _hurried(known: LegState) -> LegState:
    addresses = (replace(one, failover_ordered=one.holder is Holder.SILENT) for one in known.addresses)
    return replace(known, addresses=tuple(addresses))


OLDER = replace(LOST, since_ms=SINCE_MS - 1_200, answered_ms=ANSWERED_MS - 1_200)
NEWS = {
    "a leg is silent": (leg("two", LOST, LOST),),
    "a leg has one address, and that is silent": (leg("two", LOST),),
    "another path has been silent for longer": (leg("two", OURS, OLDER),),
    "another path was left long ago": (leg("two", OURS, replace(OLDER, failover_ordered=True)),),
    "it is not known since when it is silent": (leg("two", OURS, replace(LOST, answered_ms=0)),),
    "a stranger holds an address": (leg("two", OURS, replace(OURS, holder=Holder.STRANGER)),),
    "an address has forgotten us": (leg("two", OURS, replace(OURS, holder=Holder.NOBODY)),),
    "a leg is about to leave": (leg("two", OURS, OURS, leaving=True),),
    "a leg is reached by an address that nobody named": (
        leg("two", OURS, OURS, unlisted_addresses=("02:00:00:00:00:01",)),
    ),
}


@pytest.mark.parametrize("legs", NEWS.values(), ids=list(NEWS))
def test_nobody_hurries_while_something_else_may_wait(legs: tuple[LegState, ...]) -> None:
    assert ordered(at(FOUND_MS, group_of(CUT, *legs))) == []
    other = group_of(*legs, name="other")
    assert ordered(at(FOUND_MS, group_of(CUT, WELL), other)) == [], "in whichever group"
    stopped = tuple(replace(resource, phase=ResourcePhase.STOPPED) for resource in other.resources)
    elsewhere = replace(other, term=None, resources=stopped)
    assert ordered(at(FOUND_MS, group_of(CUT, WELL), elsewhere)), "that is here"


@pytest.mark.parametrize(
    "fields",
    [
        {"term": replace(TERM, unverified=True)}, {"term": replace(TERM, storage_lost=True)},
        {"term": replace(TERM, yielding="switchover")}, {"leg_work": LegWork(7)}, {"term": None},
        {"shelves": ShelvesState()},
    ],
    ids=str,
)  # fmt: skip
def test_nobody_hurries_in_doubt_about_a_group(fields: dict[str, Any]) -> None:
    assert ordered(at(FOUND_MS, group_of(CUT, WELL, **fields))) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"paused": True},
        {"panic": Condition(Code.OWNERSHIP_FENCED, Subject.group("storage"), "")},
        {"leaving": True},
        {"revalidation": Revalidation(until_ms=FOUND_MS + 1)},
    ],
    ids=str,
)
def test_nobody_hurries_in_doubt_about_the_node(fields: dict[str, Any]) -> None:
    assert ordered(at(FOUND_MS, group_of(CUT, WELL), **fields)) == []


def test_a_path_that_is_the_only_one_is_not_left() -> None:
    assert ordered(at(FOUND_MS, group_of(leg("one", LOST), WELL))) == []


def test_without_a_driver_nobody_is_told() -> None:
    assert ordered(at(FOUND_MS, group_of(CUT, WELL, resources=group_of().resources[1:]))) == []
