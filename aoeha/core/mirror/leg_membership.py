"""Legs of a running mirror that leave it and come back (R4, R5).

Rules. A leg is lost when in two hold checks each of its addresses was silent or showed a stranger. The owner evicts a
lost leg while another leg is held and responds, and never the last one. It does none of this before the ledger's gate
is open: until then writes wait. A mirror that is to be stopped loses a lost leg too, for its stop would hang; nothing
else moves in it. As long as a lost leg must not leave, an alarm says so.

A leg that the mirror's monitor reports as missing is returned once every address of it has been ours for a while, and
another leg is seen to be ours still: a peer that fenced this node by that other leg never heard of this one. On slow
legs it waits until the group has started: the copy would hold up each read of what starts. A leg
returns by the mirror's bitmap. It returns by a full copy where its target restarted meanwhile, or may have, and does
not keep what it acknowledged. A target that restarts so within a running mirror makes its leg leave and return in the
same way, if the other target did not restart. If both did, there is only an alarm. A leg whose target restarted,
durable or not, while a fenced peer may have written there, leaves and returns in the same way, and so does a leg that a
stranger had. Until it has left, the mirror reads it last, copies nothing from it, and does not continue with it alone.
A leg that is being copied does not count as another leg; it is trusted again when a look finds it whole. No node starts
from a leg that was evicted: the other leg's superblock calls it missing.

A return that failed is judged by the first reading begun after it. A leg that showed us all the time has a disk that
reports errors, and rests (`leg_rest`), unless the return only did not end in its time: then the leg is slow, and is
tried again 30 s later. One that fell silent meanwhile, or restarted, is tried again as soon as it has been ours for a
while.

What this file does not know: how md is told.
"""

from aoeha.core.mirror import leg_rest
from aoeha.core.model import law, shelf_patience
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.config import LegConfig
from aoeha.core.model.events import TaskDone
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.legs import FailedReturn, LegState, LegWork
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import UP, GroupState, NodeState, ResourcePhase, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import LegTask, TaskKind, TaskResult
from aoeha.core.resources import lifecycle, mirror_start
from aoeha.core.storage import leg_ledger, suspect_legs

EVICT_DEADLINE_MS, RETURN_DEADLINE_MS = 5_000, 30_000
STEADY_MS = 5_000
"""A leg that responds again must have done so for this long."""
EVICT_AGAIN_MS = 2_000
LEG_ALARMS = (Code.MIRROR_LEG_OUT, Code.MIRROR_LEG_STUCK, Code.MIRROR_LEG_WAITING)
"""Alarms that end when the mirror no longer runs here."""


def decide(step: StepContext) -> None:
    """Begin the next eviction or return for every mirror that runs here, one at a time."""
    for name in [group.name for group in step.state.groups if group.legs]:
        group = step.state.group(name)
        mirror = _mirror(group)
        if mirror is None or not leg_ledger.may_run(group, mirror):
            leg_ledger.publish(step, name, None)
            _end_alarms(step, group)
            if not group.holding:
                mirror_start.end_alarm(step, name)
            suspect_legs.end_alarms(step, name)
            step.change_group(name, leg_work=replaced(group.leg_work, failed=None))
            continue
        _judge_failure(step, name)
        _trust(step, group, mirror)
        _warn_of_loss(step, name)
        _warn_of_waiting_writes(step, group, mirror)
        if leg_ledger.was_seen(mirror):
            _keep_clear(step, step.state.group(name), mirror)
        _intend(step, name, mirror)
        leg_ledger.publish(step, name, mirror)
        _act(step, step.state.group(name), mirror)


def task_done(step: StepContext, task: LegTask, done: TaskDone) -> None:
    """Process the result of an eviction or return. The mirror is monitored again at once."""
    group = step.state.group(task.group)
    if group.leg_work.task_id != task.id:
        return
    evicted, worked = task.kind is TaskKind.EVICT_LEG, done.result is TaskResult.OK
    again_ms, mirror = EVICT_AGAIN_MS if evicted else leg_rest.RETURN_AGAIN_MS, _mirror(group)
    recorded = worked and mirror is not None and not _is_unseen(mirror)
    step.change_group(group.name, leg_work=LegWork(retry_ms=step.now_ms + (0 if recorded else again_ms)))
    if mirror is None or not leg_ledger.may_run(group, mirror):
        return
    if mirror.phase in UP:
        lifecycle.look_again(step, group.name, mirror)
    subject = Subject.leg(group.name, task.leg)
    if not worked:
        what = f"taken out of {task.subject}" if evicted else f"added to {task.subject} again"
        sentence = f"{task.leg} could not be {what}: {done.detail or done.result.value}"
        if evicted:
            step.alarm(Code.MIRROR_LEG_STUCK, subject, sentence)
        else:
            late = done.result is TaskResult.TIMED_OUT
            failed = FailedReturn(task.leg, sentence, group.leg_work.begun_ms, step.now_ms, late)
            step.change_group(group.name, leg_work=replaced(step.state.group(group.name).leg_work, failed=failed))
        return
    step.clear_alarm(Code.MIRROR_LEG_STUCK, subject, f"{task.leg} could be moved now")
    if not evicted:
        leg_ledger.note_copies(step, group.name, (task.leg,))
    _moved(step, group, mirror, task.leg, evicted=evicted)
    if evicted:
        sentence = f"{task.subject} continues without {task.leg}, which returns by itself when its shelf answers again"
        step.alarm(Code.MIRROR_LEG_OUT, subject, sentence)


def _judge_failure(step: StepContext, name: str) -> None:
    """Find out whether a leg that could not be returned responded all the time, by a reading begun since."""
    group = step.state.group(name)
    failed, read_ms = group.leg_work.failed, group.shelves.read_ms
    if failed is None or read_ms is None or read_ms < failed.ended_ms:
        return
    leg = group.leg(failed.leg)
    subject = Subject.leg(name, leg.name)
    if leg.shows(Holder.US) and all(address.since_ms <= failed.begun_ms for address in leg.addresses):
        slow = ". It is slow, and nothing else is known against it: it is tried again" if failed.late else ""
        step.alarm(Code.MIRROR_LEG_STUCK, subject, failed.sentence + slow)
        if not failed.late:
            leg_rest.rest(step, name, leg, "it could not be added to the mirror again")
        step.change_group(name, leg_work=replaced(group.leg_work, failed=None))
    else:
        sentence = f"{failed.sentence}. Its shelf fell silent meanwhile, or its target restarted"
        step.say(Code.MIRROR_LEG_INTERRUPTED, subject, sentence)
        step.change_group(name, leg_work=LegWork())


def _moved(step: StepContext, group: GroupState, mirror: ResourceState, leg: str, *, evicted: bool) -> None:
    """Record what a leg's eviction or return made of the mirror, unless a look is to tell how that stands at all."""
    if evicted:
        step.change_leg(group.name, leg, copying=False, copy_in_doubt=False)
    if _is_unseen(mirror):
        return
    missing, copying = ([one for one in legs if one != leg] for legs in (mirror.missing or (), mirror.copying))
    (missing if evicted else copying).append(leg)
    name, phase = mirror.config.name, ResourcePhase.DEGRADED if mirror.phase in UP else mirror.phase
    step.change_resource(group.name, name, missing=tuple(missing), copying=tuple(copying), phase=phase)


def _is_unseen(mirror: ResourceState) -> bool:
    """Whether a mirror runs that no look has told of yet: the next one, which is due, does."""
    return mirror.phase in UP and not leg_ledger.was_seen(mirror)


def _warn_of_waiting_writes(step: StepContext, group: GroupState, mirror: ResourceState) -> None:
    """Writes hang for as long as a leg is lost that must not leave the mirror."""
    subject = Subject.group(group.name)
    for leg in group.legs:
        lost = _why_lost(step.state, group, leg)
        if lost and leg.name not in (mirror.missing or ()):
            why = _why_not_leave(step.state, group, mirror, leg)
            if why:
                step.alarm(
                    Code.MIRROR_WRITES_WAIT, subject, f"writes to {group.name} wait for {leg.name}: {lost}, {why}"
                )
                return
    step.clear_alarm(Code.MIRROR_WRITES_WAIT, subject, f"writes to {group.name} do not wait any more")


def _why_not_leave(state: NodeState, group: GroupState, mirror: ResourceState, leg: LegState) -> str:
    """Why the mirror does not continue without a lost leg, empty where it will as soon as the peer knows."""
    others = _others(group, mirror, leg)
    answering = [other for other in others if other.shows_anywhere(Holder.US)]
    blocked = law.stops(state, Act.EVICT, group)
    if not answering:
        copied = [one.name for one in group.legs if one is not leg and one.copying and one.shows_anywhere(Holder.US)]
        return f"and {' and '.join(copied)} is not copied yet" if copied else "and no other leg of the mirror answers"
    if not any(_may_be_last(group, other, leg) for other in others):
        tainted = " and ".join(other.name for other in answering)
        forgot = not any(other.suspect or other.outdated for other in answering)
        what = f"{tainted} may have forgotten acknowledged writes"
        what = what if forgot else f"another machine may have overwritten acknowledged writes on {tainted}"
        return f"and {what}. If {leg.name} is lost for good, go on with what {tainted} has: aoeha cleanup"
    return f"and it may not leave the mirror now: {blocked.sentence}" if blocked is not None else ""


def _keep_clear(step: StepContext, group: GroupState, mirror: ResourceState) -> None:
    """Tell the mirror at once what it must no longer read or copy from. What it may use again, it learns later."""
    wanted, told = suspect_legs.limits(step.state, group, mirror), mirror.limits
    doubtful = [name for name in wanted.write_mostly if name not in told.write_mostly]
    for name in doubtful:
        sentence = f"{mirror.config.name} does not read {name} any more, and copies nothing from it"
        step.say(Code.MIRROR_LEG_AVOIDED, Subject.leg(group.name, name), sentence)
    if doubtful or (wanted.freeze_resync and not told.freeze_resync):
        lifecycle.look_again(step, group.name, mirror)
        step.change_resource(group.name, mirror.config.name, limits=wanted)


def _intend(step: StepContext, name: str, mirror: ResourceState) -> None:
    """Mark the legs to evict and the legs to return. A change that was begun and may still happen stays marked."""
    group = step.state.group(name)
    begun = group.leg_work.holds_up(step.now_ms)
    for leg in group.legs:
        missing = leg.name in (mirror.missing or ())
        if leg.name in mirror.dropped and not (leg.leaving or leg.returning):
            leg_rest.given_up(step, name, leg)
        leaving = bool(_why_evict(step.state, group, mirror, leg)) or (begun and leg.leaving and not missing)
        rested = _is_steady(step.state, leg) and step.now_ms >= step.state.group(name).leg(leg.name).rests_until_ms
        rested = rested and _stays(step.state, group, mirror) and not _would_hold_up_a_start(step.state, group)
        returning = missing and (rested or (begun and leg.returning))
        if (leaving, returning) != (leg.leaving, leg.returning):
            step.change_leg(name, leg.name, leaving=leaving, returning=returning)
        if step.state.alarms and not (leaving or returning):
            _end_alarms_of_resting(step, name, leg, missing=missing)
    if mirror.dropped:
        step.change_resource(name, mirror.config.name, dropped=())


def acknowledge_loss(step: StepContext) -> None:
    """An operator has checked the data of groups all of whose targets restarted, or takes what is left of old legs.

    What is left may be one suspect leg, for which the last sound one is given up: if that returns, all of it is copied.
    """
    for group in step.state.groups:
        doubtful = step.stands(Code.MIRROR_DATA_DOUBTFUL, Subject.group(group.name))
        if group.term is not None and (doubtful or mirror_start.found_too_old(step, group.name)):
            step.change_term(group.name, loss_acknowledged=True)
        if step.stands(Code.MIRROR_WRITES_WAIT, Subject.group(group.name)):
            for leg in (left := _tainted_alone(group)):
                step.change_leg(group.name, leg.name, suspect=False, outdated=False, reservation_lost=True)
            for leg in group.legs:
                if left and leg not in left:
                    step.change_leg(group.name, leg.name, outdated=True)


def _act(step: StepContext, group: GroupState, mirror: ResourceState) -> None:
    """Evict or return one leg, once the peer knows."""
    legs = sorted(group.legs, key=lambda leg: not leg.leaving)
    moving = next((leg for leg in legs if leg.leaving or leg.returning), None)
    if moving is None or group.leg_work.holds_up(step.now_ms):
        return
    if law.stops(step.state, Act.EVICT if moving.leaving else Act.RETURN, group) is not None:
        return
    if not leg_ledger.gate_is_open(step.state, group):
        _tell_of_the_wait(step, group, moving)
        return
    subject = Subject.leg(group.name, moving.name)
    step.clear_alarm(Code.MIRROR_LEG_WAITING, subject, f"{moving.name} need not wait any more")
    if moving.leaving:
        reason = _why_evict(step.state, group, mirror, moving)
        if reason:
            _evict(step, group, mirror, moving, reason)
    elif _is_steady(step.state, moving) and _keeps_another(group, mirror, moving):
        _return(step, group, mirror, moving)


def _tell_of_the_wait(step: StepContext, group: GroupState, leg: LegState) -> None:
    """Report why writes hang, or why a leg stays out, for longer than an answer of the peer takes."""
    state = step.state
    if group.term is not None and step.now_ms - group.term.ledger_since_ms >= state.config.warntime_ms:
        hanging = ", and writes wait with it," if leg.shows(Holder.SILENT) else ""
        what = f"leave the mirror{hanging}" if leg.leaving else "return"
        patience_s = -(-leg_ledger.patience_ms(state.config) // 1_000)
        sentence = f"{leg.name} waits to {what} until {state.config.peer} has heard of it, {patience_s} s at most"
        step.alarm(Code.MIRROR_LEG_WAITING, Subject.leg(group.name, leg.name), sentence)


def _why_evict(state: NodeState, group: GroupState, mirror: ResourceState, leg: LegState) -> str:
    """Why a leg must leave the mirror now, empty for no reason."""
    others = _others(group, mirror, leg)
    if leg.name in (mirror.missing or ()) or not _keeps_another(group, mirror, leg):
        return ""
    if lost := _why_lost(state, group, leg):
        return lost if any(_may_be_last(group, other, leg) for other in others) else ""
    if not _stays(state, group, mirror):
        return ""
    if leg.copying or not leg.shows(Holder.US) or not all(suspect_legs.is_sound(group, other) for other in others):
        return ""
    if leg.outdated:
        return "another disk, or an older copy of it, lies behind its name"
    if leg.suspect:
        return "another machine may have written there while its target did not know our reservation"
    return (
        "" if suspect_legs.is_sound(group, leg) else "its target restarted and may have lost what it had acknowledged"
    )


def _others(group: GroupState, mirror: ResourceState, leg: LegState | None) -> list[LegState]:
    missing = mirror.missing or ()
    return [other for other in group.legs if other is not leg and other.name not in missing and not other.copying]


def _keeps_another(group: GroupState, mirror: ResourceState, leg: LegState) -> bool:
    """Whether another whole leg shows us. A leg by which this node was fenced, before the gate opened, does not."""
    return any(other.shows_anywhere(Holder.US) for other in _others(group, mirror, leg))


def _tainted_alone(group: GroupState) -> list[LegState]:
    """The legs in a running mirror that answer, where none of them may be its last one."""
    legs = [leg for mirror in group.resources if mirror.config.mirror for leg in _others(group, mirror, None)]
    answering = [leg for leg in legs if leg.shows_anywhere(Holder.US)]
    lost = [leg for leg in legs if leg not in answering]
    return [] if any(_may_be_last(group, leg, one) for leg in answering for one in lost) else answering


def _may_be_last(group: GroupState, leg: LegState, lost: LegState) -> bool:
    """Whether a mirror may continue with this leg and without a lost one: a suspect leg may lack acknowledged writes.

    So may one whose target has forgotten, and then it is no worse than a lost one that may lack some, too, or that is
    still being copied: what only that one has, nobody could read.
    """
    no_better = lost.copying or not suspect_legs.is_sound(group, lost)
    sound = suspect_legs.is_sound(group, leg) or no_better
    return sound and leg.shows_anywhere(Holder.US) and not leg.suspect and not leg.outdated


def _stays(state: NodeState, group: GroupState, mirror: ResourceState) -> bool:
    """Whether the mirror is to run on here: one that is to be stopped only loses what would hold up its stop."""
    stops = law.stands(state, Kind.LEAVING) or law.stands(state, Kind.HANDING_OVER, group)
    return leg_ledger.was_seen(mirror) and not stops


def _why_lost(state: NodeState, group: GroupState, leg: LegState) -> str:
    """Why nothing that is written to a leg is ever acknowledged, as two readings found; empty if it may be."""
    if not leg.takes_nothing or group.shelves.read_ms is None:
        return ""
    since_ms = max(address.since_ms for address in leg.addresses)
    if group.shelves.read_ms - since_ms < state.config.hold_every_ms:
        return ""
    strangers = leg.shows_anywhere(Holder.STRANGER)
    return "it is reserved for another machine" if strangers else "its shelf does not answer"


def _would_hold_up_a_start(state: NodeState, group: GroupState) -> bool:
    """Whether a copy would take the time of slow legs from what is still to start: it comes first."""
    coming_up = any(one.phase in (ResourcePhase.STOPPED, ResourcePhase.STARTING) for one in group.resources)
    return coming_up and any(shelf_patience.is_slow(state.config, leg) for leg in group.legs)


def _is_steady(state: NodeState, leg: LegState) -> bool:
    since_ms = max(address.since_ms for address in leg.addresses)
    return leg.shows(Holder.US) and state.now_ms - since_ms >= STEADY_MS


def _trust(step: StepContext, group: GroupState, mirror: ResourceState) -> None:
    """A leg that is ours and part of a whole mirror has lost nothing, or has been copied since.

    A copy is as good as what it was made from: of a leg whose target had forgotten, it lacks what that one lacks. What
    that one forgets while the copy is made, it may have; what its own target forgets then, it lacks.
    """
    if not leg_ledger.was_seen(mirror) or law.stops(step.state, Act.TRUST, group) is not None:
        return
    for leg in group.legs:
        if leg.name in (*(mirror.missing or ()), *mirror.copying):
            continue
        if step.state.alarms:
            subject = Subject.leg(group.name, leg.name)
            sentence = f"{leg.name} is a whole half of {mirror.config.name} again"
            step.clear_alarm(Code.MIRROR_LEG_OUT, subject, sentence)
            leg_rest.end_alarms(step, subject, sentence)
        if leg.copying:
            lost, suspect = leg.copy_in_doubt, leg.copy_in_doubt and leg.suspect
            step.change_leg(group.name, leg.name, reservation_lost=lost, suspect=suspect, outdated=False)
            step.change_leg(group.name, leg.name, copying=False, copy_in_doubt=False)
        elif leg.reservation_lost is None and mirror.phase is ResourcePhase.RUNNING and leg.shows(Holder.US):
            step.change_leg(group.name, leg.name, reservation_lost=False)


def _warn_of_loss(step: StepContext, name: str) -> None:
    """With nothing left to copy from, only a human can tell what is missing."""
    group = step.state.group(name)
    acknowledged = group.term is not None and group.term.loss_acknowledged
    whole = suspect_legs.whole_legs(group)
    if any(suspect_legs.is_sound(group, leg) for leg in whole):
        if acknowledged:
            step.change_term(name, loss_acknowledged=False)
    elif whole and not acknowledged:
        legs = ", ".join(leg.name for leg in whole)
        sentence = (
            f"every target that {name} is read from has restarted ({legs}) and may have lost acknowledged writes: "
            "check what was written last, compare the legs, then run: aoeha cleanup"
        )
        step.alarm(Code.MIRROR_DATA_DOUBTFUL, Subject.group(name), sentence)


def _end_alarms_of_resting(step: StepContext, name: str, leg: LegState, *, missing: bool) -> None:
    """A leg that neither leaves nor returns waits for nothing. A leg in the mirror is not stuck either."""
    subject = Subject.leg(name, leg.name)
    step.clear_alarm(Code.MIRROR_LEG_WAITING, subject, f"{leg.name} need not move any more")
    if not missing and not leg.copying:
        step.clear_alarm(Code.MIRROR_LEG_STUCK, subject, f"{leg.name} need not move any more")


def _end_alarms(step: StepContext, group: GroupState) -> None:
    """The mirror does not run here: its next owner decides about its legs."""
    if not step.state.alarms:
        return
    sentence = f"{group.name} is not served by {step.state.config.node} any more"
    step.clear_alarm(Code.MIRROR_WRITES_WAIT, Subject.group(group.name), sentence)
    for leg in group.legs:
        for code in LEG_ALARMS:
            step.clear_alarm(code, Subject.leg(group.name, leg.name), sentence)
        leg_rest.end_alarms(step, Subject.leg(group.name, leg.name), sentence)


def _evict(step: StepContext, group: GroupState, mirror: ResourceState, leg: LegState, reason: str) -> None:
    sentence = f"{leg.name} is taken out of {mirror.config.name}: {reason}"
    step.say(Code.MIRROR_LEG_LEAVING, Subject.leg(group.name, leg.name), sentence)
    number = _begun(step, group)
    name = mirror.config.name
    step.begin(LegTask(number, EVICT_DEADLINE_MS, reason, TaskKind.EVICT_LEG, group.name, name, leg.name))


def _return(step: StepContext, group: GroupState, mirror: ResourceState, leg: LegState) -> None:
    whole = leg.suspect or leg.outdated or (leg.reservation_lost is not False and not _config(group, leg.name).durable)
    how = "by a full resync" if whole else "and what changed meanwhile is copied"
    code = Code.MIRROR_LEG_RETURNING_FULL if whole else Code.MIRROR_LEG_RETURNING_PARTIAL
    sentence = f"{leg.name} is added to {mirror.config.name} again {how}"
    step.say(code, Subject.leg(group.name, leg.name), sentence)
    step.change_leg(group.name, leg.name, copy_in_doubt=False)
    _make_equal(step, group, mirror, leg)
    number, name, reason = _begun(step, group), mirror.config.name, "its shelf answers again"
    kind = TaskKind.RETURN_LEG
    patience_ms = shelf_patience.act_ms(kind, RETURN_DEADLINE_MS, group)
    step.begin(LegTask(number, patience_ms, reason, kind, group.name, name, leg.name, whole, leg.outdated))


def _make_equal(step: StepContext, group: GroupState, mirror: ResourceState, copied: LegState) -> None:
    """The only leg that a copy can be made from is no worse than that copy, but by what happens to it from now on."""
    sources = _others(group, mirror, copied)
    if len(sources) == 1 and sources[0].suspect:
        step.change_leg(group.name, sources[0].name, suspect=False, reservation_lost=True)


def _begun(step: StepContext, group: GroupState) -> int:
    """Note the work on a leg that begins now, and return its number."""
    number = step.state.next_task_id
    step.change_group(group.name, leg_work=LegWork(number, begun_ms=step.now_ms))
    return number


def _mirror(group: GroupState) -> ResourceState | None:
    return next((resource for resource in group.resources if resource.config.mirror), None)


def _config(group: GroupState, leg: str) -> LegConfig:
    return next(config for config in group.config.legs if config.name == leg)
