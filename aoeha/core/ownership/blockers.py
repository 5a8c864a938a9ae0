"""What stops this node from starting a group, or from coming to own it, the storage's state included (R2, R15).

Rules. Every start of a resource passes `may_start`; nothing else may decide it. `could_serve` tells whether this node
could serve a group if it were allowed to. A node that could not serve never claims and never fences. Both read the
table of `aoeha.core.model.law`. Each condition that stops one of them has a code of its own.

What this file does not know: whether the peer could be proven dead.
"""

from collections.abc import Mapping
from typing import Final

from aoeha.core.model import law
from aoeha.core.model.conditions import Code
from aoeha.core.model.law import Act, Blocked, Kind
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.peer import membership
from aoeha.core.storage import held_legs, reservations


def may_start(state: NodeState, group: GroupState) -> Blocked | None:
    """Return what stops a start: shared disks need a proof that the peer cannot write. A quiet cable proves nothing."""
    return law.first(state, Act.START, group, TESTS)


def could_serve(state: NodeState, group: GroupState) -> Blocked | None:
    """Return why this node could not serve the group if it were allowed to, None if it could."""
    return law.first(state, Act.CLAIM, group, TESTS)


def blockers(state: NodeState, group: GroupState) -> tuple[Blocked, ...]:
    """Return every standing condition that this package can judge, in the order in which they are reported."""
    found = ((kind, TESTS[kind](state, group)) for kind in Kind if kind in TESTS)
    return tuple(Blocked(kind, sentence) for kind, sentence in found if sentence)


def _standby(state: NodeState, group: GroupState | None) -> str:
    """Where the test of a plug silenced the peer, the plugs may be swapped: ending standby would end this node."""
    if state.standby and membership.is_silent(state):
        node, peer = state.config.node, state.config.peer
        return f"{node} is in standby, and {peer} is silent: find out why before you end that"
    return law.TESTS[Kind.STANDBY](state, group)


def _no_right(state: NodeState, group: GroupState | None) -> str:
    if group is None:
        return ""
    proof = group.proof
    if not group.holding or proof is None:
        return _not_owned(state, group)
    foreign = proof.group != group.name or proof.epoch != group.held_epoch
    return f"the proof for {group.name} belongs to another epoch" if foreign else ""


def _not_owned(state: NodeState, group: GroupState) -> str:
    refusal = group.refusal
    return refusal.sentence if refusal is not None else f"{state.config.node} does not own {group.name}"


def _unreserved(state: NodeState, group: GroupState | None) -> str:
    return held_legs.reserved(state.config, group) if group is not None else ""


def _no_shelf(state: NodeState, group: GroupState | None) -> str:
    if group is None or group.holding:
        return ""
    return reservations.unusable(state, group) or reservations.foreign(state, group)


TAKEOVER_REFUSED: Final[Mapping[Kind, Code]] = {
    Kind.STANDBY: Code.TAKEOVER_REFUSED_STANDBY,
    Kind.PANICKING: Code.TAKEOVER_REFUSED_PANICKING,
    Kind.LEAVING: Code.TAKEOVER_REFUSED_LEAVING,
    Kind.LEFT: Code.TAKEOVER_REFUSED_LEFT,
    Kind.PAUSED: Code.TAKEOVER_REFUSED_PAUSED,
    Kind.REVALIDATING: Code.TAKEOVER_REFUSED_REVALIDATING,
    Kind.DUPLICATE_NAME: Code.TAKEOVER_REFUSED_DUPLICATE_NAME,
    Kind.GIVEN_UP: Code.TAKEOVER_REFUSED_GIVEN_UP,
    Kind.NO_SHELF: Code.TAKEOVER_REFUSED_NO_SHELF,
    Kind.NOT_PROBED: Code.TAKEOVER_REFUSED_NOT_PROBED,
    Kind.STOP_FAILED: Code.TAKEOVER_REFUSED_STOP_FAILED,
    Kind.INVALID: Code.TAKEOVER_REFUSED_INVALID,
}
"""What a refusal to come to own a group is told as: one code for each condition that stops it."""

START_REFUSED: Final[Mapping[Kind, Code]] = {
    Kind.PANICKING: Code.START_REFUSED_PANICKING,
    Kind.LEFT: Code.START_REFUSED_LEFT,
    Kind.PAUSED: Code.START_REFUSED_PAUSED,
    Kind.REVALIDATING: Code.START_REFUSED_REVALIDATING,
    Kind.UNVERIFIED: Code.START_REFUSED_UNVERIFIED,
    Kind.NO_RIGHT: Code.START_REFUSED_NO_RIGHT,
    Kind.UNRESERVED: Code.START_REFUSED_UNRESERVED,
}
"""What a refusal to start a resource is told as."""

TESTS: Final[Mapping[Kind, law.Test]] = {
    **law.TESTS,
    Kind.STANDBY: _standby,
    Kind.NO_RIGHT: _no_right,
    Kind.UNRESERVED: _unreserved,
    Kind.NO_SHELF: _no_shelf,
}
"""The conditions that are judged by the state and the shelves."""
