"""The two shelves of the exhaustive search: the holder and stamp of each leg, and which node is cut off from which.

Where the group is a mirror, this includes what lies on its legs (aoeha.sim.exhaust.mirror) and what happens to that.

A target does what vblade does (aoeha.sim.world.shelf). The holder may name the next holder, and any node may where
there is none. Force takes a leg from any holder, and a restart empties the reservation. Everything that a task asks of
the shelves happens at one moment. Adverts of restarted targets are lost here: the next reading, a tick later at most,
has to be enough.

What is lost: of a stamp only remains that it moved since the other node read it, and of which boot it is. A gateway's
kernel writes wherever it is not kept out, at any time, for as long as its storage counts as started.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from aoeha.core.model.config import LegConfig
from aoeha.core.model.shelves import Holder, LockRecord, Reservation, SeenRecord
from aoeha.core.model.task import (
    LegTask,
    Observed,
    Outcome,
    PlugRead,
    PlugState,
    PowerTask,
    RecordsRead,
    RecordTask,
    ReservationsRead,
    ReservationTask,
    ResourceStatus,
    ResourceTask,
    SuperblocksRead,
    SuperblockTask,
    Task,
    TaskKind,
    TaskResult,
)
from aoeha.sim.exhaust.mirror import Disks

__all__ = [
    "LEGS", "LOOKS", "MIRROR_KINDS", "NODES", "SHELF_KINDS", "SILENCE", "Answer", "Effect", "Leg", "Shelves",
    "canonical_task", "told",
]  # fmt: skip

LEGS = tuple(LegConfig(name, (f"{name}/1",), durable=True) for name in ("leg1", "leg2"))
SHELF_KINDS = (
    TaskKind.READ_RESERVATIONS, TaskKind.RESERVE, TaskKind.PREEMPT, TaskKind.TRANSFER,
    TaskKind.READ_RECORDS, TaskKind.WRITE_RECORD,
)  # fmt: skip
MIRROR_KINDS = (
    TaskKind.START, TaskKind.PROBE, TaskKind.MONITOR, TaskKind.READ_SUPERBLOCKS, TaskKind.EVICT_LEG,
    TaskKind.RETURN_LEG,
)  # fmt: skip
"""What is asked of a mirror, where the resource is one."""
LOOKS = (
    TaskKind.READ_RESERVATIONS, TaskKind.READ_RECORDS, TaskKind.WRITE_RECORD, TaskKind.PROBE, TaskKind.MONITOR,
    TaskKind.READ_SUPERBLOCKS,
)  # fmt: skip
"""What changes neither reservations nor a mirror."""
NODES = ("alpha", "beta")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the shelves, or the mirror on them, said to a task."""

    holds: tuple[Reservation, ...] = ()
    records: tuple[SeenRecord, ...] = ()
    result: TaskResult = TaskResult.OK
    status: ResourceStatus | None = None
    missing: tuple[str, ...] = ()
    write_mostly: tuple[str, ...] = ()
    copying: tuple[str, ...] = ()
    superblocks: SuperblocksRead | None = None


SILENCE = Answer()


class Leg(NamedTuple):
    """One leg: its holder's name, empty for nobody; who stamped it last, of which boot, and if that is unread yet.

    `forgotten`: its target restarted, and no node has reserved it since.
    """

    holder: str = ""
    owner: str = ""
    boot_id: str = ""
    moved: bool = False
    forgotten: bool = False

    def admits(self, node: str) -> bool:
        """Whether writes of a node that reaches it land."""
        return self.holder in ("", node)

    def held_by(self, node: str) -> "Leg":
        """The leg with this holder."""
        return self._replace(holder=node, forgotten=False)


class Effect(NamedTuple):
    """What a task did to the shelves, and their answer.

    `forced` names the places of legs that it took by force, `stale` those that lack acknowledged writes although a
    mirror was started from them.
    """

    shelves: "Shelves"
    answer: Answer
    forced: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()


class Shelves(NamedTuple):
    """Both legs, the ways that are cut: a bit for each node and leg, and what lies on the legs."""

    legs: tuple[Leg, ...] = tuple(Leg() for _ in LEGS)
    cut: int = 0
    disks: Disks = Disks()

    def reaches(self, index: int, place: int) -> bool:
        """Whether frames of a node come to a leg and its answers back."""
        return not self.cut & _way(index, place)

    def lands(self, index: int) -> bool:
        """Whether writes of a node would land on a leg whose target still has its reservation (M1)."""
        return any(
            leg.admits(NODES[index]) and not leg.forgotten and self.reaches(index, place)
            for place, leg in enumerate(self.legs)
        )

    def lands_in_mirror(self, index: int) -> bool:
        """The same of a node that writes only to the legs of its mirror."""
        members = self.disks.assemblies[index].members
        return any(place in members and not self.legs[place].forgotten for place in self.takes(index))

    def takes(self, index: int) -> tuple[int, ...]:
        """The places of the legs that read and write for a node."""
        return tuple(
            place for place, leg in enumerate(self.legs) if leg.admits(NODES[index]) and self.reaches(index, place)
        )

    def written(self, writers: tuple[bool, ...], present: tuple[bool, ...]) -> "Shelves":
        """What the shelves come to when every kernel that runs writes, and those that are gone have let go.

        What lands on a leg whose target lost its reservation counts as unacknowledged (M1).
        """
        disks = self.disks
        for index, (writes, there) in enumerate(zip(writers, present, strict=True)):
            takes = tuple(place for place in self.takes(index) if not self.legs[place].forgotten)
            if not there:
                disks = disks.stopped(index)
            elif writes:
                disks = disks.written(index, takes)
        return self if disks is self.disks else self._replace(disks=disks)

    def copied(self, index: int) -> "Shelves | None":
        """What the shelves come to when a node's mirror is whole again, None if it copies nothing, or can't."""
        disks = self.disks.copied(index, self.takes(index))
        return None if disks is None else self._replace(disks=disks)

    def silences(self) -> Iterator[tuple[str, "Shelves"]]:
        """Yield every shelf that may fall silent: to both nodes at once, and answer each again when it likes."""
        for place, leg in enumerate(LEGS):
            cut = _way(0, place) | _way(1, place)
            if not self.cut & cut:
                yield f"the shelf of {leg.name} falls silent", self._replace(cut=self.cut | cut)

    def restarted(self, place: int) -> "Shelves":
        """A target has restarted and remembers nothing."""
        return self._with(place, Leg(forgotten=bool(self.legs[place].holder) or self.legs[place].forgotten))

    def restarts(self) -> Iterator[tuple[str, "Shelves"]]:
        """Yield every target that may restart."""
        for place, leg in enumerate(LEGS):
            yield f"the target of {leg.name} restarts", self.restarted(place)

    def cuts(self) -> Iterator[tuple[str, "Shelves"]]:
        """Yield every path that may be cut: what it is, and the shelves afterwards."""
        for index, name in enumerate(NODES):
            for place, leg in enumerate(LEGS):
                if self.reaches(index, place):
                    yield f"{name} does not reach {leg.name} any more", self._replace(cut=self.cut | _way(index, place))

    def mended(self) -> Iterator[tuple[str, "Shelves"]]:
        """Yield every path that may be repaired."""
        for index, name in enumerate(NODES):
            for place, leg in enumerate(LEGS):
                if not self.reaches(index, place):
                    yield f"{name} reaches {leg.name} again", self._replace(cut=self.cut & ~_way(index, place))

    def perform(self, index: int, task: Task) -> Effect:
        """Let a node's task happen on the legs that it is about and that it reaches."""
        if isinstance(task, ResourceTask | SuperblockTask | LegTask):
            return self._mirror(index, task)
        shelves, holds, records, forced = self, [], [], []
        for place, config in enumerate(LEGS):
            if not self.reaches(index, place) or task.subject not in (config.name, task.group):
                continue
            before = self.legs[place]
            leg = _asked(before, index, task)
            if task.kind is TaskKind.PREEMPT and before.holder == NODES[1 - index] != leg.holder:
                forced.append(place)
            holds.append(Reservation(config.name, config.addresses[0], _shown(leg, index)))
            asked = 1 - index if isinstance(task, RecordTask) and task.own else index
            records.append(SeenRecord(config.name, config.addresses[0], _record(leg, asked)))
            if asked == index and task.kind is TaskKind.READ_RECORDS and leg.owner == NODES[1 - index]:
                leg = leg._replace(moved=False)
            shelves = shelves._with(place, leg)
        if isinstance(task, RecordTask):
            return Effect(shelves, Answer(records=tuple(records)))
        return Effect(shelves, Answer(holds=tuple(holds)), tuple(forced))

    def _mirror(self, index: int, task: ResourceTask | SuperblockTask | LegTask) -> Effect:
        """Let a task happen to a node's mirror."""
        takes, places = self.takes(index), {leg.name: place for place, leg in enumerate(LEGS)}
        disks: Disks | None
        match task:
            case ResourceTask(kind=TaskKind.START):
                legs = tuple(places[name] for name in task.legs)
                disks = self.disks.assembled(index, takes, legs, short=task.short)
            case SuperblockTask():
                found = self.disks.examined(index, takes, tuple(places))
                return Effect(self, Answer(superblocks=found))
            case LegTask(kind=TaskKind.EVICT_LEG):
                disks = self.disks.evicted(index, takes, places[task.leg])
            case LegTask():
                disks = self.disks.taken_back(index, takes, places[task.leg])
            case _:
                return Effect(self, replace(self._seen(index), write_mostly=task.limits.write_mostly))
        if disks is None:
            return Effect(self, Answer(result=TaskResult.FAILED))
        return Effect(self._replace(disks=disks), Answer(), stale=disks.stale(disks.assemblies[index].active))

    def _seen(self, index: int) -> Answer:
        """What a look at a node's mirror tells: legs that are being copied are not missing."""
        missing = tuple(LEGS[place].name for place in self.disks.missing(index))
        assembly = self.disks.assemblies[index]
        if not assembly.active:
            return Answer(status=ResourceStatus.STOPPED)
        whole = len(assembly.active) == len(LEGS)
        copying = tuple(LEGS[place].name for place in assembly.copying)
        status = ResourceStatus.RUNNING if whole else ResourceStatus.DEGRADED
        return Answer(status=status, missing=missing, copying=copying)

    def unread_by(self, index: int) -> "Shelves":
        """What the shelves come to when a node remembers no stamp: whether one has moved means nothing to it."""
        peer = NODES[1 - index]
        if not any(leg.moved and leg.owner == peer for leg in self.legs):
            return self
        return self._replace(legs=tuple(leg._replace(moved=leg.moved and leg.owner != peer) for leg in self.legs))

    def _with(self, place: int, leg: Leg) -> "Shelves":
        return self._replace(legs=(*self.legs[:place], leg, *self.legs[place + 1 :]))


def told(task: Task, answer: Answer, seen: ResourceStatus | None, plug: PlugState | None) -> Outcome | None:
    """Return the outcome of a task: `seen` of a resource, `plug` of a device, or what the shelves answered."""
    match task:
        case ResourceTask() if seen is not None:
            return Observed(seen, answer.missing, (), answer.write_mostly, answer.copying)
        case SuperblockTask():
            return answer.superblocks
        case PowerTask() if plug is not None:
            return PlugRead(plug)
        case ReservationTask():
            return ReservationsRead(answer.holds)
        case RecordTask():
            return RecordsRead(answer.records)
        case _:
            return None


def canonical_task(task: Task) -> Task:
    """Return the part of a task that decides anything."""
    bare = replace(task, reason="", deadline_ms=0)
    return replace(bare, record=canonical_record(bare.record)) if isinstance(bare, RecordTask) else bare


def canonical_record(record: LockRecord | None) -> LockRecord | None:
    """Return what of a stamp decides anything, apart from its movement."""
    return None if record is None else LockRecord(record.owner, record.boot_id, 0, 0, 0)


def _way(index: int, place: int) -> int:
    return 1 << (index * len(LEGS) + place)


def _asked(leg: Leg, index: int, task: Task) -> Leg:
    me, peer = NODES[index], NODES[1 - index]
    match task:
        case ReservationTask(kind=TaskKind.PREEMPT) if _shown(leg, index) is task.expected:
            return leg.held_by(me)
        case ReservationTask(kind=TaskKind.RESERVE | TaskKind.PREEMPT) if leg.admits(me):
            return leg.held_by(me)
        case ReservationTask(kind=TaskKind.TRANSFER) if leg.admits(me):
            return leg.held_by(peer)
        case RecordTask(record=LockRecord() as record):
            return leg._replace(owner=me, boot_id=record.boot_id, moved=True)
        case _:
            return leg


def _shown(leg: Leg, index: int) -> Holder:
    if not leg.holder:
        return Holder.NOBODY
    return Holder.US if leg.holder == NODES[index] else Holder.PEER


def _record(leg: Leg, index: int) -> LockRecord | None:
    """The peer's stamp, later than the last one that was read if it moved."""
    return LockRecord(leg.owner, leg.boot_id, 0, 0, int(leg.moved)) if leg.owner == NODES[1 - index] else None
