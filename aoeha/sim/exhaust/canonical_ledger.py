"""What only a mirror's group knows, made canonical: ledgers, and which beats of a node its peer has answered.

A node asks two things of the numbers that come back to it: whether a beat was sent since its revalidation or last stall
(R10), and whether it was sent since the mark from which it counts a ledger's age (R5). So a number is 0, 1 or 2: how
many of these two it lies above. Of a version only remains whether it is the present one, 2, or an earlier one, 1; 0 is
none. When a node sets a mark, revalidates its ownership, or changes its ledger, all the numbers that it gave out before
are read in another way: they age.

Ages are kept in whole ticks up to the longest patience with them. A leg that responds again is steady after LONG_MS.
Lost: an owner's own mark, and whether the peer has answered an owner since it took its group.
"""

from dataclasses import replace
from typing import NamedTuple

from aoeha.core.model.beat import Beat, GroupBeat, Ledger, Mark
from aoeha.core.model.fence import Off
from aoeha.core.model.legs import HeardLedger, LegState, LegWork
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, LinkState, NodeState, PeerState, ResourceState
from aoeha.core.model.term import Term
from aoeha.core.storage import leg_ledger
from aoeha.sim.exhaust.canonical_legs import LONG_MS, NOW_MS, OVER_MS, READ_MS, TICK_MS, age_ms, due_ms

__all__ = [
    "FORGOTTEN",
    "KEPT",
    "LEASE_MS",
    "TOP",
    "Aging",
    "aging",
    "awaits_answer",
    "canonical_ledger",
    "canonical_links",
    "canonical_off",
    "canonical_peer",
    "canonical_stale",
    "canonical_thresholds",
    "canonical_told",
    "ordinal",
    "patience_ms",
]  # fmt: skip

LEASE_MS = 6 * TICK_MS
"""Long enough for a storage fence by a ledger: a silent peer is known to be so after four ticks or five."""
EARLIER, PRESENT = 1, 2
TOP = 2
"""The newest number: whatever is sent next lies above both."""


class Aging(NamedTuple):
    """How a node's old numbers are read from now on: its sequences 0, 1 and 2, and whether its ledger is another one.

    The numbers of the peer are its own matter.
    """

    sequences: tuple[int, int, int] = (0, 1, 2)
    versions: bool = False

    def then(self, later: "Aging") -> "Aging":
        """Both, one after the other."""
        first, second, third = (later.sequences[number] for number in self.sequences)
        return Aging((first, second, third), self.versions or later.versions)

    def of_own(self, beat: Beat) -> Beat:
        """A beat that this node sent before."""
        return replace(beat, sequence=self.sequences[beat.sequence], groups=self.told(beat.groups))

    def of_peers(self, beat: Beat) -> Beat:
        """A beat that the peer sent before."""
        return replace(beat, echo_sequence=self.sequences[beat.echo_sequence], groups=self.acknowledged(beat.groups))

    def told(self, groups: tuple[GroupBeat, ...]) -> tuple[GroupBeat, ...]:
        """What this node told of its groups."""
        if not self.versions:
            return groups
        return tuple(
            replace(group, ledger=replace(group.ledger, version=EARLIER)) if group.ledger is not None else group
            for group in groups
        )

    def acknowledged(self, groups: tuple[GroupBeat, ...]) -> tuple[GroupBeat, ...]:
        """What the peer told of these groups."""
        if not self.versions:
            return groups
        return tuple(replace(group, acknowledged=min(group.acknowledged, EARLIER)) for group in groups)

    def of_peer(self, state: NodeState) -> NodeState:
        """What the peer knows of this node."""
        peer, beat = state.peer, state.peer.beat
        if beat is not None:
            beat = replace(beat, groups=self.told(beat.groups))
        return replace(
            state,
            peer=replace(peer, sequence=self.sequences[peer.sequence], beat=beat),
            last_groups=self.acknowledged(state.last_groups),
            groups=tuple(replace(group, heard_ledger=self._heard(group.heard_ledger)) for group in state.groups),
        )

    def _heard(self, heard: HeardLedger | None) -> HeardLedger | None:
        if heard is None or not self.versions:
            return heard
        return replace(heard, ledger=replace(heard.ledger, version=EARLIER))


KEPT, FORGOTTEN = Aging(), Aging((0, 0, 0))


def aging(before: NodeState | None, after: NodeState) -> Aging:
    """What a step did to the numbers that its node gave out before. `before` is canonical, None for another daemon."""
    numbers = (ordinal(0, after), ordinal(1, after), ordinal(2, after))
    if before is None:
        return Aging(numbers, versions=True)
    known, now = before.groups[0].ledger, after.groups[0].ledger
    renewed = known is not None and (now is None or now.version != known.version)
    return Aging(Aging().sequences if _thresholds(before) == _thresholds(after) else numbers, renewed)


def ordinal(sequence: int, state: NodeState) -> int:
    """How many of the two things that its sender asks about a beat's number lie before it."""
    return int(awaits_answer(state) and sequence > state.revalidation.sequence) + int(0 < _mark(state) <= sequence)


def awaits_answer(state: NodeState) -> bool:
    """Whether a node asks if a beat was sent after one of its own: for its revalidation, or as the peer may be back."""
    return state.revalidating or canonical_stale(state)


def canonical_stale(state: NodeState) -> bool:
    """Return whether what the peer said may be over; without legs that tells nothing."""
    return state.peer.stale and any(group.legs for group in state.groups)


def canonical_thresholds(state: NodeState) -> tuple[int, int]:
    """Return the sequence of the revalidation and that of the mark."""
    mark, oath = _mark(state), state.revalidation.sequence
    if not mark or not awaits_answer(state):
        return 0, int(bool(mark))
    return (1, 1) if mark <= oath else (0, 2)


def patience_ms(state: NodeState) -> int:
    """Return in whole ticks after what time a gate opens by itself; a ledger is too old before that."""
    return -(-leg_ledger.patience_ms(state.config) // TICK_MS) * TICK_MS


def canonical_peer(peer: PeerState, state: NodeState) -> PeerState:
    """Return what a node knows of its peer. What the peer acknowledged is compared with the present version."""
    beat, known = peer.beat, state.groups[0].ledger
    if beat is not None:
        groups = tuple(replace(one, acknowledged=_acknowledged(one.acknowledged, known)) for one in beat.groups)
        beat = replace(beat, sequence=0, echo_sequence=ordinal(beat.echo_sequence, state), groups=groups)
    longest_ms = patience_ms(state)
    answered_ms = None if state.groups[0].holding else state.peer.answered_ms
    return replace(
        peer,
        beat=beat,
        answered_ms=None if answered_ms is None else NOW_MS - age_ms(answered_ms, state.now_ms, longest_ms),
        mark=_canonical_mark(state),
    )


def _acknowledged(version: int, known: Ledger | None) -> int:
    return PRESENT if known is not None and version == known.version else min(version, EARLIER)


def canonical_told(groups: tuple[GroupBeat, ...], state: NodeState) -> tuple[GroupBeat, ...]:
    """Return what a node last told of its groups: its present ledger, or another one."""
    known = state.groups[0].ledger
    return tuple(
        replace(one, ledger=one.ledger and replace(one.ledger, version=PRESENT if one.ledger == known else EARLIER))
        for one in groups
    )


def canonical_off(state: NodeState) -> Off | None:
    """Return the last power-off if it still tells something: that boot has not been heard since."""
    off = state.last_off
    heard = [link.heard_ms for link in state.links if link.heard_ms is not None]
    if off is None or off.boot_id != state.peer.boot_id or any(heard_ms >= off.at_ms for heard_ms in heard):
        return None
    return Off(off.boot_id, NOW_MS + 1, 0)


def canonical_links(state: NodeState) -> tuple[LinkState, ...]:
    """Return the links; for how long nothing was heard on them counts as long as a gate may be shut."""
    longest_ms = max(patience_ms(state), state.config.deadtime_ms)
    return tuple(
        link if link.heard_ms is None
        else replace(link, heard_ms=NOW_MS - age_ms(link.heard_ms, state.now_ms, longest_ms))
        for link in state.links
    )  # fmt: skip


def canonical_ledger(state: NodeState, group: GroupState, known: dict[int, int]) -> GroupState:
    """Return a group with all that concerns its mirror canonical; its holds are done before."""
    heard, longest_ms = group.heard_ledger, patience_ms(state)
    if heard is not None:
        heard = replace(heard, as_of_ms=NOW_MS - age_ms(heard.as_of_ms, state.now_ms, longest_ms))
    before = state.group(group.name)
    missing = next(iter(before.resources)).missing or ()
    return replace(
        group,
        term=_term(state, group),
        ledger_version=PRESENT,
        heard_ledger=heard,
        leg_work=_leg_work(group.leg_work, state.now_ms, known),
        legs=tuple(
            _leg(leg, old, state, owned=group.holding and leg.name in missing)
            for leg, old in zip(group.legs, before.legs, strict=True)
        ),
        resources=tuple(
            _resource(resource, old, state.now_ms)
            for resource, old in zip(group.resources, before.resources, strict=True)
        ),
    )


def _leg_work(work: LegWork, now_ms: int, known: dict[int, int]) -> LegWork:
    """Return the work on a leg canonical. When it began counts for a return alone, while it may be found to fail."""
    failed = work.failed and replace(
        work.failed,
        begun_ms=NOW_MS - age_ms(work.failed.begun_ms, now_ms, LONG_MS),
        ended_ms=NOW_MS - age_ms(work.failed.ended_ms, now_ms, LONG_MS),
    )
    begun_ms = NOW_MS - age_ms(work.begun_ms, now_ms, LONG_MS) if work.task_id else 0
    return LegWork(known.get(work.task_id, 0), due_ms(work.retry_ms, now_ms), begun_ms, failed)


def _term(state: NodeState, group: GroupState) -> Term | None:
    term = group.term
    if term is None:
        return None
    told = term.ledger
    return replace(
        term,
        ledger=None if told is None else Ledger(PRESENT, told.fence, told.start),
        ledger_since_ms=0 if told is None else _told_ms(state, group, term),
        taken_sequence=TOP,
        taken_ms=min(term.taken_ms, 1),
    )


def _told_ms(state: NodeState, group: GroupState, term: Term) -> int:
    """Since when the ledger is told. It is asked for only while a leg moves, and its mark to move is another ledger."""
    moves = any(leg.leaving or leg.returning or leg.copying for leg in group.legs)
    return NOW_MS - (age_ms(term.ledger_since_ms, state.now_ms, patience_ms(state)) if moves else patience_ms(state))


def _leg(leg: LegState, old: LegState, state: NodeState, *, owned: bool) -> LegState:
    """For how long a leg that shall return has been ours counts, and when a silent one was first found so."""
    addresses = []
    for address, before in zip(leg.addresses, old.addresses, strict=True):
        since_ms = address.since_ms
        if owned and address.holder is Holder.US:
            steady_ms = age_ms(before.since_ms, state.now_ms, OVER_MS)
            since_ms = NOW_MS - (OVER_MS if steady_ms >= LONG_MS else steady_ms)
        elif address.holder is Holder.SILENT:
            since_ms = since_ms - NOW_MS + READ_MS if state.groups[0].holding else NOW_MS
        addresses.append(replace(address, since_ms=since_ms))
    told = {name: getattr(old, name) for name in ("reservation_lost", "suspect", "copy_in_doubt")}
    return replace(leg, addresses=tuple(addresses), **told)


def _resource(resource: ResourceState, old: ResourceState, now_ms: int) -> ResourceState:
    due = now_ms - old.checked_ms >= old.config.monitor_every_ms
    return replace(resource, checked_ms=NOW_MS - (old.config.monitor_every_ms if due else 0))


def _thresholds(state: NodeState) -> tuple[bool, int, int]:
    return awaits_answer(state), state.revalidation.sequence, _mark(state)


def _mark(state: NodeState) -> int:
    """The mark's number, 0 for none: a node that owns the group hears no ledger, and needs none."""
    mark = state.peer.mark
    return 0 if mark is None or state.groups[0].holding else mark.sequence


def _canonical_mark(state: NodeState) -> Mark | None:
    mark = state.peer.mark
    if mark is None or not _mark(state):
        return None
    return Mark(canonical_thresholds(state)[1], NOW_MS - age_ms(mark.sent_ms, state.now_ms, patience_ms(state)))
