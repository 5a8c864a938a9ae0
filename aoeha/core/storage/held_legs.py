"""Which legs are held, and whether they are enough for a start (R2, R3).

Rules. Whatever the proof, every address that responds is held by us in this term before a mirror starts. A leg that is
slow is not waited for where the mirror may start, or runs, from a sound one without it, nor is one that a stranger has
reserved while another leg is held: nothing is written to a leg that is not held.

What this file does not know: how legs are reserved.
"""

from aoeha.core.model import shelf_patience
from aoeha.core.model.config import PairConfig
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import UP, GroupState
from aoeha.core.storage import suspect_legs


def reserved(config: PairConfig, group: GroupState) -> str:
    """Why the group's storage may not be used yet; empty when every address that responds is held by us (R2).

    A slow leg, or a stranger's, is not waited for where the mirror is to start without it.
    """
    if not any(leg.addresses for leg in group.legs):
        return ""
    for leg in group.legs:
        if _follows_later(config, group, leg):
            continue
        for address in leg.addresses:
            if address.holder is not Holder.SILENT and not _is_held(group, address):
                return (
                    f"{leg.name} at {address.name} is not reserved for this node yet: it shows {address.holder.value}"
                )
    ours = any(leg.shows_anywhere(Holder.US) for leg in group.legs)
    return "" if ours else "no shelf answers this node"


def is_held(group: GroupState, leg: LegState) -> bool:
    """Whether every address of a leg that responds is held by us in this term, and one does."""
    held = [_is_held(group, address) for address in leg.addresses if address.holder is not Holder.SILENT]
    return bool(held) and all(held)


def _is_held(group: GroupState, address: AddressState) -> bool:
    return address.holder is Holder.US and address.held_epoch == group.held_epoch


def _follows_later(config: PairConfig, group: GroupState, leg: LegState) -> bool:
    """Whether the reservation of a slow leg, or a stranger's, is not waited for: the mirror can do without that leg.

    A stranger may keep a leg for ever: the superblocks of the legs that are held have to tell whether they are enough.
    """
    mirror = next((resource for resource in group.resources if resource.config.mirror), None)
    if mirror is None or group.term is None or is_held(group, leg):
        return False
    held = [other.name for other in group.legs if other is not leg and is_held(group, other)]
    if leg.shows_anywhere(Holder.STRANGER):
        return bool(held) and (mirror.phase not in UP or leg.name in (mirror.missing or (leg.name,)))
    if not shelf_patience.is_slow(config, leg):
        return False
    enough = group.term.startable_legs
    if mirror.phase in UP and mirror.missing is not None:
        within = tuple(one.name for one in group.legs if one.name not in mirror.missing)
        enough = () if leg.name in within else within
    return any(name in enough and suspect_legs.is_sound(group, group.leg(name)) for name in held)
