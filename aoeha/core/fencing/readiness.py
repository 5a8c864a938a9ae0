"""Whether a dead peer could be proven dead now: one state, NOT PROTECTED, with its reason and its remedy.

Rules. As seen from a node, the pair is protected while every device of one fence level responds, is believed and obeys.
It is also protected while the shelves alone would suffice: they are declared sufficient, every group has legs, and each
leg that the peer may still write to responds to this node. Anything else is an alarm at once, not on the day on which a
proof is needed. A device or shelf that has not been asked since this daemon started is no alarm, and no protection
either.

What this file does not know: whether a proof is needed.
"""

from aoeha.core.fencing import devices
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.fence import DeviceState
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.storage import coverage, leg_ledger

UNREACHED = (Holder.SILENT, Holder.STRANGER, Holder.UNKNOWN)


def decide(step: StepContext) -> None:
    """Raise the alarm, change its text, or end it."""
    sentence = unprotected(step.state)
    if not sentence:
        peer = step.state.config.peer
        sentence = f"fencing is available again: {step.state.config.node} could prove a dead {peer} dead"
        step.clear_alarm(Code.NOT_PROTECTED, Subject.pair(step.state.config.cluster), sentence)
    elif all(device.checked_ms is not None for device in step.state.devices) and not _not_asked_yet(step.state):
        step.alarm(Code.NOT_PROTECTED, Subject.pair(step.state.config.cluster), f"NOT PROTECTED: {sentence}")


def unprotected(state: NodeState) -> str:
    """Why no level and no shelf could now prove that the peer is dead, with the remedy; empty while one could."""
    if devices.protected(state) or by_shelves(state):
        return ""
    peer = state.config.peer
    reasons = [_device_trouble(state, device) for device in state.devices]
    reasons = [reason for reason in reasons if reason]
    if _meant_by_shelves(state):
        reasons.append(f"{_leg_out_of_reach(state)} does not answer {state.config.node}: repair its path")
    elif state.config.storage_suffices and (doubt := coverage.doubt(state)):
        reasons.append(doubt)
    elif not state.devices:
        reasons.append("no fence device is configured, and the shelves are not declared to suffice: add [[fence]]")
    return f"a dead {peer} could not be proven dead: {'; '.join(reasons)}"


def _device_trouble(state: NodeState, device: DeviceState) -> str:
    peer = state.config.peer
    if device.doubt:
        return f"{device.name} {device.doubt}: check its wiring, then: aoeha fence verify {peer}"
    if device.disobeyed:
        return f"{device.name} {device.disobeyed}: fix it, then: aoeha fence verify {peer}"
    if device.reachable is None:
        return f"{device.name} has not answered yet"
    if not device.reachable:
        return f"{device.name} cannot be reached ({device.detail}): fix it, then: aoeha fence test {device.name}"
    return ""


def by_shelves(state: NodeState) -> bool:
    """Whether the shelves alone would suffice now to prove a dead peer dead."""
    return _meant_by_shelves(state) and not _leg_out_of_reach(state)


def _meant_by_shelves(state: NodeState) -> bool:
    """Whether the shelves alone are meant to prove a peer dead."""
    return coverage.suffices(state) and all(group.legs for group in state.groups)


def _leg_out_of_reach(state: NodeState) -> str:
    """A leg that could not be preempted, empty for none. A leg that this node holds need not be preempted."""
    for group in state.groups:
        if group.holding:
            continue
        for leg in leg_ledger.fence_legs(state, group):
            if any(leg.shows_anywhere(holder) for holder in UNREACHED):
                return f"{leg.name} of {group.name}"
    return ""


def _not_asked_yet(state: NodeState) -> bool:
    """Whether it is still unknown if the shelves alone would suffice."""
    return _meant_by_shelves(state) and any(_unread(group) for group in state.groups)


def _unread(group: GroupState) -> bool:
    return not group.holding and any(leg.shows_anywhere(Holder.UNKNOWN) for leg in group.legs)
