"""What each daemon has asked of its legs, and what it was answered: nothing is judged here.

A reading counts from the moment at which it was begun: one that waited longer than a later one tells nothing against
that. A leg answers a reading if one address of it does. Times are those of the clock of the node that asks.
"""

from bisect import insort
from dataclasses import dataclass, field

from aoeha.core.model.beat import Beat
from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.shelves import LockRecord
from aoeha.core.model.task import RecordsRead, RecordTask, ReservationsRead, ReservationTask, Task, TaskKind
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["LegReads", "Notes"]

CHANGES = (TaskKind.RESERVE, TaskKind.PREEMPT, TaskKind.TRANSFER)


@dataclass(slots=True)
class Notes:
    """What one daemon knows of one leg.

    `answered_ms` and `asked_ms`: when the last reading was begun that the leg answered, and the last one at all.
    `unanswered` are those since the leg answered, in the order in which they were begun: a patient one ends late.
    `changed_ms`: when its last act on the leg ended.
    """

    answered_ms: int | None = None
    asked_ms: int | None = None
    unanswered: list[int] = field(default_factory=list)
    changed_ms: int | None = None


class LegReads(Judge):
    """Notes for each node, group and leg.

    `moved_ms` tells of each node when it last began to read a record of its peer that had changed. A record that is
    older than the newest one that it read of that boot is none: a switch may repeat it long after its gateway is dead.
    `records_ms` tells of each node and group when it last began to read the records, answered or not.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._legs: dict[tuple[str, str, str], Notes] = {}
        self._begun_ms: dict[tuple[str, int], int] = {}
        self._records: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._newest_ms: dict[tuple[str, str], int] = {}
        self._overtaken: set[tuple[str, int]] = set()
        self.moved_ms: dict[str, int] = {}
        self.records_ms: dict[tuple[str, str], int] = {}

    def of(self, machine: Gateway, group: str, leg: str) -> Notes:
        """What the present daemon of a node knows of a leg."""
        return self._legs.setdefault((machine.name, group, leg), Notes())

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon knows no reading of the one before it."""
        del memory
        for known in (self._legs, self._begun_ms, self._records, self._newest_ms, self.records_ms):
            for key in [key for key in known if key[0] == machine.name]:
                del known[key]  # type: ignore[arg-type]
        self.moved_ms.pop(machine.name, None)
        self._overtaken = {key for key in self._overtaken if key[0] != machine.name}

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node asks."""
        if isinstance(task, ReservationTask | RecordTask):
            self._begun_ms[machine.name, task.id] = machine.clock_ms()

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A node is answered."""
        begun_ms = self._begun_ms.pop((machine.name, task.id), machine.clock_ms())
        overtaken = (machine.name, task.id) in self._overtaken
        self._overtaken.discard((machine.name, task.id))
        match done.outcome:
            case ReservationsRead() if isinstance(task, ReservationTask) and task.kind in CHANGES:
                self.of(machine, task.group, task.subject).changed_ms = machine.clock_ms()
            case ReservationsRead(reservations=seen):
                self._note_reading(machine, task.group, begun_ms, {one.leg for one in seen})
            case RecordsRead(records=records) if task.kind is TaskKind.READ_RECORDS:
                self.records_ms[machine.name, task.group] = begun_ms
                for one in records:
                    if one.record is not None and not overtaken:
                        self._note_record(machine, one.address, task.group, begun_ms, one.record)
            case _:
                pass

    def _note_reading(self, machine: Gateway, group: str, begun_ms: int, answering: set[str]) -> None:
        config = next(known for known in machine.config.groups if known.name == group)
        for leg in config.legs:
            notes = self.of(machine, group, leg.name)
            notes.asked_ms = max(begun_ms, notes.asked_ms or 0)
            if leg.name in answering:
                notes.answered_ms = max(begun_ms, notes.answered_ms or 0)
                notes.unanswered = [ms for ms in notes.unanswered if ms > begun_ms]
            else:
                if notes.answered_ms is None or begun_ms > notes.answered_ms:
                    insort(notes.unanswered, begun_ms)
                self._forget_records(machine, group, leg.addresses)

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """Records are compared only while no beat comes: what was asked for before is none of them."""
        del link, beat
        self._overtaken |= {key for key in self._begun_ms if key[0] == machine.name}
        if self._records:
            for group in machine.config.groups:
                for leg in group.legs:
                    self._forget_records(machine, group.name, leg.addresses)

    def returned(self, machine: Gateway, since_ms: int) -> None:
        """Nor with what was read before a stall."""
        del since_ms
        for group in machine.config.groups:
            for leg in group.legs:
                self._forget_records(machine, group.name, leg.addresses)

    def _forget_records(self, machine: Gateway, group: str, addresses: tuple[str, ...]) -> None:
        for address in addresses:
            self._records.pop((machine.name, group, address), None)

    def _note_record(self, machine: Gateway, address: str, group: str, begun_ms: int, record: LockRecord) -> None:
        key, stamp = (machine.name, group, address), (record.boot_id, record.stamped_ms)
        boot = machine.name, record.boot_id
        newest_ms = self._newest_ms[boot] = max(record.stamped_ms, self._newest_ms.get(boot, record.stamped_ms))
        if key in self._records and self._records[key] != stamp and record.stamped_ms == newest_ms:
            self.moved_ms[machine.name] = begun_ms
        self._records[key] = stamp
