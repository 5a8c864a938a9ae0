"""A node that was stalled (home of R10; also R3).

Rules. Time is CLOCK_BOOTTIME: it runs while a machine sleeps, and a step of the wall clock does not change it. A node
that finds that time has passed without it reports the stall, and judges no peer by that silence. If it owned a group
and the peer was alive before, it keeps serving only after one of two confirmations. One is a beat that answers a beat
sent since, and in which the peer owns none of these groups. The other is a reading of its legs which shows that they
are ours. If neither comes within deadtime the node reboots, for the peer may have taken over. For want of an answer a
node reboots itself at most once in `reboot_window`. Hearing of a higher owner has no such ration: the node always
reboots.

After a stall the node knows nothing of its legs. A leg that shows the peer may have been taken meanwhile, and is not
preempted. Where no leg shows us and one shows the peer, this node was fenced. A leg that shows nobody is not held
either: without a leg that still shows us, this node needs the peer's answer before it reserves such legs again (R3).
Where some legs show the peer and some show us, what runs here is still ours while a leg of its mirror is.

What this file does not know: how long a kernel takes to boot.
"""

from aoeha.core.model.actions import Panic
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState, Revalidation, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import claims
from aoeha.core.peer import disk_heartbeat, membership
from aoeha.core.storage import leg_ledger, reservations, storage_fence


def notice(step: StepContext, before_ms: int) -> bool:
    """Find out whether this node was stalled between `before_ms`, the time of its last event, and now."""
    config = step.state.config
    gap_ms = step.now_ms - before_ms
    if gap_ms <= max(config.deadtime_ms - 2 * config.keepalive_ms, 2 * config.keepalive_ms):
        return False
    sentence = f"{config.node} was stalled for {gap_ms} ms and judges {config.peer} only by what it hears from now on"
    step.say(Code.NODE_STALLED, Subject.node(config.node), sentence)
    claims.withdraw_claims(step)
    storage_fence.drop_rounds(step)
    disk_heartbeat.forget(step)
    for group in step.state.groups:
        reservations.drop_readings(step, group.name)
    revalidate(step, membership.may_be_alive(step.state))
    step.change_peer(stale=True)
    step.change(listening_since_ms=step.now_ms)
    return True


def revalidate(step: StepContext, peer_was_alive: bool) -> None:
    """Revalidate what this node owns. Wait for an answer where the peer was alive: only then can it have taken over."""
    for group in step.state.groups:
        if group.holding and group.legs:
            step.change_term(group.name, unverified=True)
    step.change(revalidation=Revalidation(step.state.sequence, step.state.revalidation.until_ms))
    if peer_was_alive and any(group.holding for group in step.state.groups):
        _wait_for_an_answer(step)


def decide(step: StepContext) -> None:
    """Confirm what this node owns after a stall, or reboot it."""
    _end_alarm(step)
    for group in step.state.groups:
        if group.ownership_unverified:
            _settle(step, group)
    state, config = step.state, step.state.config
    subject = Subject.node(config.node)
    if not state.revalidating or state.panicking:
        return
    if _answered(state):
        sentence = f"{config.peer} answered and owns no group of {config.node}, which serves on"
        step.say(Code.OWNERSHIP_CONFIRMED_BY_PEER, subject, sentence)
    elif _legs_are_ours(state):
        sentence = f"the legs are still reserved for {config.node}, which serves on"
        step.say(Code.OWNERSHIP_CONFIRMED_BY_LEGS, subject, sentence)
    elif state.now_ms >= state.revalidation.until_ms:
        _remain_unanswered(step)
    else:
        return
    step.change(revalidation=Revalidation(state.revalidation.sequence))


def panic(step: StepContext) -> None:
    """Reboot at once if a rule has decided so in this step."""
    if step.state.panic is not None:
        step.do(Panic(step.state.panic))


def _end_alarm(step: StepContext) -> None:
    """Unverified ownership is confirmed once the peer answers, and needs no answer once nothing is owned."""
    node = step.state.config.node
    if not step.stands(Code.OWNERSHIP_UNCONFIRMED, Subject.node(node)):
        return
    if not any(group.holding for group in step.state.groups):
        step.clear_alarm(Code.OWNERSHIP_UNCONFIRMED, Subject.node(node), f"{node} owns nothing any more")
    elif _answered(step.state):
        sentence = f"{step.state.config.peer} answered and owns no group of {node}"
        step.clear_alarm(Code.OWNERSHIP_UNCONFIRMED, Subject.node(node), sentence)


def _wait_for_an_answer(step: StepContext) -> None:
    until_ms = step.now_ms + step.state.config.deadtime_ms
    step.change(revalidation=Revalidation(step.state.revalidation.sequence, until_ms))


def _remain_unanswered(step: StepContext) -> None:
    """Reboot, for the peer may have taken over; but not again shortly after such a reboot."""
    node, peer = step.state.config.node, step.state.config.peer
    subject = Subject.node(node)
    if not rationed(step.state):
        sentence = f"{node} was stalled and {peer} does not answer: it may have taken over"
        step.panic(Code.OWNERSHIP_STALLED_UNANSWERED, subject, sentence)
        return
    sentence = f"{node} was stalled and {peer} does not answer. {node} has rebooted itself lately, so it serves on"
    step.alarm(Code.OWNERSHIP_UNCONFIRMED, subject, sentence)
    for group in step.state.groups:
        if group.ownership_unverified and not _shown(group, Holder.PEER):
            step.change_term(group.name, unverified=False)


def _settle(step: StepContext, group: GroupState) -> None:
    """Find out by the peer's message, or by what its legs show since the stall, whether a group is still ours."""
    state, name = step.state, group.name
    if _owns_nothing_of(state, (name,)):
        step.change_term(name, unverified=False)
    elif group.shelves.read_ms is None or group.shelves.read_ms < state.listening_since_ms:
        return
    elif _shown(group, Holder.PEER):
        _settle_beside_the_peer(step, group)
    elif _shown(group, Holder.US):
        step.change_term(name, unverified=False)
    elif _shown(group, Holder.NOBODY) and not state.revalidating:
        sentence = (
            f"no leg of {name} is reserved for {state.config.node}, which waits for {state.config.peer} to answer"
        )
        step.say(Code.OWNERSHIP_WAITING_FOR_PEER, Subject.group(name), sentence)
        _wait_for_an_answer(step)


def _settle_beside_the_peer(step: StepContext, group: GroupState) -> None:
    """Where a leg shows the peer, what runs here is ours as long as a leg of its mirror is: the peer takes all of them.

    The peer's name was left over from before this term then. Where nothing runs, an earlier daemon may have died
    between the reservations of two legs, and a dead peer would never answer for that.
    """
    if not step.state.probed:
        return
    mirror = leg_ledger.vouching_legs(group)
    ours = any(leg.name in mirror and leg.shows_anywhere(Holder.US) for leg in group.legs)
    if ours and phase_of(group) is not GroupPhase.STOPPED:
        step.change_term(group.name, unverified=False)
    else:
        _fenced_meanwhile(step, group)


def _fenced_meanwhile(step: StepContext, group: GroupState) -> None:
    """Reboot if something of the group runs here. A group of which nothing runs is given up, and may be taken anew."""
    node, peer = step.state.config.node, step.state.config.peer
    legs = "some legs" if _shown(group, Holder.US) else "the legs"
    found = f"{legs} of {group.name} are reserved for {peer}"
    if phase_of(group) is GroupPhase.STOPPED:
        claims.give_up(step, group.name, f"{found}, and nothing of it runs here: {node} does not own it any more")
    else:
        sentence = f"{node} was fenced while it was stalled: {found}"
        step.panic(Code.OWNERSHIP_FENCED_WHILE_STALLED, Subject.group(group.name), sentence)


def _shown(group: GroupState, holder: Holder) -> bool:
    return any(leg.shows_anywhere(holder) for leg in group.legs)


def _legs_are_ours(state: NodeState) -> bool:
    """Whether every group that we own has legs, and they have shown since the stall that they are ours."""
    return all(group.legs and not group.ownership_unverified for group in state.groups if group.holding)


def _answered(state: NodeState) -> bool:
    return _owns_nothing_of(state, tuple(group.name for group in state.groups if group.holding))


def _owns_nothing_of(state: NodeState, names: tuple[str, ...]) -> bool:
    """Whether the peer said, in answer to what we sent since the stall, that it owns none of these groups."""
    beat = state.peer.beat
    if beat is None or not membership.has_reported(state) or beat.echo_sequence <= state.revalidation.sequence:
        return False
    return not any(group.holding for group in beat.groups if group.name in names)


def rationed(state: NodeState) -> bool:
    """Whether this node has rebooted itself so lately that it may not again (R10)."""
    return state.panicked_before and state.now_ms < state.config.reboot_window_ms
