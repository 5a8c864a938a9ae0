"""Whether the legs could prove anything about the peer: a proof names every way by which it may write (home of R20).

Rules. A storage fence covers the addresses that this node's configuration names. It proves nothing while the peer's
newest beat shows that the peer may write by others: its configuration differs, or its driver uses an address that the
configuration does not name; or while this node's own driver knows of such an address. Then only power proves anything,
and the pair is NOT PROTECTED without it. What the newest beat showed is remembered: a daemon that starts by another
aoeha.toml may not hear the peer before it is to fence it.

What this file does not know: which addresses are reserved.
"""

from aoeha.core.model.state import NodeState


def suffices(state: NodeState) -> bool:
    """Whether a storage fence alone would be a proof."""
    return state.config.storage_suffices and not doubt(state)


def doubt(state: NodeState) -> str:
    """Why a storage fence would prove nothing about the peer, with the mend; empty for no reason."""
    known, node, peer = state.peer, state.config.node, state.config.peer
    if known.config_tag is not None and known.config_tag != state.config.config_tag:
        return f"the configurations of {node} and {peer} differ, so the shelves prove nothing: compare aoeha.toml"
    if known.unlisted:
        return (
            f"{peer} writes to a leg by an address that aoeha.toml does not name, so the shelves prove nothing: see "
            f"the alarm path.unlisted of {peer}"
        )
    if any(leg.unlisted_addresses for group in state.groups for leg in group.legs):
        return (
            f"{node} reaches a leg by an address that aoeha.toml does not name, so {peer} may, and the shelves prove "
            f"nothing: see the alarm path.unlisted of {node}"
        )
    return ""
