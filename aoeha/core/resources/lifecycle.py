"""Starting, stopping and monitoring resources on this node (home of R14).

Rules. A group that is held is started in order and monitored. A group that is not held, or is being handed over, is
stopped in reverse order. A resource that fails is restarted here, together with the resources that depend on it, as
often as `failures` allows. A resource that cannot be stopped blocks its group: the peer is asked to fence this node,
and if it does not, this node reboots itself, within its ration. A monitor that finds a fault decides nothing by itself:
the fault is counted. One that does not answer while the mirror waits for a leg tells nothing: a stop would wait too.
Neither does one for which this node lacks the means.
In a pause nothing is restarted, and a human may repair what failed: it is looked at again, and what runs is not stopped
when the pause ends.

What this file does not know: whether the group may be held at all, and from which legs a mirror may start. It asks
`blockers.may_start` before each start, and `mirror_start` before each start of a mirror.
"""

from aoeha.core.model import law, shelf_patience
from aoeha.core.model.actions import CancelTask
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import TaskDone
from aoeha.core.model.law import Act
from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import UP, GroupState, NodeState, ResourcePhase, ResourceState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import (
    MirrorLimits,
    Observed,
    ResourceStatus,
    ResourceTask,
    SuperblocksRead,
    SuperblockTask,
    TaskKind,
    TaskResult,
)
from aoeha.core.ownership import blockers, own_stall, owners
from aoeha.core.peer import membership
from aoeha.core.resources import address_conflict, cannot_tell, failures, mirror_start
from aoeha.core.storage import address_lifetime, held_legs, leg_ledger, suspect_legs

STOP_TRIES = 2


VALIDATE_EVERY_MS = 10_000


BLOCKED_PATIENCE_MS = 30_000
"""How long a node that cannot stop a group waits to be fenced before it reboots itself."""


TELLING = (TaskKind.PROBE, TaskKind.START, TaskKind.MONITOR)
"""The tasks with which a mirror is told how to treat its legs."""


BUSY = (ResourcePhase.STARTING, ResourcePhase.STOPPING)
AT_FAULT = (ResourcePhase.FAILED, ResourcePhase.STOP_FAILED)


def decide(step: StepContext) -> None:
    """Start the next resource of every group. A node that must reboot because of one group starts nothing of others."""
    names = [group.name for group in step.state.groups]
    for name in names:
        _escalate(step, name)
    for name in names:
        failures.forgive(step, name)
        _probe(step, name)
        _validate(step, name)
        halted = law.stops(step.state, Act.STOP, step.state.group(name)) is not None
        wanted = _wanted_up(step.state, step.state.group(name))
        _start_next(step, name, _startable(step, name) if wanted else None)
        if halted or wanted:
            _monitor(step, name, (*UP, *AT_FAULT) if halted and _is_ours(step.state.group(name)) else UP)
        else:
            _stop_next(step, name)


def task_done(step: StepContext, task: ResourceTask, done: TaskDone) -> None:
    """Process the end of a resource task."""
    group = step.state.group(task.group)
    resource = group.resource(task.subject)
    if resource.task_id != task.id:
        return
    step.change_resource(task.group, task.subject, task_id=0)
    if done.result is TaskResult.UNABLE and task.kind in (TaskKind.PROBE, TaskKind.MONITOR, TaskKind.STOP):
        if task.kind is TaskKind.STOP:
            step.change_resource(group.name, task.subject, phase=ResourcePhase.FAILED, reason=_why(done, "stop"))
        cannot_tell.note(step, group, resource, _why(done, task.kind.value))
        return
    if done.result not in (TaskResult.CANCELLED, TaskResult.LOST):
        cannot_tell.end(step, group.name, resource)
    match task.kind:
        case TaskKind.PROBE | TaskKind.MONITOR:
            _observed(step, group, resource, done)
        case TaskKind.START:
            _started(step, group, resource, done)
        case TaskKind.STOP:
            _stopped(step, group, resource, done)
        case TaskKind.VALIDATE:
            _validated(step, group, resource, done)
        case _:
            pass


def superblocks_read(step: StepContext, task: SuperblockTask, done: TaskDone) -> None:
    """Process the end of a reading of a mirror's legs: choose from them, or fail the start."""
    group = step.state.group(task.group)
    resource = group.resource(task.subject)
    if resource.task_id != task.id:
        return
    step.change_resource(task.group, task.subject, task_id=0)
    found = done.outcome
    if task.epoch != group.held_epoch or done.result in (TaskResult.CANCELLED, TaskResult.LOST):
        failure = ""
    elif done.result is TaskResult.OK and isinstance(found, SuperblocksRead):
        failure = mirror_start.take_choice(step, group, task.subject, found)
    else:
        failure = _why(done, "start")
    if failure:
        failures.count(step, group, resource, failure, stop_first=True)
    else:
        step.change_resource(task.group, task.subject, phase=ResourcePhase.STOPPED)


def mirrors_changed(step: StepContext) -> None:
    """Look at every mirror that may run: one that lost a leg by itself keeps acknowledging writes without it.

    Until a look has told how it stands, nobody knows, and our ledger says so (R4).
    """
    for group in step.state.groups:
        for resource in group.resources:
            if resource.config.mirror and resource.phase in (*UP, ResourcePhase.UNKNOWN):
                look_again(step, group.name, resource)
                step.change_resource(group.name, resource.config.name, changed=True)


def look_again(step: StepContext, name: str, mirror: ResourceState) -> None:
    """Look at a mirror again: a look that is under way may report its legs as they were before."""
    _interrupt(step, mirror)
    due_ms = step.now_ms - mirror.config.monitor_every_ms
    step.change_resource(name, mirror.config.name, task_id=0, checked_ms=due_ms)


def _wanted_up(state: NodeState, group: GroupState) -> bool:
    return _is_ours(group) and not _must_stop_first(group) and state.probed


def _is_ours(group: GroupState) -> bool:
    return group.holding and not group.yielding


def _must_stop_first(group: GroupState) -> bool:
    """A resource that failed, and all that stands on it, is stopped before it is started again."""
    return any(resource.phase is ResourcePhase.FAILED for resource in group.resources)


def _probe(step: StepContext, name: str) -> None:
    for resource in step.state.group(name).resources:
        if resource.phase is ResourcePhase.UNKNOWN and not resource.task_id and not cannot_tell.rests(step, resource):
            _start(step, TaskKind.PROBE, name, resource, "probe")


def _validate(step: StepContext, name: str) -> None:
    """Ask the agents of a group that is not held if they could start it. A node that could not never fences (R7)."""
    group = step.state.group(name)
    if group.holding or not step.state.probed:
        return
    for resource in group.resources:
        due = resource.validated_ms is None or step.now_ms - resource.validated_ms >= VALIDATE_EVERY_MS
        if due and not resource.task_id:
            _start(step, TaskKind.VALIDATE, name, resource, "check whether it could be started")


def _startable(step: StepContext, name: str) -> ResourceState | None:
    """Return the first resource that is not up, once all resources before it are up and it may start."""
    group = step.state.group(name)
    if group.term is None or step.now_ms < group.term.retry_at_ms:
        return None
    if held_legs.reserved(step.state.config, group) and group.shelves.task_id:
        return None
    blocked = blockers.may_start(step.state, group)
    resource = next((resource for resource in group.resources if resource.phase not in UP), None)
    if resource is None:
        return None
    not_yet = address_conflict.why_not_yet(step.state, group, resource)
    if not_yet:
        if group.term.conflict(resource.config.name):
            step.refuse(name, Code.START_REFUSED_ADDRESS_IN_USE, not_yet)
        return None
    unvouched = address_lifetime.unvouched(step.state, group, resource)
    if unvouched and blocked is None:
        step.refuse(name, Code.START_REFUSED_ADDRESS_UNCONFIRMED, unvouched)
        return None
    if blocked is not None:
        sentence = f"{resource.config.name} is not started: {blocked.sentence}"
        step.refuse(name, blockers.START_REFUSED[blocked.kind], sentence)
        return None
    return resource


def _start_next(step: StepContext, name: str, startable: ResourceState | None) -> None:
    """Start what is startable, of a mirror by a choice of this very step. Give up every reading for another start."""
    group = step.state.group(name)
    for resource in group.resources:
        if resource is not startable and mirror_start.is_being_read(step.state, resource):
            mirror_start.give_up(step, group, resource)
    if startable is None or startable.phase is not ResourcePhase.STOPPED:
        return
    assert group.proof is not None
    reason = f"epoch {group.held_epoch}: {group.proof.kind.value}"
    step.end_refusal(name)
    _interrupt(step, startable)
    if startable.config.mirror and mirror_start.chosen(step, name, startable.config.name) is None:
        mirror_start.read(step, group, startable, reason)
        return
    begun_ms = startable.start_begun_ms if startable.config.mirror else step.now_ms
    step.change_resource(name, startable.config.name, phase=ResourcePhase.STARTING, reason="", start_begun_ms=begun_ms)
    _start(step, TaskKind.START, name, step.state.group(name).resource(startable.config.name), reason)


def _monitor(step: StepContext, name: str, phases: tuple[ResourcePhase, ...]) -> None:
    for resource in step.state.group(name).resources:
        due = step.now_ms - resource.checked_ms >= resource.config.monitor_every_ms
        if resource.phase in phases and due and not resource.task_id:
            _start(step, TaskKind.MONITOR, name, resource, "monitor")


def _stop_next(step: StepContext, name: str) -> None:
    """Stop the last resource that is not stopped, once all resources after it are stopped."""
    group = step.state.group(name)
    if not step.state.probed or not _may_lower(step.state, group):
        return
    lowest = _lowest_to_stop(group)
    for resource in reversed(group.resources[lowest:]):
        if resource.phase is ResourcePhase.STOPPED:
            continue
        if resource.phase in BUSY or resource.stop_failures >= STOP_TRIES or cannot_tell.rests(step, resource):
            return
        _interrupt(step, resource)
        step.change_resource(name, resource.config.name, phase=ResourcePhase.STOPPING)
        _start(step, TaskKind.STOP, name, resource, group.yielding or "not to run here")
        return


def _may_lower(state: NodeState, group: GroupState) -> bool:
    """A resource that runs while we do not own it, as after an installation, keeps running until the peer owns it.

    Where it runs on both nodes, it is stopped on the one that ranks second: else nobody could ever own the group. A
    node in standby stops it as soon as the peer could serve it: it may not claim it itself.
    """
    if group.holding or _must_stop_first(group) or any(r.phase in BUSY for r in group.resources):
        return True
    if state.leaving or (group.epoch > 0 and group.unremembered is None):
        return True
    if state.standby and owners.peer_takes(state, group):
        return True
    theirs = state.peer_group(group.name)
    if theirs is None:
        return False
    on_both = theirs.phase is not GroupPhase.STOPPED and membership.has_reported(state)
    return theirs.holding or (on_both and not owners.ranks_first(state, group))


def _lowest_to_stop(group: GroupState) -> int:
    if group.yielding or not group.holding:
        return 0
    return next((i for i, r in enumerate(group.resources) if r.phase in AT_FAULT), 0)


def _observed(step: StepContext, group: GroupState, resource: ResourceState, done: TaskDone) -> None:
    name = resource.config.name
    step.change_resource(group.name, name, checked_ms=step.now_ms)
    hangs_with_a_leg = done.result is TaskResult.TIMED_OUT and leg_ledger.waits_for_a_leg(group)
    if done.result in (TaskResult.CANCELLED, TaskResult.LOST) or (hangs_with_a_leg and resource.phase in UP):
        return
    told = done.outcome if done.result is TaskResult.OK else None
    look = told if isinstance(told, Observed) else Observed(ResourceStatus.FAILED)
    probing, seen = resource.phase is ResourcePhase.UNKNOWN, look.status
    reason = done.detail or ("its monitor did not answer in time" if done.result is TaskResult.TIMED_OUT else "")
    if seen in (ResourceStatus.RUNNING, ResourceStatus.DEGRADED):
        if resource.phase in AT_FAULT:
            _repaired(step, group.name, resource)
        before = resource.missing if resource.phase in UP else None
        dropped = tuple(leg for leg in look.missing if before is not None and leg not in before)
        step.change_resource(
            group.name, name, missing=look.missing, copying=look.copying, dropped=dropped, changed=False
        )
        phase = ResourcePhase.RUNNING if seen is ResourceStatus.RUNNING else ResourcePhase.DEGRADED
        _note_health(step, group, resource, phase, reason)
        leg_ledger.note_copies(step, group.name, look.copying)
        suspect_legs.observed(step, group.name, replaced(resource, missing=look.missing), look.write_mostly)
    elif resource.phase in AT_FAULT:
        step.change_resource(group.name, name, reason=reason)
    elif probing:
        phase = ResourcePhase.STOPPED if seen is ResourceStatus.STOPPED else ResourcePhase.FAILED
        step.change_resource(group.name, name, phase=phase, reason=reason)
    elif seen is ResourceStatus.STOPPED and name in address_lifetime.bounded(step.state, group):
        step.change_resource(group.name, name, phase=ResourcePhase.STOPPED, reason="it was not renewed in time")
        node, peer = step.state.config.node, step.state.config.peer
        sentence = f"{name} has expired: neither a leg nor {peer} confirmed that {node} owns {group.name}"
        step.say(Code.RESOURCE_EXPIRED, Subject.resource(group.name, name), sentence)
    else:
        failures.count(step, group, resource, reason or f"it is {seen.value}", stop_first=True)


def _repaired(step: StepContext, group: str, resource: ResourceState) -> None:
    """What failed runs, as in a pause a human saw to it: it need not be stopped, and its mirror was chosen long ago."""
    name = resource.config.name
    step.change_resource(group, name, stop_failures=0)
    if resource.config.mirror:
        step.change_term(group, startable_legs=())
    step.clear_alarm(Code.RESOURCE_STOP_FAILED, Subject.resource(group, name), f"{name} runs again")


def _note_health(
    step: StepContext, group: GroupState, resource: ResourceState, phase: ResourcePhase, reason: str
) -> None:
    name = resource.config.name
    subject = Subject.resource(group.name, name)
    failures.end(step, group.name, name, f"{name} runs again")
    if phase is ResourcePhase.DEGRADED:
        step.alarm(Code.RESOURCE_DEGRADED, subject, f"{name} is degraded: {reason}")
    else:
        step.clear_alarm(Code.RESOURCE_DEGRADED, subject, f"{name} is whole again")
    step.change_resource(group.name, name, phase=phase, reason=reason)


def _started(step: StepContext, group: GroupState, resource: ResourceState, done: TaskDone) -> None:
    name = resource.config.name
    if done.result is TaskResult.OK:
        step.change_resource(
            group.name,
            name,
            phase=ResourcePhase.RUNNING,
            reason=done.detail,
            checked_ms=step.now_ms,
            stop_failures=0,
            start_took_ms=step.now_ms - resource.start_begun_ms,
        )
        if resource.config.mirror:
            due_ms = step.now_ms - resource.config.monitor_every_ms
            step.change_resource(group.name, name, checked_ms=due_ms, copying=())
            step.change_term(group.name, startable_legs=())
        subject = Subject.resource(group.name, name)
        failures.end(step, group.name, name, f"{name} runs again")
        step.clear_alarm(Code.RESOURCE_NOT_STARTABLE, subject, f"{name} was started")
        step.say(Code.RESOURCE_RUNNING, subject, f"{name} is running")
        if phase_of(step.state.group(group.name)) is GroupPhase.RUNNING:
            failures.end_for_group(step, group.name, f"{group.name} runs again")
            sentence = f"{group.name} is running on {step.state.config.node}"
            step.say(Code.GROUP_RUNNING, Subject.group(group.name), sentence)
        return
    failures.count(step, group, resource, _why(done, "start"), stop_first=True)


def _stopped(step: StepContext, group: GroupState, resource: ResourceState, done: TaskDone) -> None:
    name = resource.config.name
    if done.result is TaskResult.OK:
        step.change_resource(group.name, name, phase=ResourcePhase.STOPPED, reason="", stop_failures=0, missing=None)
        _end_alarms_of_stopped(step, group, name)
        step.say(Code.RESOURCE_STOPPED, Subject.resource(group.name, name), f"{name} is stopped")
        return
    tries = resource.stop_failures + 1
    phase = ResourcePhase.STOP_FAILED if tries >= STOP_TRIES else ResourcePhase.FAILED
    step.change_resource(group.name, name, phase=phase, reason=_why(done, "stop"), stop_failures=tries)
    sentence = f"{name} could not be stopped: {_why(done, 'stop')}"
    step.alarm(Code.RESOURCE_STOP_FAILED, Subject.resource(group.name, name), sentence)
    if phase is ResourcePhase.STOP_FAILED:
        step.change_group(group.name, blocked_since_ms=step.now_ms)


def _end_alarms_of_stopped(step: StepContext, group: GroupState, name: str) -> None:
    """A stop clears the fault of a resource, but not its failure: while its group is wanted it is to run."""
    subject, stopped = Subject.resource(group.name, name), f"{name} is stopped"
    step.clear_alarm(Code.RESOURCE_STOP_FAILED, subject, stopped)
    step.clear_alarm(Code.RESOURCE_DEGRADED, subject, stopped)
    if not group.holding or group.yielding:
        failures.end(step, group.name, name, stopped)


def _validated(step: StepContext, group: GroupState, resource: ResourceState, done: TaskDone) -> None:
    name = resource.config.name
    if done.result in (TaskResult.CANCELLED, TaskResult.LOST):
        return
    valid = done.result is TaskResult.OK
    step.change_resource(
        group.name, name, valid=valid, invalid_reason="" if valid else _why(done, "check"), validated_ms=step.now_ms
    )
    subject, node = Subject.resource(group.name, name), step.state.config.node
    if valid:
        step.clear_alarm(Code.RESOURCE_NOT_STARTABLE, subject, f"{node} could start {name} again")
    else:
        sentence = f"{node} could not start {name}: {_why(done, 'check')}"
        step.alarm(Code.RESOURCE_NOT_STARTABLE, subject, sentence)


def _escalate(step: StepContext, name: str) -> None:
    """A stop failed for good: our beats asked the peer to fence this node; now this node reboots itself."""
    group = step.state.group(name)
    if phase_of(group) is not GroupPhase.BLOCKED:
        if group.blocked_since_ms:
            step.change_group(name, blocked_since_ms=0)
        return
    overdue = group.blocked_since_ms and step.now_ms - group.blocked_since_ms >= BLOCKED_PATIENCE_MS
    if not overdue or law.stops(step.state, Act.REBOOT, group) is not None:
        return
    if owners.peer_takes(step.state, group) and not own_stall.rationed(step.state):
        node, peer = step.state.config.node, step.state.config.peer
        sentence = f"{name} could neither be served nor stopped, and {peer} did not fence {node}"
        step.panic(Code.GROUP_BLOCKED, Subject.group(name), sentence)
        return
    for resource in group.resources:
        if resource.phase is ResourcePhase.STOP_FAILED:
            step.change_resource(name, resource.config.name, phase=ResourcePhase.FAILED, stop_failures=0)


def _interrupt(step: StepContext, resource: ResourceState) -> None:
    """A monitor that is under way does not hold up a start or a stop; its late result counts for nothing."""
    if resource.task_id:
        step.do(CancelTask(resource.task_id))


def _start(step: StepContext, kind: TaskKind, group: str, resource: ResourceState, reason: str) -> None:
    state, number, name = step.state, step.state.next_task_id, resource.config.name
    limits = MirrorLimits()
    choice = mirror_start.chosen(step, group, name) if kind is TaskKind.START else None
    legs, short = (choice.legs, choice.short) if choice is not None else ((), False)
    if resource.config.mirror and kind in TELLING:
        limits = suspect_legs.limits(state, state.group(group), resource, legs)
        step.change_resource(group, name, limits=limits)
    deadline_ms = _deadline_ms(kind, state.group(group), resource, step.now_ms)
    step.begin(ResourceTask(number, deadline_ms, reason, kind, group, name, legs, short, limits))
    step.change_resource(group, name, task_id=number)


def _deadline_ms(kind: TaskKind, group: GroupState, resource: ResourceState, now_ms: int) -> int:
    match kind:
        case TaskKind.START:
            whole_ms = shelf_patience.act_ms(kind, resource.config.start_ms, group)
            return max(1, whole_ms - (now_ms - resource.start_begun_ms))
        case TaskKind.STOP:
            return shelf_patience.act_ms(kind, resource.config.stop_ms, group)
        case _:
            return shelf_patience.act_ms(TaskKind.MONITOR, resource.config.monitor_ms, group)


def _why(done: TaskDone, what: str) -> str:
    if done.detail:
        return done.detail
    return (
        f"its {what} did not end in time" if done.result is TaskResult.TIMED_OUT else f"its {what} {done.result.value}"
    )
