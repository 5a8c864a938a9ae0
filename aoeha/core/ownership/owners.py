"""Which node owns a group as far as this one knows, which one has precedence, and whether the peer could serve (R9)."""

from aoeha.core.model import law
from aoeha.core.model.law import Kind
from aoeha.core.model.state import GroupState, NodeState, PeerCondition
from aoeha.core.peer import membership


def superseded(state: NodeState, group: GroupState) -> bool:
    """Whether the peer owns the group at a later epoch than ours: then nothing of it may run here.

    Two owners at one epoch have not heard each other, and false proofs. The one that ranks second gives way.
    """
    theirs = state.peer_group(group.name)
    if theirs is None or not theirs.holding:
        return False
    return theirs.epoch > group.held_epoch or (theirs.epoch == group.held_epoch and not ranks_first(state, group))


def ranks_first(state: NodeState, group: GroupState) -> bool:
    """The fixed rank that settles crossing claims and orders fences: the preferred node, then the first name."""
    if group.config.preferred in (state.config.node, state.config.peer):
        return group.config.preferred == state.config.node
    return state.config.node < state.config.peer


def owner(state: NodeState, group: GroupState) -> str | None:
    """The owner of the group as far as this node knows: a node's name, empty for nobody, None for unknown."""
    if group.holding:
        return state.config.node
    theirs = state.peer_group(group.name)
    if theirs is None:
        return None
    if theirs.holding:
        return state.config.peer
    return "" if membership.is_alive(state) or state.peer.condition is PeerCondition.LEFT else None


def peer_takes(state: NodeState, group: GroupState) -> bool:
    """Whether the peer is alive and says that it could serve the group."""
    theirs = state.peer_group(group.name)
    believed = not law.stands(state, Kind.DUPLICATE_NAME)
    return membership.has_reported(state) and theirs is not None and theirs.willing and believed
