"""Whether a plug that reports off is the peer's: the peer must no longer be heard (home of R8; also R2).

Rules. A fence may hit a peer that is alive: an operator ordered it, the peer asks to be fenced because it cannot stop,
or the peer came back during the fence. Then the report of the plug is not enough. It is a proof only when nothing is
heard of the peer, on a link or by its stamps, for deadtime. A peer that still answers what was sent since, or that
beats or stamps after deadtime, is powered by another plug. A question to the shelves that is still open then is not
waited for any longer (R18). A beat that arrives earlier and answers nothing may have been in flight, and a power supply
runs for a moment after it loses its input.

What this file does not know: what is done about a wrong plug.
"""

from aoeha.core.fencing import devices
from aoeha.core.model.fence import DeviceState, FencePhase, Off
from aoeha.core.model.state import NodeState, PeerCondition
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import PlugState
from aoeha.core.peer import disk_heartbeat, membership


def read_off(step: StepContext, settle_ms: int) -> None:
    """All plugs of a level reported off in one round: from now on the peer must not be heard."""
    state = step.state
    off = Off(state.fence.victim_boot_id, step.now_ms, state.sequence, state.fence.level_index)
    step.change_fence(phase=FencePhase.SETTLING, until_ms=step.now_ms + settle_ms, read_off=off)


def awaits_silence(state: NodeState) -> bool:
    """Whether it is too early to tell if the peer is heard, so that the report of its plug is no proof yet.

    An open question to the shelves is no sign of life: a stamp that has not moved for deadtime by then does not count.
    """
    off = state.fence.read_off
    if state.peer.condition is PeerCondition.CHECKING_STORAGE and off is not None:
        return state.now_ms - off.at_ms < state.config.deadtime_ms
    return membership.may_be_alive(state)


def beats_go_on(state: NodeState) -> bool:
    """Whether the newest beat is of the boot whose plug reports off, and cannot have been in flight by then."""
    off = state.fence.read_off
    if off is None or off.boot_id != state.peer.boot_id or state.now_ms - off.at_ms < devices.READING_GRACE_MS:
        return False
    return not was_under_way(state)


def stamps_go_on(state: NodeState) -> bool:
    """Whether the peer's stamp moved so long after its plug reported off that it cannot be an old one."""
    off, stamped_ms = state.fence.read_off, disk_heartbeat.heard_ms(state)
    return off is not None and stamped_ms is not None and stamped_ms - off.at_ms >= state.config.deadtime_ms


def stamps_belie(state: NodeState) -> bool:
    """Whether the boot that a fence has proven off has stamped a leg so long afterwards that it must be alive."""
    off = state.last_off
    if off is None or state.fence.off_boot_id != off.boot_id:
        return False
    links = [group.shelf_link for group in state.groups]
    stamped = (link.heard_ms for link in links if link.said is not None and link.said.boot_id == off.boot_id)
    return any(ms is not None and ms - off.at_ms >= state.config.deadtime_ms for ms in stamped)


def was_under_way(state: NodeState) -> bool:
    """Whether the newest beat may have been sent before its sender lost power: it is early, and answers nothing since.

    A slow link delivers beats of a dead node. A living node answers; where it does not hear us, it keeps beating.
    """
    off, beat = state.fence.read_off or state.last_off, state.peer.beat
    if off is None or beat is None or beat.boot_id != off.boot_id:
        return False
    since_ms = max(off.at_ms, state.listening_since_ms)
    return beat.echo_sequence <= off.sequence and state.now_ms - since_ms < state.config.deadtime_ms


def lost_power_by_order(state: NodeState) -> bool:
    """Whether a level of devices was ordered to switch the peer off, and has read off since, less than initdead ago.

    That proves nothing about its writes: its silence was not awaited. But a node without power does not fence this one,
    and one that has its power back since then must boot and listen for initdead first (R11).
    """
    return any(
        all(_is_off_by_order(state, device) for device in devices.on_level(state, level))
        for level in devices.levels(state)
    )


def _is_off_by_order(state: NodeState, device: DeviceState) -> bool:
    fresh = device.checked_ms is not None and state.now_ms - device.checked_ms < state.config.initdead_ms
    return bool(device.restore_tries_left) and device.plug is PlugState.OFF and fresh and not device.doubt
