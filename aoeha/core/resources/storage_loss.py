"""An owner that sees no leg it could serve from (home of R13).

Rules. What the owner serves hangs, and stopping it would hang as well: no leg of its start set responds, whatever other
legs do. Where the peer is alive and says that it could serve, and that has lasted for deadtime, the owner calls its
group blocked. The peer then fences the owner and takes over; an owner that is not fenced reboots within its ration.
With no such peer the owner waits: the first node that sees such a leg continues. Before it calls the group blocked, it
reads all of its legs once more: one that is back, and that the peer has seen first, may answer. So it does patiently:
both shelves may be slow.

What this file does not know: how a blocked group's owner is fenced.
"""

from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import owners
from aoeha.core.storage import leg_ledger, patient_reading, reservations


def decide(step: StepContext) -> None:
    """Find out for every group that we own whether this node can serve it at all."""
    for group in step.state.groups:
        node, peer, name = step.state.config.node, step.state.config.peer, group.name
        lost = _is_lost(step, group)
        if lost and not group.storage_lost:
            step.change_term(name, storage_lost=True)
            step.change_group(name, blocked_since_ms=step.now_ms)
            legs = " and ".join(leg.name for leg in leg_ledger.start_legs(group))
            sentence = f"{legs} of {name} does not answer {node}, and {peer} could serve it: {node} asks to be fenced"
            step.alarm(Code.STORAGE_LOST, Subject.group(name), sentence)
        elif not lost and (group.storage_lost or step.state.alarms):
            if group.storage_lost:
                step.change_term(name, storage_lost=False)
                step.change_group(name, blocked_since_ms=0)
            sentence = f"{node} does not ask to be fenced because of {name} any more"
            step.clear_alarm(Code.STORAGE_LOST, Subject.group(name), sentence)


def _is_lost(step: StepContext, group: GroupState) -> bool:
    """Whether the owner is blind, and a reading that was begun since has found no leg either."""
    if group.term is None:
        return False
    since_ms = (group.term.blind_since_ms or step.now_ms) if _is_blind(step.state, group) else 0
    if since_ms != group.term.blind_since_ms:
        step.change_term(group.name, blind_since_ms=since_ms)
        if since_ms:
            reservations.read_soon(step, group.name)
    return bool(since_ms) and (group.storage_lost or (group.shelves.glanced_ms or 0) >= since_ms)


def _is_blind(state: NodeState, group: GroupState) -> bool:
    """Whether no leg that it could serve from has answered this owner for deadtime, and the peer could serve."""
    if not group.legs or not owners.peer_takes(state, group):
        return False
    addresses = [address for leg in leg_ledger.start_legs(group) for address in leg.addresses]
    if any(address.holder is not Holder.SILENT for address in addresses):
        return False
    silent_since_ms = max(max(address.since_ms, state.listening_since_ms) for address in addresses)
    may_be_slow = not group.storage_lost and not patient_reading.has_asked(
        state, group, silent_since_ms, renewing=reservations.renews(state, group)
    )
    return state.now_ms >= silent_since_ms + state.config.deadtime_ms and not may_be_slow
