"""Before a mirror starts its superblocks are read; the start is by this reading alone, or there is none."""

from dataclasses import replace

import pytest
from stories import played, state_of

from aoeha.core.model.actions import Action, CancelTask, Say, StartTask
from aoeha.core.model.conditions import Code
from aoeha.core.model.events import CommandGiven, TaskDone, Tick
from aoeha.core.model.state import NodeState, ResourcePhase
from aoeha.core.model.superblock import Superblock
from aoeha.core.model.task import (
    ExaminedLeg,
    ResourceTask,
    SuperblocksRead,
    SuperblockTask,
    Task,
    TaskKind,
    TaskResult,
)
from aoeha.core.step import step

UUID = "a0e4a000:00000000:00000000:00000001"
ONE, TWO = "shelf1", "shelf2"
Stepped = tuple[NodeState, tuple[Action, ...]]


def owner(*, complete: tuple[str, ...] = ()) -> NodeState:
    """A gateway that has just taken its group, whose last owner's ledger called these legs complete."""
    state = state_of(played(pair="pair reserve=1"), "alpha")
    (group,) = state.groups
    assert group.term is not None
    stopped = tuple(replace(one, phase=ResourcePhase.STOPPED, task_id=0, missing=None) for one in group.resources)
    term = replace(group.term, startable_legs=complete, ledger=None)
    shelves = replace(group.shelves, task_id=0)
    return replace(state, tasks=(), groups=(replace(group, resources=stopped, term=term, shelves=shelves),))


def later(state: NodeState, after_ms: int = 1) -> Stepped:
    return step(state, Tick(state.now_ms + after_ms))


def ended(
    state: NodeState, task: Task, found: SuperblocksRead | None, result: TaskResult = TaskResult.OK, after_ms: int = 40
) -> Stepped:
    return step(state, TaskDone(state.now_ms + after_ms, task.id, result, "", found))


def reading(state: NodeState) -> SuperblockTask:
    """The reading that is under way."""
    (task,) = (task for task in state.tasks if isinstance(task, SuperblockTask))
    return task


def started(actions: tuple[Action, ...]) -> ResourceTask | None:
    """The start that was begun, if one was."""
    begun = (action.task for action in actions if isinstance(action, StartTask))
    return next((task for task in begun if isinstance(task, ResourceTask) and task.kind is TaskKind.START), None)


def leg(name: str, states: str = "AA") -> ExaminedLeg:
    device = f"/dev/etherd/{name}"
    return ExaminedLeg(name, device, True, Superblock(device, UUID, 7, (ONE, TWO).index(name), states, False))


def absent(name: str) -> ExaminedLeg:
    return ExaminedLeg(name, f"/dev/etherd/{name}", False)


def found(*legs: ExaminedLeg) -> SuperblocksRead:
    return SuperblocksRead("/dev/md/volume", UUID, legs)


def phase(state: NodeState) -> ResourcePhase:
    return state.group("storage").resource("mirror").phase


def test_superblocks_are_read_before_anything_of_a_mirror_is_started() -> None:
    state, actions = later(owner())
    assert reading(state).epoch == state.group("storage").held_epoch
    assert started(actions) is None
    assert phase(state) is ResourcePhase.STARTING, "people are told that it starts"
    state, actions = later(state, 100)
    assert not [action for action in actions if isinstance(action, StartTask | CancelTask)], "once for each start"


def test_a_mirror_whose_legs_agree_starts_from_both_in_the_step_that_learns_it() -> None:
    state, _ = later(owner())
    state, actions = ended(state, reading(state), found(leg(ONE), leg(TWO)))
    start = started(actions)
    assert start is not None
    assert (start.subject, start.legs, start.short) == ("mirror", (ONE, TWO), False)
    assert phase(state) is ResourcePhase.STARTING


def test_a_leg_that_the_other_one_calls_failed_is_not_told_to_the_agent() -> None:
    state, _ = later(owner())
    _, actions = ended(state, reading(state), found(leg(ONE, "A."), leg(TWO)))
    start = started(actions)
    assert start is not None
    assert (start.legs, start.short) == ((ONE,), False)


def test_a_lone_leg_that_the_ledger_calls_complete_starts_short() -> None:
    state, _ = later(owner(complete=(TWO,)))
    _, actions = ended(state, reading(state), found(absent(ONE), leg(TWO)))
    start = started(actions)
    assert start is not None
    assert (start.legs, start.short) == ((TWO,), True)


def test_a_lone_leg_that_may_lack_writes_fails_the_start_with_the_way_out() -> None:
    state, _ = later(owner(complete=(ONE,)))
    state, actions = ended(state, reading(state), found(absent(ONE), leg(TWO)))
    assert started(actions) is None
    said = [action.condition for action in actions if isinstance(action, Say)]
    (failure,) = [told.sentence for told in said if told.code is Code.RESOURCE_FAILED]
    assert failure.startswith("mirror failed: cannot start /dev/md/volume: /dev/etherd/shelf2 alone may lack")
    assert "/dev/etherd/shelf1: it is absent" in failure
    assert "mdadm --assemble --run /dev/md/volume /dev/etherd/shelf2" in failure
    assert phase(state) is ResourcePhase.STOPPING, "it is stopped before it is started again"


@pytest.mark.parametrize("result", [TaskResult.FAILED, TaskResult.TIMED_OUT])
def test_a_reading_that_fails_is_a_start_that_failed(result: TaskResult) -> None:
    state, _ = later(owner())
    state, actions = ended(state, reading(state), None, result)
    assert started(actions) is None
    assert phase(state) is ResourcePhase.STOPPING
    assert len(state.group("storage").failures.at_ms) == 1


def test_a_mirror_that_runs_already_is_started_from_nothing() -> None:
    state, _ = later(owner())
    _, actions = ended(state, reading(state), SuperblocksRead("/dev/md/volume", UUID, running=True))
    start = started(actions)
    assert start is not None
    assert (start.legs, start.short) == ((), False)


def test_a_pause_gives_the_reading_up_and_its_late_end_starts_nothing() -> None:
    state, _ = later(owner())
    old = reading(state)
    state, actions = step(state, CommandGiven(state.now_ms + 1, 1, "pause", "root", {}))
    assert CancelTask(old.id) in actions
    assert phase(state) is ResourcePhase.STOPPED
    state, actions = ended(state, old, found(leg(ONE), leg(TWO)))
    assert started(actions) is None
    state, actions = step(state, CommandGiven(state.now_ms + 1, 2, "resume", "root", {}))
    assert started(actions) is None
    assert reading(state).id != old.id, "what was read before the pause may be wrong by now"


def test_a_reading_of_an_earlier_term_starts_nothing() -> None:
    state, _ = later(owner())
    old = reading(state)
    (group,) = state.groups
    assert group.term is not None
    proof = replace(group.term.proof, epoch=group.epoch + 1)
    again = replace(group, epoch=proof.epoch, term=replace(group.term, proof=proof))
    state, actions = ended(replace(state, groups=(again,)), old, found(leg(ONE), leg(TWO)))
    assert started(actions) is None
    assert phase(state) is ResourcePhase.STOPPED


def test_a_reading_that_ends_as_the_right_to_start_is_lost_starts_nothing() -> None:
    """The pair is paused by what this gateway knows, and the rules have not been asked since."""
    state, _ = later(owner())
    state, actions = ended(replace(state, paused=True), reading(state), found(leg(ONE), leg(TWO)))
    assert started(actions) is None
    assert phase(state) is ResourcePhase.STOPPED
    _, actions = later(replace(state, paused=False))
    assert started(actions) is None


def test_a_reading_that_ends_after_a_sleep_of_this_gateway_starts_nothing() -> None:
    """Meanwhile the peer may have taken the legs and written to them."""
    state, _ = later(owner())
    _, actions = ended(state, reading(state), found(leg(ONE), leg(TWO)), after_ms=60_000)
    assert started(actions) is None


def test_reading_and_start_together_have_the_time_of_a_start() -> None:
    state, _ = later(owner())
    whole_ms = state.group("storage").resource("mirror").config.start_ms
    assert reading(state).deadline_ms == whole_ms
    _, actions = ended(state, reading(state), found(leg(ONE), leg(TWO)), after_ms=500)
    start = started(actions)
    assert start is not None
    assert start.deadline_ms == whole_ms - 500


def test_each_try_to_start_reads_anew() -> None:
    state, _ = later(owner())
    first = reading(state)
    state, actions = ended(state, first, found(leg(ONE), leg(TWO)))
    start = started(actions)
    assert start is not None
    state, _ = step(state, TaskDone(state.now_ms + 500, start.id, TaskResult.FAILED, "no luck"))
    (stop,) = (task for task in state.tasks if isinstance(task, ResourceTask) and task.kind is TaskKind.STOP)
    state, actions = step(state, TaskDone(state.now_ms + 500, stop.id, TaskResult.OK))
    assert started(actions) is None
    assert reading(state).id != first.id
