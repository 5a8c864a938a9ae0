"""A RAID1 of two legs as md keeps it: event counts, who calls whom missing, a bitmap, recovery. It chooses nothing.

Each leg carries a superblock. A kernel that cannot reach a leg for `SILENCE_MAX_MS` kicks it out, unless it was told to
wait for its daemon: it writes into the other's superblock that the leg is missing, and acknowledges without it from
then on. The last leg is never kicked. A leg that was called missing holds old data until it has been recovered. Two
legs that call each other missing were written apart, and nobody can tell which one is right.

A leg comes back by the bitmap, which names what was written without it, or by a full copy. Until all is copied, its own
superblock says that it lags: writes go there too, and nothing is read from it. A copy that was cut short goes on where
it was, when both legs are started again.

A mirror that was not stopped is unclean: what was written last may lie on one leg only, and the first leg, among those
that are not marked to be read last, is copied over the others there.
"""

from dataclasses import dataclass, field

from aoeha.core.model.config import PathTiming
from aoeha.core.model.task import ExaminedLeg, SuperblocksRead
from aoeha.core.storage.leg_sentences import why_not_start
from aoeha.core.storage.start_choice import Refusal, choose, why_not_take_back
from aoeha.sim.world.leg import ARRAY, Leg

__all__ = ["PATH_TIMING", "SILENCE_MAX_MS", "Assembly", "Leg", "Mirror"]

SILENCE_MAX_MS = 16_000
"""aoe_deadsecs of 15 plus the second that the driver takes longer (measured); with a ledger it is an hour."""
PATH_TIMING = PathTiming((5_000, 4_000, 3_000, *(2_000,) * 5, 1_000), 10_000, 700, 500, 11_000)
"""What the aoe driver's agent tells of a patience that is overridden."""
EVENTS_APART = 1
"""mdadm starts from legs whose event counts differ by so many at most, and leaves older ones out."""


@dataclass(slots=True, eq=False)
class Assembly:
    """The mirror as one kernel has it started: the legs in use, and since when one of them does not answer.

    `rebuilding` are legs onto which it copies. `unclean`: a resync is to come, which waits for as long as
    `freeze_resync` holds, of the `doubtful` records that the bitmap named at the start. `in_flight` are those that are
    being written now: no copy comes in between. `resynced_ms`: when a resync that has begun will
    have ended.
    """

    active: list[Leg]
    silent_since_ms: dict[str, int] = field(default_factory=dict)
    waits_for_the_daemon: bool = False
    unclean: bool = False
    freeze_resync: bool = False
    rebuilding: list[Leg] = field(default_factory=list)
    doubtful: set[int] = field(default_factory=set)
    in_flight: set[int] = field(default_factory=set)
    resynced_ms: int | None = None

    @property
    def members(self) -> list[Leg]:
        """The legs to which every write goes."""
        return [*self.active, *self.rebuilding]

    @property
    def read(self) -> Leg:
        """The leg that is read while both are not known to be equal, and that a resync takes as correct."""
        return next((leg for leg in self.active if not leg.write_mostly), self.active[0])

    @property
    def records(self) -> set[int]:
        """What can be read of the legs in use, one way or another."""
        return set[int]().union(*(leg.records for leg in self.active))

    def note(self, record: int) -> None:
        """Mark in the bitmap that a record is about to be written."""
        self.in_flight.add(record)
        for leg in self.active:
            leg.noted.add(record)

    def acknowledge(self, record: int, legs: int) -> None:
        """All legs in use have it: the mark goes where none of the mirror's `legs` is missing."""
        self.in_flight.discard(record)
        if len(self.active) == legs:
            for leg in self.active:
                leg.noted.discard(record)
                leg.cleared = leg.events

    def resync(self, now_ms: int) -> None:
        """Make all legs in use equal to the one that is read, where they differ or may differ."""
        source = self.read
        for leg in self.active:
            if leg is not source:
                differing = {*source.overwritten, *leg.overwritten, *self.doubtful}
                leg.copy_from(source, differing - self.in_flight, now_ms)
                leg.noted -= self.doubtful
        if len(self.active) > 1:
            source.noted -= self.doubtful
        self.unclean = False

    def stop(self) -> None:
        """Leave no marks in the bitmap of a mirror that is whole."""
        if len(self.active) > 1:
            for leg in self.active:
                leg.noted.clear()

    def answered(self, leg: Leg) -> None:
        """A leg took a write."""
        self.silent_since_ms.pop(leg.shelf, None)

    def did_not_take(self, leg: Leg, now_ms: int, *, alone: bool, error: bool = False, hurried_ms: int = 0) -> bool:
        """Note that a leg took no write; kick it once that has lasted too long. Tells whether it was kicked.

        With `alone` no other leg can be written to either: nobody can be told that this one is missing. An `error` that
        the target reports is waited for by nobody. `hurried_ms`: how long the driver waits while it is in a hurry, else
        0.
        """
        since_ms = self.silent_since_ms.setdefault(leg.shelf, now_ms)
        if hurried_ms:
            waiting = now_ms - since_ms < hurried_ms
        else:
            waiting = now_ms - since_ms < SILENCE_MAX_MS or self.waits_for_the_daemon
        if (waiting and not error) or self.active == [leg] or alone:
            return False
        self.evict(leg)
        return True

    def evict(self, leg: Leg) -> None:
        """Continue without a leg: the others' superblocks call it missing."""
        (self.active if leg in self.active else self.rebuilding).remove(leg)
        self.silent_since_ms.pop(leg.shelf, None)
        self.unclean = self.unclean and len(self.active) > 1
        for survivor in self.members:
            survivor.missing.add(leg.shelf)
        self._write_superblocks()

    def begin_copy(self, leg: Leg, *, whole: bool) -> bool:
        """Take in a leg that lags: by the bitmap, or `whole`, as md does for one that is too old for the bitmap.

        Tells whether it is copied whole.
        """
        source = self.read
        whole = whole or leg.array != ARRAY or leg.events < source.cleared or (leg.recovering and leg.wholly)
        overwritten = source.overwritten.keys() | leg.overwritten.keys()
        leg.todo = source.records | leg.records | overwritten if whole else set(source.noted)
        leg.recovering, leg.wholly = True, whole
        leg.missing = source.missing - {leg.shelf}
        self.rebuilding.append(leg)
        for known in self.active:
            known.missing.discard(leg.shelf)
        self._write_superblocks()
        return whole

    def copy(self, leg: Leg, count: int, now_ms: int) -> None:
        """Copy so many records more, those first that were written first."""
        records = set(sorted(leg.todo)[:count])
        leg.todo -= records
        leg.copy_from(self.read, records - self.in_flight, now_ms)

    def end_copy(self, leg: Leg, now_ms: int) -> None:
        """Copy what is left. The leg is whole."""
        self.copy(leg, len(leg.todo), now_ms)
        leg.recovering = leg.write_mostly = False
        self.rebuilding.remove(leg)
        self.active.append(leg)
        if not self.read.missing and not self.rebuilding:
            for known in self.active:
                known.noted &= self.in_flight
        self._write_superblocks()

    def _write_superblocks(self) -> None:
        """Count an event, and write on every leg what its superblock says."""
        events = max(leg.events for leg in self.members) + 1
        for leg in self.members:
            leg.events, leg.array = events, ARRAY


class Mirror:
    """The legs of one group."""

    def __init__(self, shelves: tuple[str, ...]) -> None:
        self.legs = [Leg(shelf) for shelf in shelves]

    def leg(self, shelf: str) -> Leg:
        """The leg on a shelf."""
        return next(leg for leg in self.legs if leg.shelf == shelf)

    def examined(self, present: set[str]) -> SuperblocksRead:
        """What an agent reports of the legs on shelves that answer."""
        legs = (
            ExaminedLeg(leg.shelf, leg.shelf, True, leg.superblock(self.legs), generation=leg.generation or None)
            if leg.shelf in present
            else ExaminedLeg(leg.shelf, leg.shelf, False)
            for leg in self.legs
        )
        return SuperblocksRead("the mirror", "", tuple(legs))

    def assemble(self, present: set[str], told: tuple[str, ...], *, short: bool) -> Assembly | str:
        """Start from the legs that one is told, or say why not, as md does: it wants all that these legs expect.

        With `short` it starts without. It leaves out a leg that another one calls missing, and one that is older by its
        events. A copy onto one that lags goes on.
        """
        there = [leg for leg in self.legs if leg.shelf in told and leg.shelf in present and leg.array == ARRAY]
        newest = max((leg.events for leg in there), default=0)
        young = [leg for leg in there if leg.events + EVENTS_APART >= newest]
        whole = [leg for leg in young if not leg.recovering]
        fresh = [leg for leg in whole if not any(other.calls_missing(leg) for other in whole)]
        lagging = [leg for leg in young if leg.recovering and not any(one.calls_missing(leg) for one in fresh)]
        used = [*fresh, *lagging]
        lacking = [leg for leg in self.legs if leg not in used and not any(one.calls_missing(leg) for one in fresh)]
        if not fresh or (lacking and not short):
            names = [leg.shelf for leg in lacking if leg not in young]
            return f"md does not start it without {' and '.join(names) or 'a whole leg'}"
        for leg in fresh:
            leg.missing.update(old.shelf for old in self.legs if old not in used)
        for leg in used:
            leg.events += 1
        assembly = Assembly(fresh, rebuilding=lagging)
        for leg in lagging:
            leg.todo |= assembly.read.noted
        if len(fresh) == len(self.legs):
            assembly.doubtful = set(assembly.read.noted)
        return assembly

    def start_by_itself(self, present: set[str]) -> Assembly | str:
        """Do what raid's agent does where no core tells it from which legs: it has the core's function choose."""
        choice = choose(self.examined(present), ())
        if isinstance(choice, Refusal):
            return why_not_start(self.examined(present).array, "", choice)
        return self.assemble(present, choice.legs, short=choice.short)

    def why_not_take_back(self, shelf: str, assembly: Assembly, *, outdated: bool = False) -> str:
        """Why raid's agent does not copy onto a leg: it is no half of this mirror, or was written apart from it."""
        superblocks = {leg.shelf: found for leg in self.legs if (found := leg.superblock(self.legs)) is not None}
        active = tuple(leg.shelf for leg in assembly.active)
        refusal = why_not_take_back(ARRAY, shelf, active, superblocks, outdated=outdated)
        return refusal.doubt.value.replace("_", " ") if refusal is not None else ""

    def whole(self) -> list[Leg]:
        """The legs that must hold every acknowledged record: no superblock calls them missing, and none lags."""
        called = {shelf for leg in self.legs for shelf in leg.missing}
        sound = [leg for leg in self.legs if leg.array == ARRAY and not leg.recovering]
        return [leg for leg in sound if leg.shelf not in called]
