"""Which node fences first where each may have a reason to fence the other (R7).

Rules. Where two nodes want what the other holds, or what nobody holds, one of them waits. A fixed rank decides which,
so that the two never power each other off. A node that left has no reason to fence, nor has a node that was heard
holding every group. A node whose plugs read off after an order of this one is not waited for: it cannot fence.

What this file does not know: what the reasons are.
"""

from aoeha.core.fencing import power_proof
from aoeha.core.model.state import NodeState, PeerCondition
from aoeha.core.ownership import owners

DELAY_MS = 2_000
"""How long the node of lower rank waits where both might fence each other (R7), plus the keepalive by which one
node may notice the silence before the other. A device that takes longer may still carry out both orders."""


def delay_ms(state: NodeState) -> int:
    """How long to wait before the peer is fenced, in case it is about to fence this node."""
    return _turn(state) * (DELAY_MS + state.config.keepalive_ms)


def _turn(state: NodeState) -> int:
    """When this node may fence where both might: 0 at once, 1 or 2 later. Both nodes never get the same value.

    A peer that has not heard of our release believes that we own the group and have no reason to fence it. Such a peer
    fences at once, whatever its rank.
    """
    if not _may_duel(state):
        return 0
    if not _ranks_first(state):
        return 2
    beat = state.peer.beat
    if not state.released_sequence or (beat is not None and beat.echo_sequence > state.released_sequence):
        return 0
    return 1


def _may_duel(state: NodeState) -> bool:
    """Whether the peer, if alive, would have a reason to fence us too: it wants a group that is ours or nobody's."""
    if state.peer.condition is PeerCondition.LEFT or power_proof.lost_power_by_order(state):
        return False
    owning = [owners.owner(state, group) for group in state.groups]
    return any(name != state.config.peer for name in owning) and not _heard_holding_all(state)


def _heard_holding_all(state: NodeState) -> bool:
    beat = state.peer.beat
    return beat is not None and bool(beat.groups) and all(group.holding for group in beat.groups)


def _ranks_first(state: NodeState) -> bool:
    """Whether this node fences first. Exactly one must, so the first group decides, even if each node prefers one."""
    return owners.ranks_first(state, state.groups[0])
