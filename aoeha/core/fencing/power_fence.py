"""Power fences: when one starts, what counts as its success, and when it is given up (home of R7; also R2, R8).

Rules. A fence is begun only against a silent peer, or against a peer that asks for it because it failed to stop. Only a
node that could then serve begins one. All devices of a level are switched off; after the last of them, all are read in
one round. Only a round in which every device reports off is proof. It is proof only about the boot that the fence was
begun against, and only when that boot is heard no more (`power_proof`). If that boot is still heard, the plug is a
wrong one: its power is restored, and no device that gave a false proof is used again. When a level fails, the next
level follows, and after the last level a pause. Each attempt checks again whether its reason still stands. A new boot
of the peer ends the fence: its tasks are cancelled and waited for, and a late result counts for nothing. A stall of
this node does the same while the devices are being told: the peer may have come to serve meanwhile.

What this file does not know: what the proof is used for.
"""

from aoeha.core.fencing import (
    devices,
    false_proof,
    fence_race,
    power_on,
    power_orders,
    power_proof,
    power_restore,
    remembered_off,
)
from aoeha.core.model import law
from aoeha.core.model.actions import CancelTask
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import TaskDone
from aoeha.core.model.fence import FencePhase, FenceState, Off
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.proof import Confirmation
from aoeha.core.model.state import GroupState, NodeState, PeerCondition
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import PlugState, PowerPurpose, PowerTask, TaskKind, TaskResult
from aoeha.core.ownership import blockers
from aoeha.core.peer import membership
from aoeha.core.resources import address_conflict
from aoeha.core.storage import storage_fence

BACK_OFF_FIRST_MS = 1_000
BACK_OFF_MAX_MS = 30_000
IDLE = (*blockers.TAKEOVER_REFUSED.values(), Code.TAKEOVER_REFUSED_UNCLEAN_BOOT, Code.TAKEOVER_REFUSED_UNSEEN_OWNER)
"""Reasons why no fence is begun."""


def decide(step: StepContext) -> None:
    """Advance the fence by the time that has passed and the beats that were heard."""
    false_proof.end(step)
    _end_refusals(step)
    _void_old_word(step)
    false_proof.void(step)
    _cancel_for_new_boot(step)
    fence = step.state.fence
    match fence.phase:
        case FencePhase.IDLE if fence.recalled is not None:
            remembered_off.read_again(step)
        case FencePhase.IDLE:
            _consider(step)
        case FencePhase.SETTLING if remembered_off.is_void(step.state):
            _rest(step)
        case FencePhase.WAITING | FencePhase.BACKING_OFF if _is_our_turn(step.state):
            _attempt(step)
        case FencePhase.WAITING | FencePhase.BACKING_OFF if not _reason(step.state):
            _stand_down(step)
        case FencePhase.SETTLING if power_proof.stamps_go_on(step.state):
            wrong_plug(step, "its disk heartbeat continues")
        case FencePhase.SETTLING if step.now_ms >= fence.until_ms and not power_proof.awaits_silence(step.state):
            _succeed(step)
        case _:
            pass
    devices.watch(step)


def task_done(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    """Process the end of a fence's task."""
    if task.id not in dict(step.state.fence.tasks):
        return
    remaining = tuple(entry for entry in step.state.fence.tasks if entry[0] != task.id)
    step.change_fence(tasks=remaining)
    match step.state.fence.phase:
        case FencePhase.CANCELLING:
            if not remaining:
                step.change(fence=FenceState())
        case FencePhase.SWITCHING_OFF:
            _switched_off(step, task, done)
        case FencePhase.READING_BACK if step.state.fence.recalled is not None:
            if not remembered_off.was_read(step, task, done):
                _rest(step)
        case FencePhase.READING_BACK:
            _read_back(step, task, done)
        case _:
            pass


def give_up_after_stall(step: StepContext) -> None:
    """End a power-off that was under way as this node was stalled: its silent peer may serve lawfully by now."""
    if step.state.fence.phase is FencePhase.SWITCHING_OFF:
        node, peer = step.state.config.node, step.state.config.peer
        _cancel(step, f"{node} was stalled as it switched {peer} off, and {peer} may serve by now: that is cancelled")


def confirm(step: StepContext, user: str) -> None:
    """Accept an operator's confirmation that the peer is off. It covers this boot of the peer, and expires soon."""
    until_ms = step.now_ms + step.state.config.confirm_valid_ms
    step.change_fence(confirmed=Confirmation(step.state.peer.boot_id, user, until_ms))
    peer = step.state.config.peer
    step.say(Code.PEER_CONFIRMED_OFF, Subject.node(peer), f"{user} confirmed that {peer} is off")


def tell_late_beat(step: StepContext) -> None:
    """A beat arrived after the peer's power-off was confirmed, and may have been sent before."""
    name = step.state.config.peer
    step.alarm(
        Code.FENCE_LATE_BEAT,
        Subject.node(name),
        f"{name} was heard after its power-off was confirmed: a slow link delivered an old beat, or the plug is not "
        f"that of {name}. Check the wiring",
    )


def end_late_beat(step: StepContext, sentence: str) -> None:
    """The beats that were heard late were old ones, or have ended."""
    step.clear_alarm(Code.FENCE_LATE_BEAT, Subject.node(step.state.config.peer), sentence)


def _reason(state: NodeState) -> str:
    """Why the peer should be fenced now; empty for no reason.

    One that left has stopped its addresses. One that runs and cannot be read stops them: it sees that it lost its legs.
    """
    peer = state.config.peer
    if not state.config.fences or law.first(state, Act.POWER_OFF, None, law.TESTS, Kind.PAUSED) is not None:
        return ""
    if ordered := power_orders.reason(state):
        return ordered
    if law.stops(state, Act.POWER_OFF) is not None:
        return ""
    if power_on.overdue(state):
        return f"{peer} was switched on again and is not heard, and would fence {state.config.node} in turn"
    stopping = state.peer.condition in (PeerCondition.LEFT, PeerCondition.UNREADABLE)
    if not stopping and any(address_conflict.may_conflict(state, group) for group in state.groups):
        return f"{peer} lost its legs and may still answer for the address"
    if state.fence.off_boot_id is not None or state.fence.confirmed is not None:
        return ""
    names = wanted(state)
    if not names:
        return ""
    if membership.is_silent(state):
        return f"{peer} is silent and {names[0]} needs an owner"
    return f"{peer} can neither serve nor stop {names[0]} and asks to be fenced"


def wanted(state: NodeState) -> tuple[str, ...]:
    """The groups that this node could serve and the peer must lose: the peer is silent, or says it cannot stop them."""
    silent = membership.is_silent(state) and not power_on.unclean_boot_lately(state)
    return tuple(
        group.name
        for group in state.groups
        if not group.holding
        and ((silent and not storage_fence.in_vain(state, group)) or _asks_to_be_fenced(state, group))
        and not storage_fence.peer_yielded_to(state, group)
        and blockers.could_serve(state, group) is None
    )


def wanted_legs(state: NodeState) -> tuple[str, ...]:
    """The groups whose legs this node wants as a proof: after a while also those of a peer that left (R10).

    Its last beat is old by then. The peer is not powered off for this: these legs are preempted only where no leg shows
    the peer.
    """
    if not membership.left_long_ago(state):
        return wanted(state)
    return tuple(group.name for group in state.groups if not group.holding and not blockers.could_serve(state, group))


def _asks_to_be_fenced(state: NodeState, group: GroupState) -> bool:
    """Whether the peer says that it can neither serve nor stop the group. An old statement does not count (R10)."""
    theirs = state.peer_group(group.name)
    asks = membership.has_reported(state) and theirs is not None and theirs.phase is GroupPhase.BLOCKED
    return asks and membership.is_news(state)


def _is_our_turn(state: NodeState) -> bool:
    """Whether to fence now: the fence delay is over, and the first leg, where it responds, has stayed ours (R7).

    While a group needs an owner, the first leg is not waited for without end (R18).
    """
    fence, names = state.fence, wanted(state)
    waited_ms = state.now_ms - fence.until_ms
    if waited_ms < 0 or power_restore.is_under_way(state):
        return False
    if fence.phase is not FencePhase.WAITING or (names and waited_ms >= storage_fence.patience_ms(state.config)):
        return True
    return storage_fence.first_leg_stands(state) or not storage_fence.arbitrates(state, names)


def _consider(step: StepContext) -> None:
    state = step.state
    reason = _reason(state)
    if not reason:
        _explain_idleness(step)
        return
    ordered = power_orders.reason(state)
    delay_ms = 0 if ordered else fence_race.delay_ms(state)
    step.change_fence(
        phase=FencePhase.WAITING,
        victim_boot_id=state.peer.boot_id,
        level_index=power_orders.first_level(state),
        until_ms=step.now_ms + delay_ms,
        attempts=0,
    )
    delay = f"; {state.config.node} waits {delay_ms} ms" if delay_ms else ""
    peer = state.config.peer
    step.say(Code.FENCE_BEGUN, Subject.node(peer), f"{state.config.node} fences {peer}: {reason}{delay}")
    at_once = ordered or (not delay_ms and not storage_fence.arbitrates(state, wanted(state)))
    if at_once and not power_restore.is_under_way(state):
        _attempt(step)


def _explain_idleness(step: StepContext) -> None:
    if not membership.is_silent(step.state):
        return
    for group in step.state.groups:
        blocked = blockers.could_serve(step.state, group)
        if group.holding:
            continue
        if blocked is not None:
            sentence = f"{step.state.config.node} does not take over {group.name}: {blocked.sentence}"
            step.refuse(group.name, blockers.TAKEOVER_REFUSED[blocked.kind], sentence)
        elif power_on.unclean_boot_lately(step.state):
            sentence = power_on.unclean_boot_sentence(step.state, group)
            step.refuse(group.name, Code.TAKEOVER_REFUSED_UNCLEAN_BOOT, sentence)
        elif in_vain := storage_fence.in_vain(step.state, group):
            sentence = f"{step.state.config.node} does not take over {group.name}: {in_vain}"
            step.refuse(group.name, Code.TAKEOVER_REFUSED_UNSEEN_OWNER, sentence)
        elif not step.state.config.fences:
            sentence = _unfenced(step.state, group, "no fence device is configured")
            step.refuse(group.name, Code.TAKEOVER_REFUSED_NO_PROOF, sentence)
        elif group.refusal is not None and group.refusal.code in IDLE:
            step.end_refusal(group.name)


def _attempt(step: StepContext) -> None:
    """Switch off all devices of the current level, if there is still a reason to."""
    state = step.state
    reason = _reason(state)
    if not reason:
        _stand_down(step)
        return
    level = devices.on_level(state, devices.levels(state)[state.fence.level_index])
    attempts = state.fence.attempts + 1
    step.change_fence(phase=FencePhase.SWITCHING_OFF, failed="", read=(), attempts=attempts, recalled=None)
    wrong = next((device for device in level if device.distrusted and not power_orders.reason(state)), None)
    if wrong is not None:
        step.change_fence(failed=_disbelieved(wrong.name, wrong.distrusted))
        _level_failed(step)
        return
    for device in level:
        power_restore.expect_restore(step, device.name)
        _start(step, TaskKind.POWER_OFF, device.name, reason)


def make_room(step: StepContext) -> None:
    """Let an order begin at once where a fence waits for its delay, or for another try."""
    if step.state.fence.phase in (FencePhase.WAITING, FencePhase.BACKING_OFF):
        _rest(step)


def _stand_down(step: StepContext) -> None:
    _rest(step)
    peer = step.state.config.peer
    sentence = f"there is no reason to fence {peer} any more"
    step.say(Code.FENCE_STOOD_DOWN, Subject.node(peer), sentence)
    step.clear_alarm(Code.FENCE_FAILED, Subject.node(peer), sentence)
    power_orders.failed(step, "the fence was given up: the pair is paused, or two machines use that name")


def _rest(step: StepContext) -> None:
    """No fence is under way any more. What is known of an earlier fence stays."""
    fence = step.state.fence
    until_ms = step.now_ms + power_restore.PATIENCE_MS
    step.change(fence=FenceState(until_ms=until_ms, off_boot_id=fence.off_boot_id, confirmed=fence.confirmed))
    power_restore.look(step)


def _start(step: StepContext, kind: TaskKind, device: str, reason: str) -> None:
    task_id = devices.start(step, kind, device, PowerPurpose.FENCE, reason)
    step.change_fence(tasks=(*step.state.fence.tasks, (task_id, device)))


def _switched_off(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    fence = step.state.fence
    if done.result is not TaskResult.OK:
        devices.note_silence(step, task.subject, done)
        step.change_fence(failed=f"{task.subject} did not switch {step.state.config.peer} off: {devices.why(done)}")
    if fence.tasks:
        return
    if step.state.fence.failed:
        _level_failed(step)
        return
    step.change_fence(phase=FencePhase.READING_BACK)
    level = devices.levels(step.state)[fence.level_index]
    for device in devices.on_level(step.state, level):
        _start(step, TaskKind.POWER_STATUS, device.name, "reading back after switching off")


def _read_back(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    plug = devices.read_plug(done)
    step.change_fence(read=(*step.state.fence.read, (task.subject, plug)))
    if plug is PlugState.UNKNOWN:
        devices.note_silence(step, task.subject, done)
    devices.note_obedience(step, task.subject, plug)
    doubt = power_orders.doubt(step.state, step.state.device(task.subject))
    if doubt:
        step.change_fence(failed=_disbelieved(task.subject, doubt))
    elif plug is not PlugState.OFF:
        unclear = f": {devices.why(done)}" if plug is PlugState.UNKNOWN else ""
        sentence = f"{task.subject} reports {plug.value} after it switched {step.state.config.peer} off{unclear}"
        step.change_fence(failed=sentence)
    if step.state.fence.tasks:
        return
    if step.state.fence.failed:
        _level_failed(step)
        return
    level = devices.levels(step.state)[step.state.fence.level_index]
    settle_ms = max(
        devices.settings(step.state, device.name).settle_ms for device in devices.on_level(step.state, level)
    )
    power_proof.read_off(step, settle_ms)
    if settle_ms == 0 and not power_proof.awaits_silence(step.state):
        _succeed(step)


def _disbelieved(device: str, doubt: str) -> str:
    return f"{device} is not trusted: it {doubt}"


def _succeed(step: StepContext) -> None:
    state, fence = step.state, step.state.fence
    read = ", ".join(f"{device} reports {plug.value}" for device, plug in fence.read)
    peer = state.config.peer
    step.change(last_off=Off(fence.victim_boot_id, step.now_ms, state.sequence, fence.level_index))
    step.change(fence=FenceState(off_boot_id=fence.victim_boot_id, until_ms=step.now_ms + power_restore.PATIENCE_MS))
    for device, _ in fence.read:
        step.change_device(device, reachable=True, detail="", checked_ms=step.now_ms, plug=PlugState.OFF)
        devices.answered(step, device)
    step.clear_alarm(Code.FENCE_FAILED, Subject.node(peer), f"{peer} was fenced")
    end_late_beat(step, f"a later power-off of {peer} was confirmed")
    step.say(Code.FENCE_SUCCEEDED, Subject.node(peer), f"{peer} is powered off: {read}")
    power_on.fenced_again(step)
    power_orders.succeeded(step, read)


def wrong_plug(step: StepContext, how: str) -> None:
    """The plug reports off and the peer keeps running: these devices are not believed, and their power is restored.

    Nor is anybody believed any more who has called the peer off.
    """
    peer, read = step.state.config.peer, [device for device, _ in step.state.fence.read]
    for device in read:
        devices.distrust_one(step, device)
    sentence = f"{', '.join(read)} reports {peer} as off, and {peer} keeps running ({how}): a wrong plug"
    if power_orders.is_going_off(step.state):
        step.change(fence=FenceState())
        power_orders.wrong_plug(step, sentence, read)
        return
    power_restore.begin(step, read, f"another machine than {peer} was switched off")
    step.change_fence(failed=sentence, read_off=None, off_boot_id=None, confirmed=None)
    _level_failed(step)


def _level_failed(step: StepContext) -> None:
    state, fence = step.state, step.state.fence
    peer = state.config.peer
    sentence = f"fence level {devices.levels(state)[fence.level_index]} failed: {fence.failed}"
    step.say(Code.FENCE_LEVEL_FAILED, Subject.node(peer), sentence)
    if fence.level_index + 1 < len(devices.levels(state)) and not power_orders.only_one_level(state):
        step.change_fence(level_index=fence.level_index + 1)
        _attempt(step)
        return
    if power_orders.is_going_off(state):
        power_orders.failed(step, fence.failed)
        if not _reason(step.state):
            _rest(step)
            return
    rounds = (fence.attempts - 1) // len(devices.levels(state))
    pause_ms = min(BACK_OFF_FIRST_MS << min(rounds, 10), BACK_OFF_MAX_MS)
    step.change_fence(phase=FencePhase.BACKING_OFF, level_index=0, until_ms=step.now_ms + pause_ms)
    step.alarm(Code.FENCE_FAILED, Subject.node(peer), f"{state.config.node} cannot fence {peer}: {fence.failed}")
    for group in state.groups:
        if not group.holding and blockers.could_serve(state, group) is None:
            step.refuse(group.name, Code.TAKEOVER_REFUSED_NO_PROOF, _unfenced(state, group, fence.failed))


def _unfenced(state: NodeState, group: GroupState, why: str) -> str:
    peer = state.config.peer
    return (
        f"{state.config.node} does not take over {group.name}: {peer} may still be writing, and there is no proof that "
        f"it is off ({why}). "
        f"Check that {peer} has no power, then: aoeha confirm {peer}"
    )


def _end_refusals(step: StepContext) -> None:
    """Forget the condition that stopped a takeover, when it stands no more or the peer is not silent any more."""
    for group in step.state.groups:
        refusal = group.refusal
        if refusal is None or refusal.code not in blockers.TAKEOVER_REFUSED.values():
            continue
        if not membership.is_silent(step.state) or blockers.could_serve(step.state, group) is None:
            step.end_refusal(group.name)


def _void_old_word(step: StepContext) -> None:
    confirmed, peer = step.state.fence.confirmed, step.state.config.peer
    runs = step.state.peer.condition in membership.RUNS_UNHEARD
    if confirmed is not None and (runs or step.now_ms >= confirmed.until_ms):
        step.change_fence(confirmed=None)
        sentence = f"the operator's confirmation that {peer} is off {'was wrong: it runs' if runs else 'has expired'}"
        step.say(Code.PEER_CONFIRMATION_EXPIRED, Subject.node(peer), sentence)


def _cancel_for_new_boot(step: StepContext) -> None:
    fence, peer = step.state.fence, step.state.peer
    if fence.phase in (FencePhase.IDLE, FencePhase.CANCELLING):
        return
    if peer.boot_id == fence.victim_boot_id:
        return
    _cancel(step, f"{step.state.config.peer} is heard with a new boot: its fence is cancelled")


def _cancel(step: StepContext, sentence: str) -> None:
    """Give up the fence and what it has under way, and wait until that has ended."""
    subject = Subject.node(step.state.config.peer)
    step.say(Code.FENCE_CANCELLED, subject, sentence)
    step.clear_alarm(Code.FENCE_FAILED, subject, sentence)
    power_orders.failed(step, sentence)
    power_restore.look(step)
    if not step.state.fence.tasks:
        step.change(fence=FenceState())
        return
    step.change_fence(phase=FencePhase.CANCELLING, off_boot_id=None)
    for task_id, _ in step.state.fence.tasks:
        step.do(CancelTask(task_id))
