"""Targets that restarted while another node owned their legs (R5).

Rules. A target that restarts forgets who held it, or is heard starting. If its owner may have ended before it noticed
that, the next owner must: what such a target acknowledged may be lost. An owner that was heard a while after a restart
has noticed it. It has taken care of the leg once its ledger says that the leg is whole, or has left the mirror: in a
pause neither happens, and whoever takes over then must know. A leg that nobody holds has restarted since it was last
held, unless nobody ever owned its group. Whether a restart loses anything depends on the target (`durable`); that is
not decided here.

What an owner has found of its legs and has not mended yet, it says in its beats; as the last owner it goes on saying so
until another one is heard. The next owner takes that over.

What this file does not know: what is done with such a leg.
"""

from aoeha.core.model.beat import BeatFlag
from aoeha.core.model.legs import LegState
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.storage import suspect_legs

__all__ = ["FIRST_EPOCH", "announced", "before_term", "learn", "note", "unknown_to_owner"]

FIRST_EPOCH = 1
"""The epoch of the first ownership."""
NOTICED_PERIODS = 3
"""An owner that was heard so many periods of the hold check after a target's restart has noticed that."""


def announced(step: StepContext, name: str, leg: str) -> None:
    """A target was heard starting. One that kept its reservation may have lost what it acknowledged all the same.

    That it shows us was seen before: only from now on it counts, so that no leg is returned by what is over (R3).
    """
    group = step.state.group(name)
    if group.holding:
        known = group.leg(leg)
        addresses = (replaced(one, since_ms=step.now_ms) if one.holder is Holder.US else one for one in known.addresses)
        in_doubt = known.copying or known.returning
        step.change_leg(name, leg, addresses=tuple(addresses), reservation_lost=True, copy_in_doubt=in_doubt)
    else:
        note(step, name, leg, step.now_ms)


def note(step: StepContext, name: str, leg: str, at_ms: int) -> None:
    """A target of a leg that this node does not own has restarted."""
    if not step.state.group(name).holding:
        step.change_leg(name, leg, restarted_ms=at_ms)


def learn(step: StepContext, name: str) -> None:
    """Forget the restarts of which the owner must have taken care by its newest beat, and what we found before it."""
    group, theirs = step.state.group(name), step.state.peer_group(name)
    if not group.holding and theirs is not None and theirs.holding and theirs.epoch >= group.epoch:
        for place in suspect_legs.doubted(group):
            mended = group.legs[place].name
            step.change_leg(name, mended, reservation_lost=None, suspect=False, outdated=False, copy_in_doubt=False)
    for place, leg in enumerate(step.state.group(name).legs):
        if leg.restarted_ms is not None and _owner_took_care(step.state, group, place, leg.restarted_ms):
            step.change_leg(name, leg.name, restarted_ms=None)


def unknown_to_owner(group: GroupState, leg: LegState) -> bool:
    """Whether a target of the leg has restarted and the last owner may have ended before it knew that."""
    owned = group.epoch >= FIRST_EPOCH
    return owned and (leg.shows_anywhere(Holder.NOBODY) or leg.restarted_ms is not None)


def before_term(group: GroupState, leg: LegState) -> bool:
    """Whether a leg that nobody holds in our term restarted under an earlier owner, or after it."""
    return group.term is not None and not group.term.first and leg.shows_anywhere(Holder.NOBODY)


def _owner_took_care(state: NodeState, group: GroupState, place: int, restarted_ms: int) -> bool:
    theirs, beat, answered_ms = state.peer_group(group.name), state.peer.beat, state.peer.answered_ms
    if theirs is None or not theirs.holding or beat is None or BeatFlag.PROBED not in beat.flags:
        return False
    ledger = theirs.ledger
    if ledger is None or (place in ledger.fence and place not in ledger.start):
        return False
    return answered_ms is not None and answered_ms - restarted_ms >= NOTICED_PERIODS * state.config.hold_every_ms
