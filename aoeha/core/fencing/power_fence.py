"""Power fences: when one is asked for, what counts as its success, and when it is let go (R2, R7, R8).

Rules. A fence is begun only against a silent peer (or one that asks for it, having failed to stop), and only by a node
that could then serve. All devices of a level are switched off, and after the last of them all are read in one round:
only a round that reads off everywhere is proof, only about the boot that it was begun against, and only when that is
heard no more (`power_proof`). Where it is, the plug is a wrong one: what lost its power by mistake gets it back, and
no device that gave a false proof is used again. A level that fails makes room for the next, then for a pause; each
attempt asks again whether its reason still stands. A new boot of the peer ends the whole affair: the tasks are
cancelled and waited for, and a late answer counts for nothing.

What this file does not know: what the proof is used for.
"""

from aoeha.core.fencing import devices, fence_race, power_on, power_orders, power_proof, power_restore
from aoeha.core.model.actions import CancelTask, Level
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.events import TaskDone
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.state import FencePhase, FenceState, GroupState, NodeState, Off, PeerCondition, phase_of
from aoeha.core.model.step_context import Turn
from aoeha.core.model.task import PlugState, Task, TaskKind, TaskResult
from aoeha.core.ownership import blockers, claims
from aoeha.core.peer import membership
from aoeha.core.resources import address_conflict
from aoeha.core.storage import storage_fence

BACK_OFF_FIRST_MS = 1_000
BACK_OFF_MAX_MS = 30_000


def decide(turn: Turn) -> None:
    """Move the fence on by what time and beats say."""
    _void_old_word(turn)
    _cancel_for_new_boot(turn)
    fence = turn.state.fence
    match fence.phase:
        case FencePhase.IDLE:
            _consider(turn)
        case FencePhase.WAITING | FencePhase.BACKING_OFF if _is_our_turn(turn.state):
            _attempt(turn)
        case FencePhase.WAITING | FencePhase.BACKING_OFF if not _reason(turn.state):
            _stand_down(turn)
        case FencePhase.SETTLING if power_proof.stamps_go_on(turn.state):
            _wrong_plug(turn, "its stamp on the shelves moved on")
        case FencePhase.SETTLING if turn.now_ms >= fence.until_ms and not power_proof.awaits_silence(turn.state):
            _succeed(turn)
        case _:
            pass
    devices.watch(turn)


def task_done(turn: Turn, task: Task, done: TaskDone) -> None:
    """Take in the end of a power task."""
    if power_orders.task_done(turn, task, done):
        return
    device = devices.by_name(turn.state, task.subject)
    if task.id == device.task_id:
        devices.note_reading(turn, device, done)
        return
    if task.id == device.back_task_id:
        power_restore.task_done(turn, task, done)
        return
    if task.id not in dict(turn.state.fence.tasks):
        return
    remaining = tuple(entry for entry in turn.state.fence.tasks if entry[0] != task.id)
    turn.change_fence(tasks=remaining)
    match turn.state.fence.phase:
        case FencePhase.CANCELLING:
            if not remaining:
                turn.change(fence=FenceState())
        case FencePhase.SWITCHING_OFF:
            _switched_off(turn, task, done)
        case FencePhase.READING_BACK:
            _read_back(turn, task, done)
        case _:
            pass


def confirm(turn: Turn, user: str) -> None:
    """Take an operator's word that the peer is off. Good for this boot of the peer, and not for long."""
    turn.change_fence(
        word_boot_id=turn.state.peer.boot_id,
        word_user=user,
        word_until_ms=turn.now_ms + turn.state.config.confirm_valid_ms,
    )
    turn.say(Level.WARNING, turn.state.config.peer, f"{user} confirmed that {turn.state.config.peer} is off")


def peer_spoke(turn: Turn) -> None:
    """A new beat was heard. If it is of the boot that was read off, or that a human called off, the proof was wrong."""
    state, fence, peer = turn.state, turn.state.fence, turn.state.peer
    if fence.phase is FencePhase.SETTLING and peer.boot_id == fence.victim_boot_id:
        if power_proof.beats_go_on(state):
            # Who is heard again is no longer silent: the next level needs a reason of its own.
            membership.judge(turn)
            _wrong_plug(turn, "its beats go on")
        return
    if power_proof.was_under_way(state):
        name = state.config.peer
        turn.alarm(
            "power-off",
            f"{name} was heard after its power-off was confirmed: a slow link brought an old beat, or the plug is not "
            f"{name}'s: check the wiring",
        )
        return
    if fence.off_boot_id is not None and fence.off_boot_id == peer.boot_id:
        devices.distrust(turn)
    devices.contradict(turn)
    power_on.peer_spoke(turn)
    for group in state.groups:
        if _is_about(group, peer.boot_id):
            _proof_was_wrong(turn, group)
    if fence.off_boot_id is not None or fence.word_boot_id is not None:
        turn.change_fence(off_boot_id=None, word_boot_id=None, word_user="")


def _reason(state: NodeState) -> str:
    """Why the peer should be fenced now, empty for no reason."""
    peer = state.config.peer
    if state.peer.alternates or state.panicking or not state.config.fences:
        return ""
    if ordered := power_orders.reason(state):
        return ordered
    if state.paused:
        return ""
    if power_on.overdue(state):
        return f"{peer} was switched on again and is not heard; it would fence {state.config.node} in turn"
    left = state.peer.condition is PeerCondition.LEFT
    if not left and any(address_conflict.may_have_rival(state, group) for group in state.groups):
        return f"{peer} lost its legs and may still answer for the address"
    if state.fence.off_boot_id is not None or state.fence.word_boot_id is not None:
        return ""
    names = wanted(state)
    if not names:
        return ""
    if membership.is_silent(state):
        return f"{peer} is silent and {names[0]} needs an owner"
    return f"{peer} can neither serve nor stop {names[0]} and asks to be fenced"


def wanted(state: NodeState) -> tuple[str, ...]:
    """The groups that this node could serve and the peer must lose: it is silent, or cannot stop them and says so."""
    if state.peer.alternates:
        return ()
    silent = membership.is_silent(state) and not power_on.fell_lately(state)
    return tuple(
        group.name
        for group in state.groups
        if not group.holding
        and ((silent and not storage_fence.in_vain(state, group)) or _asks_to_be_fenced(state, group))
        and not storage_fence.peer_yielded_to(state, group)
        and blockers.willing(state, group).yes
    )


def wanted_legs(state: NodeState) -> tuple[str, ...]:
    """The groups whose legs this node wants as a proof: after a while also those of a peer that left (R10).

    Its word is old by then. Nobody is powered off for it: these legs are taken only where none shows the peer.
    """
    if not membership.left_long_ago(state):
        return wanted(state)
    return tuple(group.name for group in state.groups if not group.holding and blockers.willing(state, group).yes)


def _asks_to_be_fenced(state: NodeState, group: GroupState) -> bool:
    """Whether the peer says that it can neither serve nor stop the group; not where that may be of long ago (R10)."""
    theirs = state.peer_group(group.name)
    asks = membership.has_reported(state) and theirs is not None and theirs.phase is GroupPhase.BLOCKED
    return asks and membership.is_news(state)


def _is_our_turn(state: NodeState) -> bool:
    """Whether to shoot now: it is time by rank, and the first leg, where it answers, has stayed ours (R7)."""
    fence = state.fence
    if state.now_ms < fence.until_ms or power_restore.is_under_way(state):
        return False
    arbitrated = fence.phase is FencePhase.WAITING and storage_fence.arbitrates(state, wanted(state))
    return storage_fence.first_leg_stands(state) or not arbitrated


def _consider(turn: Turn) -> None:
    state = turn.state
    reason = _reason(state)
    if not reason:
        _explain_idleness(turn)
        return
    ordered = power_orders.reason(state)
    delay_ms = 0 if ordered else fence_race.delay_ms(state)
    turn.change_fence(
        phase=FencePhase.WAITING,
        victim_boot_id=state.peer.boot_id,
        level_index=power_orders.first_level(state),
        until_ms=turn.now_ms + delay_ms,
        attempts=0,
    )
    turn.say(
        Level.WARNING,
        state.config.peer,
        f"fencing {state.config.peer}: {reason}" + (f"; waiting {delay_ms} ms" if delay_ms else ""),
    )
    at_once = ordered or (not delay_ms and not storage_fence.arbitrates(state, wanted(state)))
    if at_once and not power_restore.is_under_way(state):
        _attempt(turn)


def _explain_idleness(turn: Turn) -> None:
    if not membership.is_silent(turn.state):
        return
    for group in turn.state.groups:
        verdict = blockers.willing(turn.state, group)
        if group.holding:
            continue
        if not verdict.yes:
            turn.refuse(group.name, f"not taking over {group.name}: {verdict.sentence}")
        elif power_on.fell_lately(turn.state):
            turn.refuse(group.name, _fallen(turn.state, group))
        elif in_vain := storage_fence.in_vain(turn.state, group):
            turn.refuse(group.name, f"not taking over {group.name}: {in_vain}")
        elif not turn.state.config.fences:
            turn.refuse(group.name, _unfenced(turn.state, group, "no fence device is configured"))


def _fallen(state: NodeState, group: GroupState) -> str:
    node, peer, patience_s = state.config.node, state.config.peer, state.config.restart_window_ms // 1000
    return (
        f"not taking over {group.name} yet: {node} went down without leaving, so {peer} may have fenced it and may be "
        f"serving; {peer} is fenced if it is not heard within {patience_s} s. "
        f"If {peer} has no power: aoeha confirm {peer}"
    )


def _attempt(turn: Turn) -> None:
    """Switch off all devices of the level at hand, if there is still a reason to."""
    state = turn.state
    reason = _reason(state)
    if not reason:
        _stand_down(turn)
        return
    level = devices.on_level(state, devices.levels(state)[state.fence.level_index])
    turn.change_fence(phase=FencePhase.SWITCHING_OFF, failed="", read=(), attempts=state.fence.attempts + 1)
    wrong = next((device for device in level if device.distrusted and not power_orders.reason(state)), None)
    if wrong is not None:
        turn.change_fence(failed=_disbelieved(wrong.name, wrong.distrusted))
        _level_failed(turn)
        return
    for device in level:
        power_restore.owe(turn, device.name)
        _start(turn, TaskKind.POWER_OFF, device.name, reason)


def make_room(turn: Turn) -> None:
    """Let an order begin at once where a fence waits for its time, or for another try."""
    if turn.state.fence.phase in (FencePhase.WAITING, FencePhase.BACKING_OFF):
        _rest(turn)


def _stand_down(turn: Turn) -> None:
    _rest(turn)
    turn.say(Level.INFO, turn.state.config.peer, f"no reason to fence {turn.state.config.peer} any more")
    power_orders.failed(turn, "it was given up: the pair is paused, or two machines use that name")


def _rest(turn: Turn) -> None:
    """No fence is under way any more; what is known of an earlier one stays."""
    fence = turn.state.fence
    at_rest = FenceState(
        until_ms=turn.now_ms + power_restore.PATIENCE_MS,
        off_boot_id=fence.off_boot_id,
        word_boot_id=fence.word_boot_id,
        word_until_ms=fence.word_until_ms,
        word_user=fence.word_user,
    )
    turn.change(fence=at_rest)
    power_restore.look(turn)


def _start(turn: Turn, kind: TaskKind, device: str, reason: str) -> None:
    task_id = devices.start(turn, kind, device, reason)
    turn.change_fence(tasks=(*turn.state.fence.tasks, (task_id, device)))


def _switched_off(turn: Turn, task: Task, done: TaskDone) -> None:
    fence = turn.state.fence
    if done.result is not TaskResult.OK:
        devices.note_silence(turn, task.subject, done)
        turn.change_fence(failed=f"{task.subject} did not switch {turn.state.config.peer} off: {devices.why(done)}")
    if fence.tasks:
        return
    if turn.state.fence.failed:
        _level_failed(turn)
        return
    turn.change_fence(phase=FencePhase.READING_BACK)
    level = devices.levels(turn.state)[fence.level_index]
    for device in devices.on_level(turn.state, level):
        _start(turn, TaskKind.POWER_STATUS, device.name, "reading back after switching off")


def _read_back(turn: Turn, task: Task, done: TaskDone) -> None:
    plug = done.plug if done.result is TaskResult.OK and done.plug is not None else PlugState.UNKNOWN
    turn.change_fence(read=(*turn.state.fence.read, (task.subject, plug)))
    if plug is PlugState.UNKNOWN:
        devices.note_silence(turn, task.subject, done)
    devices.note_obedience(turn, task.subject, plug)
    doubt = power_orders.doubt(turn.state, devices.by_name(turn.state, task.subject))
    if doubt:
        turn.change_fence(failed=_disbelieved(task.subject, doubt))
    elif plug is not PlugState.OFF:
        unclear = f": {devices.why(done)}" if plug is PlugState.UNKNOWN else ""
        sentence = f"{task.subject} reads {plug.value} after switching {turn.state.config.peer} off{unclear}"
        turn.change_fence(failed=sentence)
    if turn.state.fence.tasks:
        return
    if turn.state.fence.failed:
        _level_failed(turn)
        return
    level = devices.levels(turn.state)[turn.state.fence.level_index]
    settle_ms = max(
        devices.settings(turn.state, device.name).settle_ms for device in devices.on_level(turn.state, level)
    )
    power_proof.read_off(turn, settle_ms)
    if settle_ms == 0 and not power_proof.awaits_silence(turn.state):
        _succeed(turn)


def _disbelieved(device: str, doubt: str) -> str:
    return f"{device} is not believed any more: it {doubt}"


def _succeed(turn: Turn) -> None:
    state, fence = turn.state, turn.state.fence
    read = ", ".join(f"{device} reads {plug.value}" for device, plug in fence.read)
    turn.change(last_off=Off(fence.victim_boot_id, turn.now_ms, state.sequence, fence.level_index))
    turn.change(fence=FenceState(off_boot_id=fence.victim_boot_id, until_ms=turn.now_ms + power_restore.PATIENCE_MS))
    for device, _ in fence.read:
        turn.change_device(device, reachable=True, detail="", checked_ms=turn.now_ms, plug=PlugState.OFF)
    turn.clear_alarm("fence", "fencing works again")
    turn.clear_alarm("power-off", "a later power-off was confirmed")
    turn.say(Level.WARNING, state.config.peer, f"{state.config.peer} is powered off: {read}")
    power_on.fenced_again(turn)
    power_orders.succeeded(turn, read)


def _wrong_plug(turn: Turn, how: str) -> None:
    """It read off and runs on: nobody believes these devices any more, and what lost its power gets it back."""
    peer, read = turn.state.config.peer, [device for device, _ in turn.state.fence.read]
    for device in read:
        devices.distrust_one(turn, device)
    sentence = f"{', '.join(read)} reads {peer} as off, and {peer} runs on ({how}): a wrong plug"
    if power_orders.is_going_off(turn.state):
        turn.change(fence=FenceState())
        power_orders.wrong_plug(turn, sentence, read)
        return
    power_restore.begin(turn, read, f"it switched something else off than {peer}")
    turn.change_fence(failed=sentence, read_off=None)
    _level_failed(turn)


def _level_failed(turn: Turn) -> None:
    state, fence = turn.state, turn.state.fence
    turn.say(
        Level.WARNING,
        state.config.peer,
        f"fence level {devices.levels(state)[fence.level_index]} failed: {fence.failed}",
    )
    if fence.level_index + 1 < len(devices.levels(state)) and not power_orders.only_one_level(state):
        turn.change_fence(level_index=fence.level_index + 1)
        _attempt(turn)
        return
    if power_orders.is_going_off(state):
        power_orders.failed(turn, fence.failed)
        if not _reason(turn.state):
            _rest(turn)
            return
    rounds = (fence.attempts - 1) // len(devices.levels(state))
    pause_ms = min(BACK_OFF_FIRST_MS << min(rounds, 10), BACK_OFF_MAX_MS)
    turn.change_fence(phase=FencePhase.BACKING_OFF, level_index=0, until_ms=turn.now_ms + pause_ms)
    turn.alarm("fence", f"cannot fence {state.config.peer}: {fence.failed}")
    for group in state.groups:
        if not group.holding and blockers.willing(state, group).yes:
            turn.refuse(group.name, _unfenced(state, group, fence.failed))


def _unfenced(state: NodeState, group: GroupState, why: str) -> str:
    peer = state.config.peer
    return (
        f"not taking over {group.name}: {peer} may still be writing, and there is no proof that it is off ({why}). "
        f"Check that {peer} has no power, then: aoeha confirm {peer}"
    )


def _is_about(group: GroupState, boot_id: str) -> bool:
    proof = group.proof
    about_power = proof is not None and proof.kind in (ProofKind.POWERED_OFF, ProofKind.OPERATOR)
    return about_power and proof is not None and proof.peer_boot_id == boot_id


def _proof_was_wrong(turn: Turn, group: GroupState) -> None:
    state, proof = turn.state, group.proof
    assert proof is not None
    sentence = (
        f"the proof for {group.name} was wrong: {state.config.peer} ({proof.kind.value}) is heard on the same boot"
    )
    if phase_of(group) is GroupPhase.RUNNING:
        turn.alarm(group.name, sentence)
    else:
        claims.drop(turn, group.name, sentence + "; stopping what was started")
    if proof.kind is ProofKind.POWERED_OFF:
        devices.distrust(turn)


def _void_old_word(turn: Turn) -> None:
    fence = turn.state.fence
    if fence.word_boot_id is not None and turn.now_ms >= fence.word_until_ms:
        turn.change_fence(word_boot_id=None, word_user="")
        turn.say(Level.WARNING, turn.state.config.peer, f"the word that {turn.state.config.peer} is off has expired")


def _cancel_for_new_boot(turn: Turn) -> None:
    fence, peer = turn.state.fence, turn.state.peer
    if fence.phase in (FencePhase.IDLE, FencePhase.CANCELLING):
        return
    if not membership.is_alive(turn.state) or peer.boot_id == fence.victim_boot_id:
        return
    turn.say(
        Level.INFO, turn.state.config.peer, f"{turn.state.config.peer} is heard with a new boot: its fence is cancelled"
    )
    power_orders.failed(turn, f"{turn.state.config.peer} is heard with a new boot")
    power_restore.look(turn)
    if not fence.tasks:
        turn.change(fence=FenceState())
        return
    turn.change_fence(phase=FencePhase.CANCELLING, off_boot_id=None)
    for task_id, _ in fence.tasks:
        turn.do(CancelTask(task_id))
