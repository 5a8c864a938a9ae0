"""Half of a mirror: the records that lie on it, its superblock with md's bitmap, and what a disk may forget of both.

A disk that acknowledges what it has only in memory loses the last of it with its power: records, and what md wrote into
the superblock. An older copy of a disk has an older superblock. An empty disk has none, and another one another
array's.
"""

from dataclasses import dataclass, field

from aoeha.core.model.superblock import Superblock

__all__ = ["ARRAY", "OTHER_ARRAY", "Leg", "Snapshot"]

ARRAY, OTHER_ARRAY = "", "another array"
"""The arrays' UUIDs, as their superblocks name them."""


@dataclass(frozen=True, slots=True)
class Imprint:
    """What a superblock says, `array` None where there is none, and the generation that lies before it (R22)."""

    events: int
    missing: frozenset[str]
    recovering: bool
    write_mostly: bool
    array: str | None
    generation: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a whole disk."""

    imprint: Imprint
    records: frozenset[int]
    overwritten: tuple[tuple[int, int], ...]
    noted: frozenset[int]
    todo: frozenset[int]
    cleared: int
    wholly: bool


@dataclass(slots=True, eq=False)
class Leg:
    """Half of a mirror. `missing` names the shelves that its superblock calls missing, `recovering` that it lags.

    `overwritten` are records that a late write of a former owner destroyed here, and when; `write_mostly` is the mark
    in the superblock by which md reads the other leg. `noted` are the records that its bitmap names: the other leg may
    lack them. `cleared` is the event count at which the bitmap was empty for the last time: md gives a leg with fewer
    events no part of it. `todo` are the records that are yet to be copied onto a leg that lags; `wholly`: all are.
    """

    shelf: str
    records: set[int] = field(default_factory=set)
    events: int = 0
    missing: set[str] = field(default_factory=set)
    recovering: bool = False
    overwritten: dict[int, int] = field(default_factory=dict)
    write_mostly: bool = False
    array: str | None = ARRAY
    generation: int = 0
    noted: set[int] = field(default_factory=set)
    cleared: int = 0
    todo: set[int] = field(default_factory=set)
    wholly: bool = False
    _written_ms: dict[int, int] = field(default_factory=dict)
    _imprints: list[tuple[int, Imprint]] = field(default_factory=list)

    def write(self, record: int, now_ms: int) -> None:
        """A record lands here."""
        self.records.add(record)
        self._written_ms[record] = now_ms

    def overwrite(self, record: int, now_ms: int) -> None:
        """An old write lands where this record lies."""
        if record in self.records:
            self.records.discard(record)
            self.overwritten[record] = now_ms

    def copy_from(self, source: "Leg", records: set[int], now_ms: int) -> None:
        """Have the same here as there, as far as these records go. What is copied is written now."""
        self.records = (self.records - records) | (source.records & records)
        self._written_ms.update(dict.fromkeys(source.records & records, now_ms))
        for record in records & (self.overwritten.keys() | source.overwritten.keys()):
            if record in source.overwritten:
                self.overwritten[record] = source.overwritten[record]
            else:
                del self.overwritten[record]

    def calls_missing(self, other: "Leg") -> bool:
        """Whether its superblock says so."""
        return other.shelf in self.missing

    def superblock(self, legs: list["Leg"]) -> Superblock | None:
        """What lies here, as `mdadm --examine` would show it; None where there is no superblock."""
        if self.array is None:
            return None
        states = "".join("." if self.calls_missing(other) else "A" for other in legs)
        return Superblock(self.shelf, self.array, self.events, legs.index(self), states, self.recovering)

    def keep(self, now_ms: int) -> None:
        """Note what the superblock says from now on."""
        imprint = self._imprint()
        if not self._imprints or self._imprints[-1][1] != imprint:
            self._imprints.append((now_ms, imprint))

    def _imprint(self) -> Imprint:
        missing = frozenset(self.missing)
        return Imprint(self.events, missing, self.recovering, self.write_mostly, self.array, self.generation)

    def snapshot(self) -> Snapshot:
        """Take a copy of the disk."""
        overwritten = tuple(self.overwritten.items())
        noted, todo = frozenset(self.noted), frozenset(self.todo)
        return Snapshot(self._imprint(), frozenset(self.records), overwritten, noted, todo, self.cleared, self.wholly)

    def restore(self, snapshot: Snapshot) -> set[int]:
        """Be that copy again. Return the records that are gone."""
        had = set(self.records)
        self.records, self.overwritten = set(snapshot.records), dict(snapshot.overwritten)
        self.noted, self.todo = set(snapshot.noted), set(snapshot.todo)
        self.cleared, self.wholly = snapshot.cleared, snapshot.wholly
        self._write_imprint(snapshot.imprint)
        return had - self.records

    def lose(self, since_ms: int) -> set[int]:
        """Forget what was written since then. Return the records that are gone."""
        lost = {record for record in self.records if self._written_ms.get(record, 0) > since_ms}
        self.records -= lost
        self.noted -= lost
        earlier = [imprint for at_ms, imprint in self._imprints if at_ms <= since_ms]
        if earlier:
            self._write_imprint(earlier[-1])
        return lost

    def become(self, array: str | None) -> set[int]:
        """Be a disk without a superblock, or a leg of another array. Return the records that are gone."""
        nothing = Imprint(0, frozenset(), recovering=False, write_mostly=False, array=array, generation=0)
        return self.restore(Snapshot(nothing, frozenset(), (), frozenset(), frozenset(), 0, wholly=False))

    def _write_imprint(self, imprint: Imprint) -> None:
        self.events, self.missing, self.recovering = imprint.events, set(imprint.missing), imprint.recovering
        self.write_mostly, self.array = imprint.write_mostly, imprint.array
        self.generation = imprint.generation
