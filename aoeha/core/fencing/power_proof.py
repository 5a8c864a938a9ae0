"""Whether a plug that reads off is the peer's: what is heard of the peer must stop (home of R8; also R2).

Rules. A fence may hit a peer that lives: an operator ordered it, it asks to be fenced because it cannot stop, or it
came back in the middle of it. The plug's word is not enough then. It is a proof only when nothing is heard of the peer
any more, on a link or by its stamps, for deadtime. Who still answers what was sent since, or beats or stamps after
deadtime, hangs on another plug. What comes before that and answers nothing may have been on its way, and a power supply
outlives its power by a moment.

What this file does not know: what is done about a wrong plug.
"""

from aoeha.core.fencing import devices
from aoeha.core.model.state import FencePhase, NodeState, Off
from aoeha.core.model.step_context import StepContext
from aoeha.core.peer import disk_heartbeat, membership


def read_off(step: StepContext, settle_ms: int) -> None:
    """The plugs of a level were read as off in one round: from now on nothing may be heard of the peer."""
    state = step.state
    off = Off(state.fence.victim_boot_id, step.now_ms, state.sequence, state.fence.level_index)
    step.change_fence(phase=FencePhase.SETTLING, until_ms=step.now_ms + settle_ms, read_off=off)


def awaits_silence(state: NodeState) -> bool:
    """Whether the peer may still be heard, so that what its plug reads is no proof yet."""
    return membership.may_be_alive(state)


def beats_go_on(state: NodeState) -> bool:
    """Whether the newest beat is of the boot whose plug reads off, and cannot have been on its way by then."""
    off = state.fence.read_off
    if off is None or off.boot_id != state.peer.boot_id or state.now_ms - off.at_ms < devices.READING_GRACE_MS:
        return False
    return not was_under_way(state)


def stamps_go_on(state: NodeState) -> bool:
    """Whether the peer's stamp moved so long after its plug read off that it cannot be an old one."""
    off, stamped_ms = state.fence.read_off, disk_heartbeat.heard_ms(state)
    return off is not None and stamped_ms is not None and stamped_ms - off.at_ms >= state.config.deadtime_ms


def was_under_way(state: NodeState) -> bool:
    """Whether the newest beat may have been sent before its sender lost power: it is early, and answers nothing since.

    A slow link delivers the beats of the dead. A living node answers, or, where it does not hear us, goes on beating.
    """
    off, beat = state.fence.read_off or state.last_off, state.peer.beat
    if off is None or beat is None or beat.boot_id != off.boot_id:
        return False
    since_ms = max(off.at_ms, state.listening_since_ms)
    return beat.echo_sequence <= off.sequence and state.now_ms - since_ms < state.config.deadtime_ms
