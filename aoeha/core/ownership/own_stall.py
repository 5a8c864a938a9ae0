"""A node that was not there (R10).

Rules. Whoever finds that time has passed without it says so and judges nobody by that silence. If it owned a group and
the peer was alive before, it serves on only after a beat that answers one sent since, and in which the peer owns
nothing of it, or after its legs were read and show that they are ours; if neither comes within deadtime it reboots, for
the peer may have taken over. A node reboots itself at most once in `restart_window` for want of an answer. Hearing a
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
from aoeha.core.model.step_context import Turn
from aoeha.core.ownership import claims
from aoeha.core.peer import disk_heartbeat, membership
from aoeha.core.storage import storage_fence


def notice(turn: Turn, before_ms: int) -> None:
    """Find out whether this node was away between `before_ms`, the last thing that it knew, and now."""
    config = turn.state.config
    gap_ms = turn.now_ms - before_ms
    if gap_ms <= config.deadtime_ms - 2 * config.keepalive_ms:
        return
    turn.say(Level.WARNING, config.node, f"{config.node} was away for {gap_ms} ms; the peer is judged anew from now on")
    claims.withdraw_claims(turn)
    storage_fence.drop_rounds(turn)
    disk_heartbeat.forget(turn)
    swear(turn, membership.lives(turn.state))
    turn.change_peer(stale=True)
    turn.change(listening_since_ms=turn.now_ms)


def swear(turn: Turn, peer_was_alive: bool) -> None:
    """Owning something, doubt it, and wait for an answer where the peer was alive: only then can it have taken over."""
    for group in turn.state.groups:
        if group.holding and group.legs:
            turn.change_group(group.name, unsure=True)
    turn.change(oath_sequence=turn.state.sequence)
    if peer_was_alive and any(group.holding for group in turn.state.groups):
        _wait_for_an_answer(turn)


def decide(turn: Turn) -> None:
    """Fulfil or break the oath, and go down when it must be."""
    state, config = turn.state, turn.state.config
    for group in state.groups:
        if group.unsure:
            _settle(turn, group)
    if not turn.state.oath_pending or turn.state.panicking:
        return
    if _answered(state):
        turn.change(oath_until_ms=0)
        turn.say(Level.INFO, config.node, f"{config.peer} answered and owns nothing of ours: {config.node} serves on")
    elif _legs_are_ours(turn.state):
        turn.change(oath_until_ms=0)
        turn.say(Level.INFO, config.node, f"the legs are still reserved for us: {config.node} serves on")
    elif state.now_ms >= state.oath_until_ms:
        turn.change(oath_until_ms=0)
        if rationed(state):
            turn.alarm(
                config.node, f"{config.node} was away, nobody answers, and it has rebooted already: it serves on"
            )
            for group in turn.state.groups:
                if group.unsure and not _shown(group, Holder.PEER):
                    turn.change_group(group.name, unsure=False)
        else:
            turn.change(panicking=True)
            turn.alarm(config.node, f"{config.node} was away and nobody answers: {config.peer} may have taken over")


def panic(turn: Turn) -> None:
    """Reboot at once if a rule has decided so in this step."""
    if not turn.state.panicking:
        return
    reasons = [
        alarm.sentence
        for alarm in turn.state.alarms
        if alarm.about in {turn.state.config.node, *(g.name for g in turn.state.groups)}
    ]
    turn.do(Panic(reasons[-1] if reasons else "ownership was lost"))


def _wait_for_an_answer(turn: Turn) -> None:
    turn.change(oath_until_ms=turn.now_ms + turn.state.config.deadtime_ms)


def _settle(turn: Turn, group: GroupState) -> None:
    """Find out by the peer's word, or by what its legs show since we are back, whether a group is still ours."""
    state, name = turn.state, group.name
    if not group.holding or _owns_nothing_of(state, (name,)):
        turn.change_group(name, unsure=False)
    elif group.shelf_read_ms is None or group.shelf_read_ms < state.listening_since_ms:
        return
    elif _shown(group, Holder.US):
        turn.change_group(name, unsure=_shown(group, Holder.PEER))
    elif _shown(group, Holder.PEER):
        _fenced_meanwhile(turn, group)
    elif _shown(group, Holder.NOBODY) and not state.oath_pending:
        turn.say(Level.WARNING, name, f"no leg of {name} names us any more: waiting for {state.config.peer}'s answer")
        _wait_for_an_answer(turn)


def _fenced_meanwhile(turn: Turn, group: GroupState) -> None:
    """Go down if something of the group runs; what was owned by name alone is given up."""
    node, peer = turn.state.config.node, turn.state.config.peer
    sentence = f"{node} was fenced while it was away: the legs of {group.name} are reserved for {peer}"
    if phase_of(group) is GroupPhase.STOPPED:
        claims.drop(turn, group.name, sentence)
    elif turn.state.probed:
        turn.change(panicking=True)
        turn.alarm(group.name, sentence)


def _shown(group: GroupState, holder: Holder) -> bool:
    return any(leg.shows_anywhere(holder) for leg in group.legs)


def _legs_are_ours(state: NodeState) -> bool:
    """Whether every group that we own has legs, and they said so since we are back."""
    return all(
        group.legs
        and not group.unsure
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
    if beat is None or not membership.has_reported(state) or beat.echo_sequence <= state.oath_sequence:
        return False
    return not any(group.holding for group in beat.groups if group.name in names)


def rationed(state: NodeState) -> bool:
    """Whether this node has rebooted itself so lately that it may not again (R10)."""
    return state.panicked_before and state.now_ms < state.config.restart_window_ms
