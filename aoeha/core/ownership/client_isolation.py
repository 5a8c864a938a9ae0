"""Offer and claim through the shelves: an owner that its clients cannot reach hands over without a link (R13).

Rules. Where no link carries beats, an owner that sees its legs, but to which no reference host has answered for
deadtime, offers the group in its record and keeps serving: perhaps the peer could do no better. A node that reads the
offer, and has an answer of a host itself, claims the group in the record, in place of the owner's. Only such a claim
makes the owner stop. The owner then transfers its legs to the claimer, and grants. Both nodes write there what they
would say in beats, and `aoeha.core.ownership.claims` decides on it by the same rules. So whichever node or link fails
or returns in between, no node starts without that grant or another proof.

Records carry messages only while there is something to agree on. Without reference hosts they carry none.

What this file does not know: how a record gets to the shelves, and what a claim and a grant bind to.
"""

from aoeha.core.model import law
from aoeha.core.model.beat import GroupBeat, GroupPhase
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState, PeerCondition
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import client_reach, group_beat
from aoeha.core.peer import disk_heartbeat, membership


def decide(step: StepContext) -> None:
    """Stop the groups that are offered, and that the peer has claimed."""
    for group in step.state.groups:
        if offers(step.state, group) and _is_claimed(step.state, group):
            reason = f"{step.state.config.peer} reaches clients and claims it through the lock records"
            client_reach.hand_over(step, group, reason)


def offers(state: NodeState, group: GroupState) -> bool:
    """Whether this node owns the group, reaches no client as far as it knows, and can tell the peer so."""
    if not group.holding or not client_reach.reaches_nobody(state) or law.stops(state, Act.OFFER, group) is not None:
        return False
    if membership.is_alive(state) or state.peer.condition is PeerCondition.LEFT:
        return False
    return any(leg.shows_anywhere(Holder.US) for leg in group.legs)


def sentence(state: NodeState, group: GroupState) -> str:
    """The sentence that reports an offer."""
    node, peer = state.config.node, state.config.peer
    return (
        f"no reference host answers {node}. {node} offers {group.name} to {peer} through the lock records, and serves "
        "on"
    )


def stamp(step: StepContext) -> None:
    """Write and read the records on the shelves, with the messages that belong in them."""
    disk_heartbeat.decide(step, words(step.state))


def words(state: NodeState) -> dict[str, GroupBeat]:
    """The messages about groups that go into the records while no link is left."""
    if not state.config.reference_hosts or not disk_heartbeat.is_quiet(state):
        return {}
    return {group.name: _word(state, group) for group in state.groups if group.legs and _has_a_say(state, group)}


def _is_claimed(state: NodeState, group: GroupState) -> bool:
    record = disk_heartbeat.peer_message(state, group)
    if record is None or record.message is None or law.stands(state, Kind.DUPLICATE_NAME):
        return False
    return record.message.claim > 0 and record.message.claim_epoch > max(group.held_epoch, group.claim_floor)


def _has_a_say(state: NodeState, group: GroupState) -> bool:
    """Whether there is something to agree on: an offer, a hand-over, a claim or a grant, or who is to own it at all."""
    record = disk_heartbeat.peer_message(state, group)
    theirs = record.message if record is not None else None
    if theirs is not None and (theirs.claim > 0 or theirs.grant is not None):
        return True
    if group.holding:
        return bool(group.yielding) or offers(state, group)
    return group.claim is not None or group.grant is not None or (theirs is not None and not theirs.holding)


def _word(state: NodeState, group: GroupState) -> GroupBeat:
    """What a beat would say, and that an offering owner would yield. A node that has not probed yet shows only life."""
    said = group_beat.group_beat(state, group)
    return replaced(
        said,
        phase=said.phase if state.may_be_judged else GroupPhase.UNKNOWN,
        yielding=said.yielding or offers(state, group),
        willing=said.willing and state.hosts.answering != 0,
        ledger=None,
        acknowledged=0,
    )
