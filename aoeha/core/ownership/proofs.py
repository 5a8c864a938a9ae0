"""Why the peer cannot write: the proof that this node has for the next epoch (home of R2 and R21; also R11)."""

from aoeha.core.model.beat import BeatFlag, GroupPhase
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.state import GroupState, NodeState, PeerCondition
from aoeha.core.ownership import peer_word
from aoeha.core.peer import membership
from aoeha.core.storage import coverage, leg_ledger, storage_fence

BLIND_EPOCH_JUMP = 1_000
"""Added to an epoch that a node takes without ever having heard its peer: the peer may have counted on (H23)."""


def proof_against_peer(state: NodeState, group: GroupState) -> Proof | None:
    """The proof about the peer that this node has for the group's next epoch, None if it has none."""
    peer, fence, name = state.peer, state.fence, group.name
    if peer.condition is PeerCondition.STORAGE_ONLY:
        return None
    epoch = next_epoch(state, group)
    blind = _own_parity(state, epoch) if peer.heard else _blind_jump(state, epoch)
    if fence.off_boot_id is not None and fence.off_boot_id == peer.boot_id:
        return Proof(ProofKind.POWERED_OFF, name, epoch + blind, peer.boot_id, "read back as off")
    # A word was given when nothing told against it: what the shelves are about to say comes first.
    word_counts = peer.condition not in membership.UNSURE
    if word_counts and fence.confirmed is not None and fence.confirmed.boot_id == peer.boot_id:
        return Proof(ProofKind.OPERATOR, name, epoch + blind, peer.boot_id, f"the word of {fence.confirmed.user}")
    if coverage.suffices(state) and storage_fence.complete(state, group):
        legs = ", ".join(leg.name for leg in leg_ledger.fence_legs(state, group))
        return Proof(ProofKind.STORAGE_FENCED, name, epoch + blind, peer.boot_id, f"{legs} reserved for us")
    beat, theirs = peer.beat, state.peer_group(name)
    if beat is None or theirs is None or BeatFlag.PROBED not in beat.flags:
        return None
    if theirs.holding or theirs.phase is not GroupPhase.STOPPED or membership.may_be_back(state, group):
        return None
    if peer.condition is PeerCondition.LEFT:
        return Proof(ProofKind.HANDED_OVER, name, epoch, peer.boot_id, f"{beat.sender} left and holds nothing")
    holder = dict(peer.held).get(name)
    ended = holder is not None and holder in peer.retired_boot_ids and membership.has_ended(state, holder)
    if group.grant is None and ended:
        return Proof(ProofKind.REBOOTED, name, epoch, peer.boot_id, f"boot {str(holder)[:8]} is gone and nothing runs")
    return None


def _blind_jump(state: NodeState, epoch: int) -> int:
    """How far to jump ahead: two nodes that never heard each other must not both arrive at the same epoch."""
    return BLIND_EPOCH_JUMP + _own_parity(state, epoch + BLIND_EPOCH_JUMP)


def _own_parity(state: NodeState, epoch: int) -> int:
    """What to add so that the peer never takes this epoch by itself: each node has its parity.

    A node can preempt legs from a peer that preempted them a moment ago, without having heard that peer.
    """
    return int(epoch % 2 != int(state.config.node < state.config.peer))


def next_epoch(state: NodeState, group: GroupState) -> int:
    """Return the lowest epoch above all that this node knows of, the peer's messages included."""
    theirs = peer_word.theirs(state, group)
    known = (theirs.epoch, theirs.claim_floor, theirs.claim_epoch) if theirs is not None else ()
    return max(group.epoch, group.claim_floor, group.held_epoch, *known) + 1
