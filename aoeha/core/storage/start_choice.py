"""Which legs a mirror may be started from, and which one may return while it runs (R5).

Both choices use the legs' own superblocks, the first one the pair's ledger too.

With every leg readable the mirror starts from all that agree. With a leg missing it starts only from a leg that had
already recorded the missing one as failed, or that the ledger calls complete (after both gateways rebooted there is no
ledger): any other leg may lack writes that were acknowledged. Event counts are left to md: they may differ by one
either way and prove nothing.

What this file does not know: how superblocks are read, how a mirror is assembled, and what an operator types.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aoeha.core.model.superblock import Superblock
from aoeha.core.model.task import SuperblocksRead


@dataclass(frozen=True)
class Legs:
    """A mirror's legs: all of them, those that have a device, and those known to hold every acknowledged write."""

    all: tuple[str, ...]
    present: tuple[str, ...]
    complete: tuple[str, ...] = ()


class Omission(Enum):
    """Why a leg is not among those that a mirror is started from."""

    ABSENT = "it is absent"
    UNREADABLE = "no md superblock could be read from it"
    CALLED_FAILED = "another leg recorded it as failed"
    MAY_LACK_WRITES = "it may lack acknowledged writes"


@dataclass(frozen=True)
class Selection:
    """The legs to assemble, and why each other leg is not among them.

    `short`: fewer than their own superblocks expect, so md has to be told that this is meant.
    """

    legs: tuple[str, ...]
    left_out: tuple[tuple[str, Omission], ...] = ()
    short: bool = False


class Doubt(Enum):
    """Why no set of legs is safe, or why a leg may not return."""

    OTHER_ARRAY = "other_array"
    NO_WHOLE_LEG = "no_whole_leg"
    WRITTEN_APART = "written_apart"
    MAY_LACK_WRITES = "may_lack_writes"
    NO_SUPERBLOCK = "no_superblock"
    WORKING_UNREADABLE = "working_unreadable"


@dataclass(frozen=True)
class Refusal:
    """A doubt, the legs that it is about, and why each other leg could not help.

    `found` is the UUID of the array that a leg belongs to instead, with `OTHER_ARRAY`.
    """

    doubt: Doubt
    legs: tuple[str, ...] = ()
    left_out: tuple[tuple[str, Omission], ...] = ()
    found: str = ""


def choose(read: SuperblocksRead, complete: tuple[str, ...]) -> Selection | Refusal:
    """Choose by what was read. Legs go by their devices, but for the `complete` ones, which go by their names.

    A mirror that runs already is started from nothing.
    """
    if read.running:
        return Selection(())
    superblocks = {leg.device: leg.superblock for leg in read.legs if leg.present and leg.superblock is not None}
    legs = Legs(
        all=tuple(leg.device for leg in read.legs),
        present=tuple(leg.device for leg in read.legs if leg.present),
        complete=tuple(leg.device for leg in read.legs if leg.name in complete),
    )
    return choose_legs(read.uuid, legs, superblocks)


def choose_legs(uuid: str, legs: Legs, superblocks: Mapping[str, Superblock]) -> Selection | Refusal:
    """Choose from `legs`, of which those in `superblocks` have a readable one. `uuid` is the array's."""
    for superblock in superblocks.values():
        if superblock.array_uuid != uuid:
            return Refusal(Doubt.OTHER_ARRAY, (superblock.leg,), found=superblock.array_uuid)
    left_out = {leg: Omission.ABSENT for leg in legs.all if leg not in legs.present}
    left_out |= {leg: Omission.UNREADABLE for leg in legs.present if leg not in superblocks}
    whole = [one for one in superblocks.values() if one.role is not None and not one.recovering]
    if not whole:
        return Refusal(Doubt.NO_WHOLE_LEG, left_out=tuple(left_out.items()))
    for first in whole:
        for second in whole:
            if _calls(first, second) and _calls(second, first):
                return Refusal(Doubt.WRITTEN_APART, (first.leg, second.leg))
    for superblock in whole:
        if any(_calls(other, superblock) for other in whole):
            left_out[superblock.leg] = Omission.CALLED_FAILED
    chosen = [superblock for superblock in whole if superblock.leg not in left_out]
    rebuilding = [one.leg for one in superblocks.values() if one.role is None or one.recovering]
    short = _misses_a_place(chosen, len(legs.all)) and len(chosen) + len(rebuilding) < len(legs.all)
    if short:
        complete = [superblock for superblock in chosen if superblock.leg in legs.complete]
        if not complete:
            return Refusal(Doubt.MAY_LACK_WRITES, (chosen[0].leg,), tuple(left_out.items()))
        others = (superblock.leg for superblock in chosen if superblock not in complete)
        left_out |= dict.fromkeys(others, Omission.MAY_LACK_WRITES)
        chosen = complete
    usable = [superblock.leg for superblock in chosen] + rebuilding
    return Selection(tuple(leg for leg in legs.all if leg in usable), tuple(left_out.items()), short)


def why_not_take_back(
    uuid: str, leg: str, working: tuple[str, ...], superblocks: Mapping[str, Superblock]
) -> Refusal | None:
    """Judge a leg that shall be copied onto from `working` legs. None when all that it may lack is writes.

    md re-adds a half that was written apart without complaint, and then the two halves differ silently (measured).
    """
    ours, others = superblocks.get(leg), [superblocks[name] for name in working if name in superblocks]
    if ours is None:
        return Refusal(Doubt.NO_SUPERBLOCK, (leg,))
    if ours.array_uuid != uuid:
        return Refusal(Doubt.OTHER_ARRAY, (leg,), found=ours.array_uuid)
    if not others or len(others) < len(working):
        return Refusal(Doubt.WORKING_UNREADABLE, working)
    apart = next((other.leg for other in others if _calls(ours, other)), None)
    return None if apart is None else Refusal(Doubt.WRITTEN_APART, (leg, apart))


def _calls(caller: Superblock, named: Superblock) -> bool:
    return named.role is not None and caller.calls_missing(named.role)


def _misses_a_place(chosen: list[Superblock], places: int) -> bool:
    """Whether the mirror has a place that no chosen leg fills and that not every chosen leg calls missing."""
    filled = {superblock.role for superblock in chosen}
    return any(
        place not in filled and not all(superblock.calls_missing(place) for superblock in chosen)
        for place in range(places)
    )
