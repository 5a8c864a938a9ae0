"""Who owns a group as far as this node knows, who would come first, and whether the peer could take it (R9)."""

from aoeha.core.model import law
from aoeha.core.model.law import Kind
from aoeha.core.model.state import GroupState, NodeState, PeerCondition
from aoeha.core.peer import membership


def superseded(state: NodeState, group: GroupState) -> bool:
    """Whether the peer owns the group by a later right than ours: then it is we who answer for what is not ours."""
    theirs = state.peer_group(group.name)
    return theirs is not None and theirs.holding and theirs.epoch > group.held_epoch


def ranks_first(state: NodeState, group: GroupState) -> bool:
    """The fixed rank that settles crossing claims and orders fences: the preferred node, then the first name."""
    if group.config.preferred in (state.config.node, state.config.peer):
        return group.config.preferred == state.config.node
    return state.config.node < state.config.peer


def owner(state: NodeState, group: GroupState) -> str | None:
    """Who owns the group as far as this node knows: a node's name, empty for nobody, None for unknown."""
    if group.holding:
        return state.config.node
    theirs = state.peer_group(group.name)
    if theirs is None:
        return None
    if theirs.holding:
        return state.config.peer
    return "" if membership.is_alive(state) or state.peer.condition is PeerCondition.LEFT else None


def peer_takes(state: NodeState, group: GroupState) -> bool:
    """Whether the peer is there and says that it could serve the group."""
    theirs = state.peer_group(group.name)
    believed = not law.stands(state, Kind.DUPLICATE_NAME)
    return membership.has_reported(state) and theirs is not None and theirs.willing and believed
