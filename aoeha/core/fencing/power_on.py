"""What happens to a peer that was fenced: it is switched on again, once, and expected to be heard (R7, I7).

Rules. A fenced peer is switched on when the groups run here, or after a while. From then on it is no longer known to be
off. A peer that is still not heard after three quarters of `boot_patience` may have booted without reaching this node.
It would wait for the rest of `boot_patience` and then fence this node in turn, for ever. So it is switched off again
and kept off, and an alarm tells a human. A node that sees no shelf of what it owns does not switch its peer off again,
because the peer may see the shelves. A node whose own last boot ended uncleanly grants that time: it fences no peer
that it has not heard. None of this is needed where every group has legs that respond: there each node sees whether the
other one serves (R6, R11).

What this file does not know: how a fence is carried out.
"""

from aoeha.core.fencing import devices, power_restore
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.state import GroupState, NodeState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.peer import membership
from aoeha.core.storage import reservations


def decide(step: StepContext) -> None:
    """Switch a fenced peer on when it is time."""
    state, fence = step.state, step.state.fence
    if state.alarms and not state.kept_off:
        peer = state.config.peer
        step.clear_alarm(Code.PEER_KEPT_OFF, Subject.node(peer), f"{peer} is not kept off any more")
    if state.order is not None or not state.config.power_on_after_fence or state.kept_off or fence.off_boot_id is None:
        return
    if power_restore.is_under_way(state) or fence.tasks or not membership.is_silent(state):
        return
    held = [group for group in state.groups if group.holding]
    settled = held and all(phase_of(group) is GroupPhase.RUNNING for group in held)
    if not settled and step.now_ms < fence.until_ms:
        return
    power_restore.begin(step, _may_be_off(state), "fenced, and the groups are cared for")
    step.change(powered_on_ms=step.now_ms)
    step.say(Code.PEER_POWER_ON, Subject.node(state.config.peer), f"{state.config.peer} is being switched on again")


def remind(step: StepContext) -> None:
    """Report at the start that an earlier daemon switched the peer off for good."""
    if step.state.kept_off:
        peer = step.state.config.peer
        sentence = f"{peer} was switched off and is kept off. To undo: aoeha fence {peer} --on"
        step.alarm(Code.PEER_KEPT_OFF, Subject.node(peer), sentence)


def _may_be_off(state: NodeState) -> list[str]:
    """The devices that may have switched something off: those of the level that confirmed it, and of all before."""
    tried = devices.levels(state)[: state.last_off.level_index + 1 if state.last_off is not None else 1]
    return [device.name for level in tried for device in devices.on_level(state, level)]


def peer_spoke(step: StepContext) -> None:
    """The peer is heard: it is no longer kept off."""
    if step.state.powered_on_ms or step.state.kept_off:
        step.change(powered_on_ms=0, kept_off=False)


def fenced_again(step: StepContext) -> None:
    """A peer that stayed silent after it was switched on has been switched off again. It stays off."""
    if overdue(step.state):
        peer = step.state.config.peer
        step.change(kept_off=True)
        sentence = f"{peer} was not heard after it was switched on and is kept off: repair the links, then switch it on"
        step.alarm(Code.PEER_KEPT_OFF, Subject.node(peer), sentence)


def overdue(state: NodeState) -> bool:
    """Whether a peer that was switched on has had its time and is still not heard, while we serve."""
    serving = any(group.holding and _could_serve(group) for group in state.groups)
    waited_ms = state.now_ms - state.powered_on_ms if state.powered_on_ms else 0
    patient = waited_ms < state.config.boot_patience_ms * 3 // 4
    unseen = membership.is_silent(state) and not reservations.can_tell_owner(state)
    return serving and not patient and not state.kept_off and unseen


def _could_serve(group: GroupState) -> bool:
    return not group.legs or any(reservations.answers(leg) for leg in group.legs)


def unclean_boot_lately(state: NodeState) -> bool:
    """Whether this boot followed an unclean shutdown: the peer may then serve, and gets time to be heard or seen."""
    waited_ms = state.now_ms - state.started_ms
    unknown = not state.peer.heard and not reservations.can_tell_owner(state)
    return state.unclean_boot and unknown and waited_ms < state.config.boot_patience_ms


def unclean_boot_sentence(state: NodeState, group: GroupState) -> str:
    """Why a node whose last boot ended uncleanly does not take a group over yet."""
    node, peer, patience_s = state.config.node, state.config.peer, state.config.boot_patience_ms // 1000
    return (
        f"{node} does not take over {group.name} yet: the last boot of {node} ended uncleanly, so {peer} may have "
        f"fenced it and may be serving. {node} fences {peer} if it does not hear it within {patience_s} s. "
        f"If {peer} has no power: aoeha confirm {peer}"
    )
