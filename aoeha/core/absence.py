"""A node that was not there (R10).

Rules. Whoever finds that time has passed without it says so and judges nobody by that silence. If it owned a group and
the peer was alive before, it serves on only after a beat that answers one sent since, and in which the peer owns
nothing of it; if none comes within deadtime it reboots, for the peer may have taken over. A node reboots itself at most
once in `restart_window` for want of an answer. Hearing a higher owner has no such ration: it always reboots.

What this file does not know: how long a kernel takes to boot.
"""

from aoeha.core import membership, ownership, recovery
from aoeha.core.actions import Level, Panic
from aoeha.core.state import NodeState, Turn


def notice(turn: Turn, before_ms: int) -> None:
    """Find out whether this node was away between `before_ms`, the last thing that it knew, and now."""
    config = turn.state.config
    gap_ms = turn.now_ms - before_ms
    if gap_ms <= config.deadtime_ms - 2 * config.keepalive_ms:
        return
    turn.say(Level.WARNING, config.node, f"{config.node} was away for {gap_ms} ms; the peer is judged anew from now on")
    ownership.withdraw_claims(turn)
    swear(turn, membership.is_alive(turn.state))
    turn.change(listening_since_ms=turn.now_ms)


def swear(turn: Turn, peer_was_alive: bool) -> None:
    """Owning something, wait for an answer before going on; only a peer that was alive can have taken over."""
    state = turn.state
    if not peer_was_alive or not any(group.holding for group in state.groups):
        return
    turn.change(oath_sequence=state.sequence, oath_until_ms=turn.now_ms + state.config.deadtime_ms)


def decide(turn: Turn) -> None:
    """Fulfil or break the oath, and go down when it must be."""
    state, config = turn.state, turn.state.config
    if state.oath_pending and _answered(state):
        turn.change(oath_until_ms=0)
        turn.say(Level.INFO, config.node, f"{config.peer} answered and owns nothing of ours: {config.node} serves on")
    elif state.oath_pending and turn.now_ms >= state.oath_until_ms:
        turn.change(oath_until_ms=0)
        if recovery.rationed(state):
            turn.alarm(
                config.node, f"{config.node} was away, nobody answers, and it has rebooted already: it serves on"
            )
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


def _answered(state: NodeState) -> bool:
    beat = state.peer.beat
    if beat is None or not membership.has_reported(state) or beat.echo_sequence <= state.oath_sequence:
        return False
    ours = {group.name for group in state.groups if group.holding}
    return not any(group.holding for group in beat.groups if group.name in ours)
