"""A node that was not there (home of R10; also R3).

Rules. Whoever finds that time has passed without it says so and judges nobody by that silence. If it owned a group and
the peer was alive before, it serves on only after a beat that answers one sent since, and in which the peer owns
nothing of it, or after its legs were read and show that they are ours; if neither comes within deadtime it reboots, for
the peer may have taken over. A node reboots itself at most once in `reboot_window` for want of an answer. Hearing a
higher owner has no such ration: it always reboots.

Of its legs it knows nothing any more. One that shows the peer was taken meanwhile, for all it knows, and is not forced
back; where none shows us and one the peer, it was fenced. Empty ones are not held either: without a leg that still
names us it takes the peer's answer to reserve them again (R3).

What this file does not know: how long a kernel takes to boot.
"""

from aoeha.core.model.actions import Level, Panic
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import claims
from aoeha.core.peer import disk_heartbeat, membership
from aoeha.core.storage import storage_fence


def notice(step: StepContext, before_ms: int) -> None:
    """Find out whether this node was away between `before_ms`, the last thing that it knew, and now."""
    config = step.state.config
    gap_ms = step.now_ms - before_ms
    if gap_ms <= config.deadtime_ms - 2 * config.keepalive_ms:
        return
    step.say(Level.WARNING, config.node, f"{config.node} was away for {gap_ms} ms; the peer is judged anew from now on")
    claims.withdraw_claims(step)
    storage_fence.drop_rounds(step)
    disk_heartbeat.forget(step)
    revalidate(step, membership.may_be_alive(step.state))
    step.change_peer(stale=True)
    step.change(listening_since_ms=step.now_ms)


def revalidate(step: StepContext, peer_was_alive: bool) -> None:
    """Owning something, doubt it, and wait for an answer where the peer was alive: only then can it have taken over."""
    for group in step.state.groups:
        if group.holding and group.legs:
            step.change_term(group.name, unverified=True)
    step.change(revalidation_sequence=step.state.sequence)
    if peer_was_alive and any(group.holding for group in step.state.groups):
        _wait_for_an_answer(step)


def decide(step: StepContext) -> None:
    """Fulfil or break the oath, and go down when it must be."""
    state, config = step.state, step.state.config
    for group in state.groups:
        if group.ownership_unverified:
            _settle(step, group)
    if not step.state.revalidating or step.state.panicking:
        return
    if _answered(state):
        step.change(revalidate_by_ms=0)
        step.say(Level.INFO, config.node, f"{config.peer} answered and owns nothing of ours: {config.node} serves on")
    elif _legs_are_ours(step.state):
        step.change(revalidate_by_ms=0)
        step.say(Level.INFO, config.node, f"the legs are still reserved for us: {config.node} serves on")
    elif state.now_ms >= state.revalidate_by_ms:
        step.change(revalidate_by_ms=0)
        if rationed(state):
            step.alarm(
                config.node, f"{config.node} was away, nobody answers, and it has rebooted already: it serves on"
            )
            for group in step.state.groups:
                if group.ownership_unverified and not _shown(group, Holder.PEER):
                    step.change_term(group.name, unverified=False)
        else:
            step.change(panicking=True)
            step.alarm(config.node, f"{config.node} was away and nobody answers: {config.peer} may have taken over")


def panic(step: StepContext) -> None:
    """Reboot at once if a rule has decided so in this step."""
    if not step.state.panicking:
        return
    reasons = [
        alarm.sentence
        for alarm in step.state.alarms
        if alarm.about in {step.state.config.node, *(g.name for g in step.state.groups)}
    ]
    step.do(Panic(reasons[-1] if reasons else "ownership was lost"))


def _wait_for_an_answer(step: StepContext) -> None:
    step.change(revalidate_by_ms=step.now_ms + step.state.config.deadtime_ms)


def _settle(step: StepContext, group: GroupState) -> None:
    """Find out by the peer's word, or by what its legs show since we are back, whether a group is still ours."""
    state, name = step.state, group.name
    if _owns_nothing_of(state, (name,)):
        step.change_term(name, unverified=False)
    elif group.shelf_read_ms is None or group.shelf_read_ms < state.listening_since_ms:
        return
    elif _shown(group, Holder.US):
        step.change_term(name, unverified=_shown(group, Holder.PEER))
    elif _shown(group, Holder.PEER):
        _fenced_meanwhile(step, group)
    elif _shown(group, Holder.NOBODY) and not state.revalidating:
        step.say(Level.WARNING, name, f"no leg of {name} names us any more: waiting for {state.config.peer}'s answer")
        _wait_for_an_answer(step)


def _fenced_meanwhile(step: StepContext, group: GroupState) -> None:
    """Go down if something of the group runs; what was owned by name alone is given up."""
    node, peer = step.state.config.node, step.state.config.peer
    sentence = f"{node} was fenced while it was away: the legs of {group.name} are reserved for {peer}"
    if phase_of(group) is GroupPhase.STOPPED:
        claims.drop(step, group.name, sentence)
    elif step.state.probed:
        step.change(panicking=True)
        step.alarm(group.name, sentence)


def _shown(group: GroupState, holder: Holder) -> bool:
    return any(leg.shows_anywhere(holder) for leg in group.legs)


def _legs_are_ours(state: NodeState) -> bool:
    """Whether every group that we own has legs, and they said so since we are back."""
    return all(
        group.legs
        and not group.ownership_unverified
        and group.shelf_read_ms is not None
        and group.shelf_read_ms >= state.listening_since_ms
        and _shown(group, Holder.US)
        for group in state.groups
        if group.holding
    )


def _answered(state: NodeState) -> bool:
    return _owns_nothing_of(state, tuple(group.name for group in state.groups if group.holding))


def _owns_nothing_of(state: NodeState, names: tuple[str, ...]) -> bool:
    """Whether the peer said, in answer to what we sent since we are back, that it owns none of these groups."""
    beat = state.peer.beat
    if beat is None or not membership.has_reported(state) or beat.echo_sequence <= state.revalidation_sequence:
        return False
    return not any(group.holding for group in beat.groups if group.name in names)


def rationed(state: NodeState) -> bool:
    """Whether this node has rebooted itself so lately that it may not again (R10)."""
    return state.panicked_before and state.now_ms < state.config.reboot_window_ms
