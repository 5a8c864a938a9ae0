"""A path that falls silent is abandoned soon, while its leg responds on another path (R5).

With the patience that R5 needs, a driver waits a long time on a silent path (the AoE driver 11 s, as its agent tells).
A switch that both legs share costs that time twice: a write to the second leg meets the switch's silence only when the
first leg continues. So something is read by every path as soon as a silence is found. When that read has waited long
enough, the driver's patience is cut for a moment. The driver then leaves the path. It would also give up a leg on which
something has waited too long. The driver's agent tells how long each of these takes (`PathTiming`).

Rules. The owner orders a path failover once for each silence, and only while no frame on this machine can have waited
close to the time that costs a leg. That is so when every address of every leg of every group here is seen to be ours,
except those of this silence, and at least one address of each leg. Otherwise the driver would give up a leg before the
gate of the ledger is open. No frame has waited since before the last look at which the silent addresses responded, and
all other addresses responded at the newest look: nothing can wait but frames that hang in a disk. The order is void 2 s
before the wait costs a leg, and the override itself takes a moment: a machine would have to stall for 2 s before the
driver's next tick, with which the frames leave the path and are answered on the other one. The order is cancelled as
soon as any of this no longer holds; its agent looks for disks that hang. A silence that is found too late causes no
order: the driver leaves the path in its own time.

What this file does not know: which driver it is, how it measures silence and how it is told.
"""

from aoeha.core.model import law
from aoeha.core.model.actions import CancelTask
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.config import PathTiming
from aoeha.core.model.events import TaskDone
from aoeha.core.model.law import Act
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import UP, GroupState, NodeState, ResourceState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import PathFailover, PathTask, TaskResult

MARGIN_MS = 2_000
"""The margin between the latest end, and the moment at which the wait of the oldest frame would cost a leg."""
SLACK_MS = 1_500


def decide(step: StepContext) -> None:
    """Order a driver to leave paths that fell silent, one order at a time on this machine, or cancel the order."""
    for task in step.state.tasks:
        if isinstance(task, PathTask) and not _stands(step.state, task):
            step.change(tasks=tuple(other for other in step.state.tasks if other.id != task.id))
            step.do(CancelTask(task.id))
            return
    for group in step.state.groups:
        news = [leg for leg in group.legs if any(not address.failover_ordered for address in _silent(leg))]
        driver = _driver(group) if news else None
        if driver is not None and not any(isinstance(task, PathTask) for task in step.state.tasks):
            _order(step, group, driver, news)


def task_done(step: StepContext, task: PathTask, done: TaskDone) -> None:
    """Report what went wrong. The driver is monitored again at once, which restores its proper settings."""
    if done.result is TaskResult.OK:
        return
    why, legs = done.detail or f"{task.subject}: {done.result.value}", " and ".join(task.legs)
    driver = _named(step.state.group(task.group), task.subject)
    wait_s = _timing(driver).unaided_ms // 1_000
    sentence = f"writes wait for the silent path to {legs}, {wait_s} s or twice that: {why}"
    step.say(Code.PATH_FAILOVER_FAILED, Subject.leg(task.group, task.legs[0]), sentence)
    if driver.phase in UP and not driver.task_id:
        due_ms = step.now_ms - driver.config.monitor_every_ms
        step.change_resource(task.group, task.subject, checked_ms=due_ms)


def _order(step: StepContext, group: GroupState, driver: ResourceState, legs: list[LegState]) -> None:
    timing = _timing(driver)
    share_ms = _left_after_ms(timing, min(len(leg.addresses) for leg in legs))
    begin_ms = step.now_ms + share_ms + timing.read_ms - timing.override_ms
    begin_by_ms = _begin_by_ms(step.state, timing)
    if begin_ms > begin_by_ms:
        return
    names, where = tuple(leg.name for leg in legs), ", ".join(_where(leg) for leg in legs)
    reason = f"{driver.config.name} leaves the path to {where}, which is silent, in {-(-share_ms // 1_000)} s"
    step.say(Code.PATH_FAILOVER, Subject.leg(group.name, names[0]), reason)
    step.change_group(group.name, legs=tuple(_marked(leg) for leg in group.legs))
    failover = PathFailover(timing.override_ms, begin_ms, begin_by_ms)
    number, subject = step.state.next_task_id, driver.config.name
    deadline_ms = begin_by_ms - step.now_ms + timing.override_ms + SLACK_MS
    step.begin(PathTask(number, deadline_ms, reason, group.name, subject, names, failover))


def _stands(state: NodeState, task: PathTask) -> bool:
    """Whether an order that is under way still has its reason and is still harmless."""
    group = state.group(task.group)
    legs, timing = [leg for leg in group.legs if leg.name in task.legs], _timing(_named(group, task.subject))
    silent = any(address.failover_ordered for leg in legs for address in _silent(leg))
    return silent and task.failover.begin_by_ms <= _begin_by_ms(state, timing)


def _begin_by_ms(state: NodeState, timing: PathTiming) -> int:
    """Until when no frame of this machine can have waited too long, 0 if one could have at any time."""
    if not _all_else_answers(state):
        return 0
    return _waits_since_ms(state) + timing.leg_lost_after_ms - MARGIN_MS - timing.override_ms


def _all_else_answers(state: NodeState) -> bool:
    """Whether nothing here needs the driver's patience: each leg responds, and none can be lost in a moment."""
    if law.stops(state, Act.RETURN) is not None:
        return False
    return all(_is_calm(state, group) and all(_answers_us(leg) for leg in group.legs) for group in _here(state))


def _is_calm(state: NodeState, group: GroupState) -> bool:
    return group.holding and not group.leg_work.task_id and law.stops(state, Act.RETURN, group) is None


def _answers_us(leg: LegState) -> bool:
    known = all(address.holder in (Holder.US, Holder.SILENT) for address in leg.addresses)
    return known and leg.shows_anywhere(Holder.US) and not leg.leaving and not leg.unlisted_addresses


def _waits_since_ms(state: NodeState) -> int:
    """Since when a frame of this machine may wait at the earliest, 0 for not known."""
    here = _here(state)
    silent = [address.answered_ms for group in here for leg in group.legs for address in _silent(leg)]
    return min((*silent, *(group.shelves.read_ms or 0 for group in here)), default=0)


def _here(state: NodeState) -> list[GroupState]:
    """The groups whose legs this machine's driver may use."""
    return [g for g in state.groups if g.legs and (g.holding or phase_of(g) is not GroupPhase.STOPPED)]


def _silent(leg: LegState) -> tuple[AddressState, ...]:
    """The silent addresses of a leg that has several."""
    if len(leg.addresses) == 1:
        return ()
    return tuple(address for address in leg.addresses if address.holder is Holder.SILENT)


def _where(leg: LegState) -> str:
    return f"{leg.name} at {' and '.join(address.name for address in _silent(leg) if not address.failover_ordered)}"


def _marked(leg: LegState) -> LegState:
    silent = _silent(leg)
    addresses = (replaced(one, failover_ordered=True) if one in silent else one for one in leg.addresses)
    return replaced(leg, addresses=tuple(addresses)) if silent else leg


def _driver(group: GroupState) -> ResourceState | None:
    """What loads the driver, where it works."""
    return next((one for one in group.resources if one.config.paths is not None and one.phase in UP), None)


def _named(group: GroupState, name: str) -> ResourceState:
    return next(one for one in group.resources if one.config.name == name)


def _timing(driver: ResourceState) -> PathTiming:
    assert driver.config.paths is not None, "only a driver is asked to leave paths"
    return driver.config.paths


def _left_after_ms(timing: PathTiming, addresses: int) -> int:
    """How long something must have waited at a path, of so many, until the driver leaves it."""
    return timing.left_after_ms[min(addresses, len(timing.left_after_ms) + 1) - 2]
