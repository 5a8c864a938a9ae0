"""A RAID1 of two legs as md keeps it: event counts, who calls whom missing, a bitmap, recovery. It chooses nothing.

Each leg carries a superblock. A kernel that cannot reach a leg for `SILENCE_MAX_MS` kicks it out, unless it was told to
wait for its daemon: it writes into the other's superblock that the leg is missing, and acknowledges without it from
then on. The last leg is never kicked. A leg that was called missing holds old data until it has been recovered. Two
legs that call each other missing were written apart, and nobody can tell which one is right.

A mirror that was not stopped is unclean: what was written last may lie on one leg only, and the first leg, among those
that are not marked to be read last, is copied over the others there.
"""

from dataclasses import dataclass, field

from aoeha.core.model.config import PathTiming
from aoeha.core.model.superblock import Superblock
from aoeha.core.model.task import ExaminedLeg, SuperblocksRead
from aoeha.core.storage.start_choice import Refusal, choose

__all__ = ["PATH_TIMING", "SILENCE_MAX_MS", "Assembly", "Leg", "Mirror"]

SILENCE_MAX_MS = 16_000
"""aoe_deadsecs of 15 plus the second that the driver takes longer (measured); with a ledger it is an hour."""
PATH_TIMING = PathTiming((5_000, 4_000, 3_000, *(2_000,) * 5, 1_000), 10_000, 700, 500, 11_000)
"""What the aoe driver's agent tells of a patience that is overridden."""


@dataclass(slots=True, eq=False)
class Leg:
    """Half of a mirror. `missing` names the shelves that its superblock calls missing, `recovering` that it lags.

    `overwritten` are records that a late write of a former owner destroyed here, and when; `write_mostly` is the mark
    in the superblock by which md reads the other leg.
    """

    shelf: str
    records: set[int] = field(default_factory=set)
    events: int = 0
    missing: set[str] = field(default_factory=set)
    recovering: bool = False
    overwritten: dict[int, int] = field(default_factory=dict)
    write_mostly: bool = False

    def overwrite(self, record: int, now_ms: int) -> None:
        """An old write lands where this record lies."""
        if record in self.records:
            self.records.discard(record)
            self.overwritten[record] = now_ms

    def calls_missing(self, other: "Leg") -> bool:
        """Whether its superblock says so."""
        return other.shelf in self.missing


@dataclass(slots=True, eq=False)
class Assembly:
    """The mirror as one kernel has it started: the legs in use, and since when one of them does not answer.

    `unclean`: a resync is to come, which waits for as long as `freeze_resync` holds.
    """

    active: list[Leg]
    silent_since_ms: dict[str, int] = field(default_factory=dict)
    waits_for_the_daemon: bool = False
    unclean: bool = False
    freeze_resync: bool = False

    @property
    def read(self) -> Leg:
        """The leg that is read while both are not known to be equal, and that a resync takes as correct."""
        return next((leg for leg in self.active if not leg.write_mostly), self.active[0])

    @property
    def records(self) -> set[int]:
        """What can be read of the legs in use, one way or another."""
        return set[int]().union(*(leg.records for leg in self.active))

    def resync(self) -> None:
        """Make all legs in use equal to the one that is read, where they differ."""
        source = self.read
        for leg in self.active:
            differing = {*source.overwritten, *leg.overwritten}
            leg.records = (leg.records - differing) | (source.records & differing)
            leg.overwritten = dict(source.overwritten)
        self.unclean = False

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
        if (waiting and not error) or len(self.active) == 1 or alone:
            return False
        self.evict(leg)
        return True

    def evict(self, leg: Leg) -> None:
        """Continue without a leg: the others' superblocks call it missing."""
        self.active.remove(leg)
        self.silent_since_ms.pop(leg.shelf, None)
        self.unclean = self.unclean and len(self.active) > 1
        for survivor in self.active:
            survivor.missing.add(leg.shelf)
            survivor.events += 1


class Mirror:
    """The legs of one group."""

    def __init__(self, shelves: tuple[str, ...]) -> None:
        self.legs = [Leg(shelf) for shelf in shelves]

    def examined(self, present: set[str]) -> SuperblocksRead:
        """What an agent reports of the legs on shelves that answer."""
        legs = (
            ExaminedLeg(leg.shelf, leg.shelf, True, self.superblock(leg))
            if leg.shelf in present
            else ExaminedLeg(leg.shelf, leg.shelf, False)
            for leg in self.legs
        )
        return SuperblocksRead("the mirror", "", tuple(legs))

    def assemble(self, present: set[str], told: tuple[str, ...], *, short: bool) -> Assembly | str:
        """Start from the legs that one is told, or say why not, as md does: it wants all that these legs expect.

        With `short` it starts without. It leaves out a leg that another one calls missing, and one that lags.
        """
        there = [leg for leg in self.legs if leg.shelf in told and leg.shelf in present]
        whole = [leg for leg in there if not leg.recovering]
        fresh = [leg for leg in whole if not any(other.calls_missing(leg) for other in whole)]
        lacking = [
            leg.shelf for leg in self.legs if leg not in there and not any(one.calls_missing(leg) for one in fresh)
        ]
        if not fresh or (lacking and not short):
            return f"md does not start it without {' and '.join(lacking) or 'a whole leg'}"
        for leg in fresh:
            leg.events += 1
            leg.missing.update(old.shelf for old in self.legs if old not in fresh)
        return Assembly(fresh)

    def start_by_itself(self, present: set[str]) -> Assembly | str:
        """Do what raid's agent does where no core tells it from which legs: it has the core's function choose."""
        choice = choose(self.examined(present), ())
        if isinstance(choice, Refusal):
            return choice.doubt.value.replace("_", " ")
        return self.assemble(present, choice.legs, short=choice.short)

    def superblock(self, leg: Leg) -> Superblock:
        """What lies on a leg, as `mdadm --examine` would show it."""
        states = "".join("." if leg.calls_missing(other) else "A" for other in self.legs)
        return Superblock(leg.shelf, "", leg.events, self.legs.index(leg), states, leg.recovering)

    def recover(self, shelf: str, assembly: Assembly) -> bool:
        """Copy what a leg lacks from the legs in use, and take it in (an operator's `mdadm --re-add`).

        Return whether it was missing.
        """
        leg = next(leg for leg in self.legs if leg.shelf == shelf)
        if leg in assembly.active:
            return False
        source = assembly.read
        leg.records, leg.overwritten = set(source.records), dict(source.overwritten)
        leg.recovering = leg.write_mostly = False
        leg.missing = source.missing - {shelf}
        assembly.active.append(leg)
        for known in assembly.active:
            known.missing.discard(shelf)
        newest = max(known.events for known in assembly.active) + 1
        for known in assembly.active:
            known.events = newest
        return True

    def whole(self) -> list[Leg]:
        """The legs that must hold every acknowledged record: no superblock calls them missing, and none lags."""
        called = {shelf for leg in self.legs for shelf in leg.missing}
        return [leg for leg in self.legs if leg.shelf not in called and not leg.recovering]
