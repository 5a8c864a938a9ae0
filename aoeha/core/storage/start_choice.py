"""Which legs a mirror may be started from, and which one may return while it runs (R5).

Both choices use the legs' own superblocks, the first one the pair's ledger too.

With every leg readable the mirror starts from all that agree. With a leg missing it starts only from a leg that had
already recorded the missing one as failed, or that the ledger calls complete (after both gateways rebooted there is no
ledger): any other leg may lack writes that were acknowledged. Event counts may differ by one either way and prove
nothing. A leg that is further behind is an old copy of itself: what it says of others counts for nothing, and md would
not start with it. It is set aside, and so is a leg whose target may have lost what it acknowledged, if another leg has
it all. What is set aside is copied whole afterwards.

What this file does not know: how superblocks are read, how a mirror is assembled, and what an operator types.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from aoeha.core.model.superblock import Superblock
from aoeha.core.model.task import SuperblocksRead

EVENTS_APART = 1
"""So many events may lie between two legs that were written together (as md has it): a crash may come in between."""


@dataclass(frozen=True)
class Legs:
    """A mirror's legs: all of them, those that have a device, and those known to hold every acknowledged write.

    `doubted` are legs that may have lost what they acknowledged, `late` those whose disk did not answer in time,
    `too_old` those that lack acknowledged writes (R22).
    """

    all: tuple[str, ...]
    present: tuple[str, ...]
    complete: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    too_old: tuple[str, ...] = ()


class Omission(Enum):
    """Why a leg is not among those that a mirror is started from."""

    ABSENT = "it is absent"
    UNREADABLE = "no md superblock could be read from it"
    LATE = "its disk did not answer in time"
    CALLED_FAILED = "another leg recorded it as failed"
    MAY_LACK_WRITES = "it may lack acknowledged writes"
    OUTDATED = "its superblock is events behind, so it is an old copy"
    TOO_OLD = "its generation is older than what both gateways remember, so it is an old copy"
    MAY_HAVE_LOST = "its target restarted, and may have lost what it had acknowledged"


SET_ASIDE = (Omission.OUTDATED, Omission.TOO_OLD, Omission.MAY_HAVE_LOST)
"""Why a leg that could be used is not: it is copied whole before anybody relies on it again."""


@dataclass(frozen=True)
class Selection:
    """The legs to assemble, and why each other leg is not among them.

    `short`: fewer than their own superblocks expect, so md has to be told that this is meant.
    """

    legs: tuple[str, ...]
    left_out: tuple[tuple[str, Omission], ...] = ()
    short: bool = False

    @property
    def set_aside(self) -> tuple[tuple[str, Omission], ...]:
        """The legs that are there and are not used, because what they hold is known or feared to be old."""
        return tuple((leg, why) for leg, why in self.left_out if why in SET_ASIDE)


class Doubt(Enum):
    """Why no set of legs is safe, or why a leg may not return."""

    OTHER_ARRAY = "other_array"
    NO_WHOLE_LEG = "no_whole_leg"
    WRITTEN_APART = "written_apart"
    MAY_LACK_WRITES = "may_lack_writes"
    ALL_TOO_OLD = "all_too_old"
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


def choose(
    read: SuperblocksRead,
    complete: tuple[str, ...],
    doubted: tuple[str, ...] = (),
    too_old: tuple[str, ...] = (),
) -> Selection | Refusal:
    """Choose by what was read. Legs go by their devices, but those that are given besides go by their names.

    A mirror that runs already is started from nothing.
    """
    if read.running:
        return Selection(())
    superblocks = {leg.device: leg.superblock for leg in read.legs if leg.present and leg.superblock is not None}
    legs = Legs(
        all=tuple(leg.device for leg in read.legs),
        present=tuple(leg.device for leg in read.legs if leg.present),
        complete=tuple(leg.device for leg in read.legs if leg.name in complete),
        late=tuple(leg.device for leg in read.legs if leg.late),
        doubted=tuple(leg.device for leg in read.legs if leg.name in doubted),
        too_old=tuple(leg.device for leg in read.legs if leg.name in too_old),
    )
    return choose_legs(read.uuid, legs, superblocks)


def choose_legs(uuid: str, legs: Legs, superblocks: Mapping[str, Superblock]) -> Selection | Refusal:
    """Choose from `legs`, of which those in `superblocks` have a readable one. `uuid` is the array's."""
    for superblock in superblocks.values():
        if superblock.array_uuid != uuid:
            return Refusal(Doubt.OTHER_ARRAY, (superblock.leg,), found=superblock.array_uuid)
    left_out = {leg: Omission.ABSENT for leg in legs.all if leg not in legs.present}
    unread = (leg for leg in legs.present if leg not in superblocks)
    left_out |= {leg: Omission.LATE if leg in legs.late else Omission.UNREADABLE for leg in unread}
    whole = [one for one in superblocks.values() if one.role is not None and not one.recovering]
    if not whole:
        return Refusal(Doubt.NO_WHOLE_LEG, left_out=tuple(left_out.items()))
    for first in whole:
        for second in whole:
            if _calls(first, second) and _calls(second, first):
                return Refusal(Doubt.WRITTEN_APART, (first.leg, second.leg))
    young = [superblock for superblock in whole if superblock.leg not in legs.too_old]
    if not young:
        return Refusal(Doubt.ALL_TOO_OLD, tuple(one.leg for one in whole), tuple(left_out.items()))
    newest = max(superblock.events for superblock in young)
    fresh = [superblock for superblock in young if not _is_outdated(superblock, newest)]
    called = [one for one in superblocks.values() if any(_calls(other, one) for other in fresh)]
    left_out |= {one.leg: Omission.CALLED_FAILED for one in called if one in whole}
    chosen = [superblock for superblock in fresh if superblock.leg not in left_out]
    rebuilding = [one.leg for one in superblocks.values() if one.role is None or one.recovering]
    old = [one for one in superblocks.values() if one not in called and _is_set_aside(one, newest, legs)]
    set_aside = {one.leg: Omission.TOO_OLD if one.leg in legs.too_old else Omission.OUTDATED for one in old}
    set_aside |= dict.fromkeys(_feared(chosen, rebuilding, legs), Omission.MAY_HAVE_LOST)
    return _choose_without(set_aside, chosen, rebuilding, legs, left_out)


def _choose_without(
    set_aside: Mapping[str, Omission],
    chosen: list[Superblock],
    rebuilding: list[str],
    legs: Legs,
    left_out: dict[str, Omission],
) -> Selection | Refusal:
    """Choose from what remains: every place must be filled, called missing by all, or set aside; else a ledger counts.

    A leg that is set aside is there, and is known to have nothing that the chosen ones lack.
    """
    remaining = [superblock for superblock in chosen if superblock.leg not in set_aside]
    known = {*(superblock.leg for superblock in chosen), *rebuilding, *set_aside}
    unproven = _misses_a_place(chosen, len(legs.all)) and len(known) < len(legs.all)
    left_out = {**left_out, **set_aside}
    if unproven:
        complete = [one for one in remaining if one.leg in legs.complete and one.leg not in legs.doubted]
        if not complete:
            return Refusal(Doubt.MAY_LACK_WRITES, (remaining[0].leg,), tuple(left_out.items()))
        others = (superblock.leg for superblock in remaining if superblock not in complete)
        left_out |= dict.fromkeys(others, Omission.MAY_LACK_WRITES)
        remaining = complete
    usable = {*(superblock.leg for superblock in remaining), *(leg for leg in rebuilding if leg not in set_aside)}
    return Selection(
        tuple(leg for leg in legs.all if leg in usable), tuple(left_out.items()), short=unproven or bool(set_aside)
    )


def _is_outdated(superblock: Superblock, newest: int) -> bool:
    """Whether a leg that has a place is so far behind that it was not there when the newest one was last written."""
    return superblock.role is not None and superblock.events + EVENTS_APART < newest


def _is_set_aside(superblock: Superblock, newest: int, legs: Legs) -> bool:
    return superblock.leg in legs.too_old or _is_outdated(superblock, newest)


def _feared(chosen: list[Superblock], rebuilding: list[str], legs: Legs) -> Iterable[str]:
    """The legs that may have lost what they acknowledged, if one that has not can take their place."""
    sound = [superblock.leg for superblock in chosen if superblock.leg not in legs.doubted]
    if legs.complete:
        sound = [leg for leg in sound if leg in legs.complete]
    there = [*(superblock.leg for superblock in chosen), *rebuilding]
    return (leg for leg in there if leg in legs.doubted) if sound else ()


def why_not_take_back(
    uuid: str, leg: str, working: tuple[str, ...], superblocks: Mapping[str, Superblock], *, outdated: bool = False
) -> Refusal | None:
    """Judge a leg that shall be copied onto from `working` legs. None when all that it may lack is writes.

    md re-adds a half that was written apart without complaint, and then the two halves differ silently (measured). One
    that is known to be `outdated` may say of the others what it likes.
    """
    ours, others = superblocks.get(leg), [superblocks[name] for name in working if name in superblocks]
    if ours is None:
        return Refusal(Doubt.NO_SUPERBLOCK, (leg,))
    if ours.array_uuid != uuid:
        return Refusal(Doubt.OTHER_ARRAY, (leg,), found=ours.array_uuid)
    if not others or len(others) < len(working):
        return Refusal(Doubt.WORKING_UNREADABLE, working)
    apart = next((other.leg for other in others if _calls(ours, other)), None)
    return None if apart is None or outdated else Refusal(Doubt.WRITTEN_APART, (leg, apart))


def _calls(caller: Superblock, named: Superblock) -> bool:
    return named.role is not None and caller.calls_missing(named.role)


def _misses_a_place(chosen: list[Superblock], places: int) -> bool:
    """Whether the mirror has a place that no chosen leg fills and that not every chosen leg calls missing."""
    filled = {superblock.role for superblock in chosen}
    return any(
        place not in filled and not all(superblock.calls_missing(place) for superblock in chosen)
        for place in range(places)
    )
