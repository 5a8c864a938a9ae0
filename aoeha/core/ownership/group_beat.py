"""What this node says about a group."""

from aoeha.core.model.beat import GroupBeat
from aoeha.core.model.state import GroupState, NodeState, phase_of
from aoeha.core.ownership import blockers
from aoeha.core.storage import suspect_legs

HOLD_BACK_MS = 15_000
"""A former owner that handed a group over, by order or by an offer, does not claim it before this time."""


def group_beat(state: NodeState, group: GroupState) -> GroupBeat:
    """What this node says about a group."""
    holding_back = state.now_ms < group.hold_back_until_ms
    return GroupBeat(
        name=group.name,
        phase=phase_of(group),
        holding=group.holding,
        yielding=bool(group.yielding),
        willing=blockers.could_serve(state, group) is None and not group.yielding and not holding_back,
        epoch=group.held_epoch or group.epoch,
        claim_floor=group.claim_floor,
        claim=group.claim.number if group.claim is not None else 0,
        claim_epoch=group.claim.epoch if group.claim is not None else 0,
        grant=group.grant,
        ledger=group.ledger,
        acknowledged=_acknowledged(state, group),
        generation=group.generation,
        doubted=suspect_legs.doubted(group),
    )


def _acknowledged(state: NodeState, group: GroupState) -> int:
    heard = group.heard_ledger
    return heard.ledger.version if heard is not None and heard.boot_id == state.peer.boot_id else 0
