"""Who shoots first where each node may have a reason to fence the other (R7).

Rules. Of two that want what the other holds, or what nobody holds, one waits: by a fixed rank, so that never both take
each other's power. Who left has no reason, nor who was heard holding everything.

What this file does not know: what the reasons are.
"""

from aoeha.core.model.state import NodeState, PeerCondition
from aoeha.core.ownership import owners

DELAY_MS = 2_000
"""How long the node of lower rank waits where both might fence each other (R7), besides the keepalive by which one
may notice the silence before the other. A device that takes longer may still carry out the orders of both."""


def delay_ms(state: NodeState) -> int:
    """How long to wait before the peer is fenced, for the case that it is about to fence us."""
    return _turn(state) * (DELAY_MS + state.config.keepalive_ms)


def _turn(state: NodeState) -> int:
    """Whose turn it is to shoot where both might: 0 at once, 1 or 2 later, never both in the same turn.

    A peer that has not heard of our release believes that we own the group and have no reason to shoot: it shoots at
    once, whatever its rank.
    """
    if not _may_duel(state):
        return 0
    if not _ranks_first(state):
        return 2
    beat = state.peer.beat
    heard_of_it = beat is not None and beat.echo_sequence > state.released_sequence
    return 0 if not state.released_sequence or heard_of_it else 1


def _may_duel(state: NodeState) -> bool:
    """Whether the peer, if alive, would have a reason to fence us too: it wants what we hold or what nobody holds."""
    if state.peer.condition is PeerCondition.LEFT:
        return False
    owning = [owners.owner(state, group) for group in state.groups]
    return any(name != state.config.peer for name in owning) and not _heard_holding_all(state)


def _heard_holding_all(state: NodeState) -> bool:
    beat = state.peer.beat
    return beat is not None and bool(beat.groups) and all(group.holding for group in beat.groups)


def _ranks_first(state: NodeState) -> bool:
    """Whether this node shoots first. One of the two must: so the first group decides, even if each prefers one."""
    return owners.ranks_first(state, state.groups[0])
