"""What a node knows of its legs, made canonical.

Of the moments at which shelves were read only their order remains: before this node began to listen, before the last
leg was taken, before a first leg had stood for its while. The age of a reservation or of its absence is kept in whole
ticks up to the longest patience with it. Lost: in which earlier term an address was held, and what only a mirror's legs
know (that their targets restarted): exhaust_canonical_ledger.py restores that where there is a mirror; elsewhere no
node has a ledger and every leg is in the fence set. When a target restarted under another owner is not kept: targets
are durable here. Of a stamp that was read, only its writer is kept: no operator
pauses the pair here, and without reference hosts no record says more. A leg has one address, so no path is ever left.
"""

from dataclasses import replace

from aoeha.core.model.legs import AddressState, LegState, ShelfLinkState, ShelvesState, StorageFenceState
from aoeha.core.model.shelves import Holder, SeenRecord
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.task import TaskKind
from aoeha.core.storage.storage_fence import STANDS_MS
from aoeha.sim.exhaust.shelves import canonical_record

__all__ = ["LONG_MS", "NOW_MS", "TICK_MS", "age_ms", "canonical_legs", "due_ms"]

NOW_MS = 10_000_000
TICK_MS = 1_000
LONG_MS = 2 * TICK_MS
OVER_MS = 6 * TICK_MS
BEFORE_MS = NOW_MS - 60 * TICK_MS
"""Before this node began to listen, however long ago that is."""
READ_MS, ASKED_MS = NOW_MS - 2, NOW_MS - 1
"""The last complete answer, and a question under way or as old: both of this tick, in this order."""
TIMED = (Holder.NOBODY, Holder.SILENT)


def age_ms(at_ms: int, now_ms: int, longest_ms: int) -> int:
    """Return how long ago something was, in whole ticks, up to the longest that matters."""
    return min((now_ms - at_ms) // TICK_MS * TICK_MS, longest_ms)


def due_ms(at_ms: int, now_ms: int, longest_ms: int = LONG_MS) -> int:
    """Rebase the end of a patience; 0 when it is over. What a moment took from it does not count."""
    return NOW_MS + min(-(-(at_ms - now_ms) // TICK_MS) * TICK_MS, longest_ms) if at_ms > now_ms else 0


def canonical_legs(state: NodeState, group: GroupState, listening_ms: int, known: dict[int, int]) -> GroupState:
    """Return a group with what it knows of its legs canonical. `listening_ms` is the canonical listening_since_ms."""
    if not group.legs:
        return group
    reading = any(task.id == group.shelves.task_id and task.kind is TaskKind.READ_RESERVATIONS for task in state.tasks)
    return replace(
        group,
        term=None
        if group.term is None
        else replace(group.term, blind_since_ms=_blind_since_ms(group, reading=reading)),
        legs=tuple(_leg(leg, group, state) for leg in group.legs),
        shelves=ShelvesState(
            task_id=known.get(group.shelves.task_id, 0),
            asked_ms=_asked_ms(state, group, listening_ms, reading=reading),
            read_ms=_read_ms(state, group, listening_ms),
            glanced_ms=_read_ms(state, group, listening_ms),
        ),
        storage_fence=_storage_fence(state, group, reading=reading),
        shelf_link=_shelf_link(group, state, known),
    )


def _leg(leg: LegState, group: GroupState, state: NodeState) -> LegState:
    return replace(
        leg,
        addresses=tuple(_address(one, group, state) for one in leg.addresses),
        reservation_lost=None,
        suspect=False,
        copy_in_doubt=False,
        restarted_ms=None,
    )


def _address(address: AddressState, group: GroupState, state: NodeState) -> AddressState:
    timed = address.holder in TIMED
    return replace(
        address,
        since_ms=NOW_MS - (age_ms(address.since_ms, state.now_ms, state.config.deadtime_ms) if timed else 0),
        held_epoch=address.held_epoch if address.held_epoch == group.held_epoch else 0,
    )


def _asked_ms(state: NodeState, group: GroupState, listening_ms: int, *, reading: bool) -> int:
    if reading and group.shelves.asked_ms < state.listening_since_ms:
        return BEFORE_MS
    if state.now_ms - group.shelves.asked_ms >= TICK_MS:
        return NOW_MS - TICK_MS
    return max(ASKED_MS, listening_ms) if reading else ASKED_MS


def _read_ms(state: NodeState, group: GroupState, listening_ms: int) -> int | None:
    if group.shelves.read_ms is None:
        return None
    return BEFORE_MS if group.shelves.read_ms < state.listening_since_ms else max(READ_MS, listening_ms)


def _storage_fence(state: NodeState, group: GroupState, *, reading: bool) -> StorageFenceState:
    fence, now_ms = group.storage_fence, state.now_ms
    wanted_ms = None if fence.wanted_ms is None else now_ms - fence.wanted_ms
    if wanted_ms is not None:
        wanted_ms = NOW_MS - (OVER_MS if wanted_ms >= LONG_MS else wanted_ms // TICK_MS * TICK_MS)
    return replace(
        fence,
        since_ms=_since_ms(group, reading=reading),
        shown_ms=None if fence.shown_ms is None else NOW_MS if _waits_for_records(group) else 0,
        first_ms=_first_ms(group, now_ms, reading=reading),
        wanted_ms=wanted_ms,
        retry_ms=due_ms(fence.retry_ms, now_ms),
        yielded_until_ms=due_ms(fence.yielded_until_ms, now_ms),
    )


def _blind_since_ms(group: GroupState, *, reading: bool) -> int:
    """From when on readings count in which no leg answers an owner: 1 if one has counted since, 0 where one answers."""
    since_ms = group.term.blind_since_ms if group.term is not None else 0
    if not since_ms or (group.shelves.glanced_ms or 0) >= since_ms:
        return min(since_ms, 1)
    return ASKED_MS if reading and group.shelves.asked_ms >= since_ms else NOW_MS


def _since_ms(group: GroupState, *, reading: bool) -> int:
    """From when on answers count: 0 if the last one does, else such that the one under way does, or only the next."""
    fence, read_ms = group.storage_fence, group.shelves.read_ms
    if fence.victim_boot_id is None or (read_ms is not None and read_ms >= fence.since_ms):
        return 0
    return ASKED_MS if reading and group.shelves.asked_ms >= fence.since_ms else NOW_MS


def _first_ms(group: GroupState, now_ms: int, *, reading: bool) -> int | None:
    """When the first leg became ours: each answer, known, under way or to come, stays before its while or after."""
    first_ms, read_ms = group.storage_fence.first_ms, group.shelves.read_ms
    if first_ms is None:
        return None
    at_ms = first_ms + STANDS_MS
    if group.storage_fence.first_stands or now_ms < at_ms:
        return NOW_MS
    if read_ms is not None and read_ms >= at_ms:
        return READ_MS - STANDS_MS
    return (ASKED_MS if reading and group.shelves.asked_ms >= at_ms else NOW_MS) - STANDS_MS


def _waits_for_records(group: GroupState) -> bool:
    """Whether a storage fence knows whose the legs are, and waits for records that are read since."""
    shown_ms = group.storage_fence.shown_ms
    return shown_ms is not None and group.shelf_link.looked_ms < shown_ms


def _shelf_link(group: GroupState, state: NodeState, known: dict[int, int]) -> ShelfLinkState:
    """For how long all stood still matters by what was read, and where nothing was, when a stamp was seen to move.

    Where a storage fence waits for a reading, the last one was before this tick, and one under way is of this tick.
    """
    link, awaited = group.shelf_link, _waits_for_records(group)
    if link == ShelfLinkState():
        return link
    now_ms, deadtime_ms = state.now_ms, state.config.deadtime_ms
    quiet_ms, read_ms = None, 0
    if link.quiet_since_ms is not None:
        read_ms = NOW_MS - age_ms(link.read_ms, now_ms, OVER_MS)
        quiet_ms = NOW_MS - age_ms(link.quiet_since_ms, now_ms, OVER_MS)
        if read_ms - quiet_ms >= deadtime_ms:
            read_ms, quiet_ms = NOW_MS, NOW_MS - deadtime_ms
    return replace(
        link,
        task_id=known.get(link.task_id, 0),
        asked_ms=NOW_MS - (age_ms(link.asked_ms, now_ms, TICK_MS) if not awaited else 0 if link.task_id else TICK_MS),
        seen=tuple(SeenRecord(seen.leg, seen.address, canonical_record(seen.record)) for seen in link.seen),
        heard_ms=None if link.heard_ms is None else NOW_MS - _quiet_ms(link, now_ms, deadtime_ms),
        quiet_since_ms=quiet_ms,
        read_ms=read_ms,
        looked_ms=NOW_MS - (TICK_MS if awaited else age_ms(link.looked_ms, now_ms, TICK_MS)),
        said=None,
    )


def _quiet_ms(link: ShelfLinkState, now_ms: int, deadtime_ms: int) -> int:
    return age_ms(link.heard_ms or 0, now_ms, deadtime_ms) if link.quiet_since_ms is None else 0
