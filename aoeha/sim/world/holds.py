"""What gateways ask of the shelves' reservations, and what they are told (R3).

An address that the gateway does not reach, or that is silent, is asked for as long as the task may last. One that
takes longer than that over its answer is silent for who asks, and did what it was asked all the same.
"""

from functools import lru_cache

from aoeha.core.model.events import TaskDone
from aoeha.core.model.shelves import Holder, LockRecord, Reservation, SeenRecord
from aoeha.core.model.task import RecordsRead, RecordTask, ReservationsRead, ReservationTask, TaskKind, TaskResult
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.services import Services
from aoeha.sim.world.shelf import Address
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import Storage
from aoeha.sim.world.test_key import KEY
from aoeha.wire.lock_record import pack, unpack

__all__ = ["Holds"]


class Holds:
    """Answers the shelf tasks of both gateways."""

    def __init__(self, stage: Stage, storage: Storage, services: Services) -> None:
        self._stage = stage
        self._storage = storage
        self._services = services

    def ask(self, machine: Gateway, task: ReservationTask | RecordTask) -> tuple[TaskDone, int]:
        """Ask now. Return how the task ends, and in how many milliseconds: at the deadline where one is silent."""
        storage = self._storage
        names = [task.subject] if task.subject in storage.shelves else list(storage.shelves)
        legs = next(group.legs for group in machine.config.groups if group.name == task.group)
        named = {address for leg in legs for address in leg.addresses}
        shelves = [(name, storage.shelves[name]) for name in names]
        places = [(name, a) for name, shelf in shelves for a in shelf.addresses[task.group] if a.name in named]
        asked = [
            (n, a, a.takes_ms(self._stage.random)) for n, a in places if a.answers and storage.reaches(machine, a.name)
        ]
        in_time = [waited_ms for _, _, waited_ms in asked if waited_ms <= task.deadline_ms]
        if isinstance(task, RecordTask):
            seen = [(ms, SeenRecord(n, a.name, self._record(machine, task, a))) for n, a, ms in asked]
            records = tuple(record for ms, record in seen if ms <= task.deadline_ms)
            done = TaskDone(0, task.id, TaskResult.OK, outcome=RecordsRead(records))
        else:
            shown = [
                (ms, Reservation(n, a.name, self._act(machine, task, a), *self._ways(machine, task, n)))
                for n, a, ms in asked
            ]
            holds = tuple(hold for ms, hold in shown if ms <= task.deadline_ms)
            renewal, ours = task.renewal, {hold.leg for hold in holds if hold.holder is Holder.US}
            if renewal is not None and (renewal.vouching is None or ours.intersection(renewal.vouching)):
                for name in renewal.addresses:
                    self._services.renew(machine, name, renewal.lifetime_ms)
            done = TaskDone(0, task.id, TaskResult.OK, outcome=ReservationsRead(holds))
        return done, max(in_time, default=0) if len(in_time) == len(places) else task.deadline_ms

    def _act(self, machine: Gateway, task: ReservationTask, address: Address) -> Holder:
        me, peer, shown = machine.name, machine.config.peer, _holder(machine, address)
        match task.kind:
            case TaskKind.RESERVE:
                address.set_reservation(me, (me,))
            case TaskKind.TRANSFER:
                if address.admits(me):
                    self._stage.tell(Observer.transferring, machine, task.group)
                address.set_reservation(me, (peer,))
            case TaskKind.PREEMPT if shown is task.expected:
                self._stage.count("reservation", "forced")
                self._stage.tell(Observer.preempting, machine, task.group, address.name)
                address.force_reservation(me, (me,))
            case TaskKind.PREEMPT:
                address.set_reservation(me, (me,))
            case _:
                pass
        return _holder(machine, address)

    def _ways(self, machine: Gateway, task: ReservationTask, shelf: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """On which interfaces a shelf answers a machine, and on which it does not."""
        every, heard = self._storage.interfaces, self._storage.heard_on(machine, shelf)
        if task.kind is not TaskKind.READ_RESERVATIONS or len(every) == 1:
            return (), ()
        return heard, tuple(one for one in every if one not in heard)

    def _record(self, machine: Gateway, task: RecordTask, address: Address) -> LockRecord | None:
        cluster = machine.config.cluster
        if task.record is not None:
            self._stage.tell(Observer.record_writing, machine, task.group, task.record)
            address.set_config(pack(task.record, cluster, task.group, KEY), force=True)
        answer = address.read_config()
        record = _unpacked(answer.string, cluster, task.group) if answer is not None else None
        return record if record is not None and record.owner == machine.config.peer else None


@lru_cache(maxsize=256)
def _unpacked(string: bytes, cluster: str, group: str) -> LockRecord | None:
    """What a record says: the same one is read each second by both machines on every address."""
    return unpack(string, cluster, group, (KEY,))


def _holder(machine: Gateway, address: Address) -> Holder:
    known = {(): Holder.NOBODY, (machine.name,): Holder.US, (machine.config.peer,): Holder.PEER}
    return known.get(address.holders, Holder.STRANGER)
