"""What gateways ask of the shelves' reservations and records, and what they are told (R3, R6).

An address that is prompt is asked at once. One that the gateway does not reach, or that is silent, is asked for as long
as the task may last. With an address that is slow, or to which frames get lost, an exchange takes its time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from aoeha.core.model.events import TaskDone
from aoeha.core.model.shelves import Holder, LockRecord, Reservation, SeenRecord
from aoeha.core.model.task import (
    RecordsRead,
    RecordTask,
    ReservationsRead,
    ReservationTask,
    TaskKind,
    TaskResult,
)
from aoeha.sim.world.exchange import Act, Asker, Exchange, is_prompt
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.services import Services
from aoeha.sim.world.shelf import Address, Answer
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import Storage
from aoeha.wire.keys import Key
from aoeha.wire.lock_record import pack, unpack

__all__ = ["Holds"]

READING_SHARE, CHANGE_SHARE = 0.8, 0.3
"""Of a task's time for each question (aoeha.fabric.aoe.reservations, .records)."""

Ended = Callable[[TaskDone], None]


@dataclass(slots=True, eq=False)
class Round:
    """One task: what was told of addresses, in their order, and of how many that is yet to come.

    `silent`: an address does not answer at all, and is asked until the deadline.
    """

    machine: Gateway
    task: ReservationTask | RecordTask
    ended: Ended
    told: dict[int, Reservation | SeenRecord] = field(default_factory=dict)
    open: int = 0
    silent: bool = False
    renewed: bool = False
    expired: tuple[str, ...] = ()
    over: bool = False


class Holds:
    """Answers the shelf tasks of both gateways."""

    def __init__(self, stage: Stage, storage: Storage, services: Services) -> None:
        self._stage = stage
        self._storage = storage
        self._services = services

    def ask(
        self, machine: Gateway, task: ReservationTask | RecordTask, waits: Callable[[], bool], ended: Ended
    ) -> None:
        """Ask now. `ended` is told how it ends; nothing more is asked when nobody `waits` any more."""
        storage, asked = self._storage, Round(machine, task, ended)
        names = [task.subject] if task.subject in storage.shelves else list(storage.shelves)
        legs = next(group.legs for group in machine.config.groups if group.name == task.group)
        named = {address for leg in legs for address in leg.addresses}
        shelves = [(name, storage.shelves[name]) for name in names]
        places = [(name, a) for name, shelf in shelves for a in shelf.addresses[task.group] if a.name in named]
        changes = isinstance(task, ReservationTask) and task.kind is not TaskKind.READ_RESERVATIONS
        share = CHANGE_SHARE if changes else READING_SHARE
        asker = Asker(machine, int(share * task.deadline_ms), waits)
        for place, (leg, address) in enumerate(places):
            if not is_prompt(storage.san, machine.name, address):
                asked.open += 1
                self._begin(asked, place, leg, Exchange(self._stage, storage.san, asker, address))
            elif waits() and address.answers and storage.reaches(machine, address.name):
                asked.told[place] = self._at_once(machine, task, leg, address)
            else:
                asked.silent = True
        self._renew(asked)
        if asked.silent or asked.open:
            self._stage.timeline.after(task.deadline_ms, machine.by_kernel, self._time_is_up, asked)
        else:
            self._stage.timeline.after(0, machine.by_kernel, self._end, asked)

    def _at_once(
        self, machine: Gateway, task: ReservationTask | RecordTask, leg: str, address: Address
    ) -> Reservation | SeenRecord:
        """Ask an address that is prompt."""
        if isinstance(task, RecordTask):
            answer = self._record_act(machine, task, leg, address)()
            return self._seen(machine, task, leg, address, answer)
        act = self._change(machine, task, leg, address, _holder(machine, address.holders))
        if act is not None:
            act()
        return self._shown(machine, task, leg, address, address.holders)

    def _begin(self, asked: Round, place: int, leg: str, exchange: Exchange) -> None:
        """Ask an address that is slow, or to which frames get lost."""
        if isinstance(asked.task, RecordTask):
            act = self._record_act(asked.machine, asked.task, leg, exchange.address)
            exchange.ask(act, partial(self._learn_record, asked, place, leg, exchange))
        else:
            exchange.ask(exchange.address.read_reservation, partial(self._learn_holder, asked, place, leg, exchange))

    def _learn_record(self, asked: Round, place: int, leg: str, exchange: Exchange, answer: Answer | None) -> None:
        if answer is not None and isinstance(asked.task, RecordTask):
            asked.told[place] = self._seen(asked.machine, asked.task, leg, exchange.address, answer)
        self._settle(asked)

    def _learn_holder(self, asked: Round, place: int, leg: str, exchange: Exchange, answer: Answer | None) -> None:
        """Change what is to be changed now that its holder is known."""
        if answer is None or not isinstance(asked.task, ReservationTask):
            self._settle(asked)
            return
        act = self._change(asked.machine, asked.task, leg, exchange.address, _holder(asked.machine, answer.holders))
        learn = partial(self._learn_what_is_now, asked, place, leg, exchange)
        if act is None:
            learn(answer)
        else:
            exchange.ask(act, partial(self._read_back, exchange, learn))

    def _read_back(self, exchange: Exchange, learn: Callable[[Answer | None], None], _: Answer | None) -> None:
        exchange.ask(exchange.address.read_reservation, learn)

    def _learn_what_is_now(self, asked: Round, place: int, leg: str, exchange: Exchange, answer: Answer | None) -> None:
        if answer is not None and isinstance(asked.task, ReservationTask):
            told = self._shown(asked.machine, asked.task, leg, exchange.address, answer.holders)
            asked.told[place] = replace(told, took_ms=exchange.took_ms)
            self._renew(asked)
        self._settle(asked)

    def _settle(self, asked: Round) -> None:
        asked.open -= 1
        if not asked.open and not asked.silent:
            self._end(asked)

    def _time_is_up(self, asked: Round) -> None:
        """The daemon kills a task that is not done by now."""
        if asked.open and not asked.over:
            asked.over = True
            asked.ended(TaskDone(0, asked.task.id, TaskResult.TIMED_OUT))
        else:
            self._end(asked)

    def _end(self, asked: Round) -> None:
        if asked.over:
            return
        asked.over = True
        task, told = asked.task, [asked.told[place] for place in sorted(asked.told)]
        if isinstance(task, RecordTask):
            records = tuple(seen for seen in told if isinstance(seen, SeenRecord))
            asked.ended(TaskDone(0, task.id, TaskResult.OK, outcome=RecordsRead(records)))
            return
        holds = tuple(hold for hold in told if isinstance(hold, Reservation))
        asked.ended(TaskDone(0, task.id, TaskResult.OK, outcome=ReservationsRead(holds, asked.expired)))

    def _renew(self, asked: Round) -> None:
        """Prolong the lives of addresses, once: where nothing else is asked for, or a leg shows that it is held."""
        renewal = asked.task.renewal if isinstance(asked.task, ReservationTask) else None
        if renewal is None or asked.renewed:
            return
        ours = {hold.leg for hold in asked.told.values() if isinstance(hold, Reservation) and hold.holder is Holder.US}
        if renewal.vouching is None or ours.intersection(renewal.vouching):
            asked.renewed = True
            renew = partial(self._services.renew, asked.machine, lifetime_ms=renewal.lifetime_ms)
            asked.expired = tuple(name for name in renewal.addresses if not renew(name))

    def _change(self, machine: Gateway, task: ReservationTask, leg: str, address: Address, shown: Holder) -> Act | None:
        """What a task has an address do that shows this holder, if anything."""
        me, peer = machine.name, machine.config.peer
        forces = task.kind is TaskKind.PREEMPT and shown is task.expected
        if task.kind is TaskKind.READ_RESERVATIONS or not (forces or shown in (Holder.NOBODY, Holder.US)):
            return None
        if forces:
            self._stage.count("reservation", "forced")
            self._stage.tell(Observer.preempting, machine, task.group, address.name)
            return partial(self._carry_out, machine, leg, partial(address.force_reservation, me, (me,)))
        if task.kind is TaskKind.TRANSFER:
            self._stage.tell(Observer.transferring, machine, task.group)
            return partial(self._carry_out, machine, leg, partial(address.set_reservation, me, (peer,)))
        return partial(self._carry_out, machine, leg, partial(address.set_reservation, me, (me,)))

    def _carry_out(self, machine: Gateway, leg: str, act: Act) -> Answer | None:
        """Do it, and once more later where a switch repeats frames, whatever has become of who asked."""
        repeat_ms = self._storage.san.repeats_ms.get(machine.name, 0)
        if repeat_ms:
            self._stage.count("reservation", "repeated")
            self._stage.timeline.after(repeat_ms, self._repeat, leg, act)
        return act()

    def _repeat(self, leg: str, act: Act) -> None:
        self._storage.disturbed([leg])
        act()

    def _shown(
        self, machine: Gateway, task: ReservationTask, leg: str, address: Address, holders: tuple[str, ...]
    ) -> Reservation:
        """What an address shows, and on which interfaces its shelf answers a machine, and on which it does not."""
        every, holder = self._storage.san.interfaces, _holder(machine, holders)
        if task.kind is not TaskKind.READ_RESERVATIONS or len(every) == 1:
            return Reservation(leg, address.name, holder)
        heard = self._storage.san.heard_on(machine.name, leg)
        return Reservation(leg, address.name, holder, heard, tuple(one for one in every if one not in heard))

    def _record_act(self, machine: Gateway, task: RecordTask, leg: str, address: Address) -> Act:
        if task.record is None:
            return address.read_config
        self._stage.tell(Observer.record_writing, machine, task.group, task.record)
        key = machine.record_key()
        line = machine.speech.record(pack(task.record, machine.config.cluster, task.group, key), key)
        return partial(self._carry_out, machine, leg, partial(address.set_config, line, force=True))

    def _seen(
        self, machine: Gateway, task: RecordTask, leg: str, address: Address, answer: Answer | None
    ) -> SeenRecord:
        cluster, keys = machine.config.cluster, machine.speech.keys
        record = _unpacked(answer.string, cluster, task.group, keys) if answer is not None else None
        wanted = machine.name if task.own else machine.config.peer
        return SeenRecord(leg, address.name, record if record is not None and record.owner == wanted else None)


@lru_cache(maxsize=256)
def _unpacked(string: bytes, cluster: str, group: str, keys: tuple[Key, ...]) -> LockRecord | None:
    """What a record says: the same one is read each second by both machines on every address."""
    return unpack(string, cluster, group, keys)


def _holder(machine: Gateway, holders: tuple[str, ...]) -> Holder:
    known = {(): Holder.NOBODY, (machine.name,): Holder.US, (machine.config.peer,): Holder.PEER}
    return known.get(holders, Holder.STRANGER)
