"""Reads and changes the reservations of a group's legs, as the core's tasks ask (R3).

A leg has several addresses when its shelf is dual-homed. Each keeps a reservation of its own. Each is asked on every
storage interface at once, and the first answer counts. The report leaves out addresses that do not answer in time.
This file decides nothing: it forces a change only where the address shows the holder that the task expects, and only
within the time of the task: a machine that slept between the two does not know whose the leg is by then.

Nobody waits for the other interfaces' answers: a reading tells on which of them the reading before it was answered.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.task import ReservationTask, TaskKind
from aoeha.fabric.aoe.client import AoeClient, NoAnswerError, RefusedError, TargetAddress
from aoeha.fabric.aoe.places import Places, Question, ask_all, first_answer, first_of, usable
from aoeha.io import clock

__all__ = ["Found", "Hosts", "LegHolds"]

READING_SHARE, CHANGE_SHARE = 0.8, 0.3
"""Of a task's time for each question: a reading is one, a change three, and a report must come before the deadline."""


Owners = tuple[bytes, ...]
Found = Callable[[Reservation], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hosts:
    """The MAC addresses of both gateways' storage interfaces."""

    ours: frozenset[bytes]
    peers: frozenset[bytes]

    def holder(self, owners: Iterable[bytes]) -> Holder:
        """Return the holder of a reservation: a gateway, only when the list is exactly that gateway's own."""
        listed = frozenset(owners)
        if not listed:
            return Holder.NOBODY
        if listed == self.ours:
            return Holder.US
        return Holder.PEER if listed == self.peers else Holder.STRANGER


class LegHolds:
    """Answers the core's tasks about reservations. `targets` maps group and leg to the shelf's MAC addresses."""

    def __init__(
        self, interfaces: tuple[str, ...], hosts: Hosts, targets: Mapping[str, Mapping[str, tuple[bytes, ...]]]
    ) -> None:
        self._interfaces = interfaces
        self._hosts = hosts
        self._targets = targets
        self._heard: dict[tuple[str, bytes], frozenset[str]] = {}
        self._finishing: set[asyncio.Task[None]] = set()

    async def perform(self, task: ReservationTask, found: Found | None = None) -> tuple[Reservation, ...]:
        """Execute a task and report every address that answered. AoeError when no interface can be used.

        `found` is told each of them as soon as it has answered: others may take their time.
        """
        legs, found = self._targets[task.group], found or _tell_nobody
        if task.kind is TaskKind.READ_RESERVATIONS and len(self._interfaces) > 1:
            return await self._read(task, legs, found)
        names = legs if task.kind is TaskKind.READ_RESERVATIONS else [task.subject]
        by_ms, interfaces = clock.now_ms() + task.deadline_ms, usable(self._interfaces)
        async with AoeClient(interfaces, by_ms) as client:
            places = [Places(name, mac, interfaces) for name in names for mac in legs[name]]
            answers = await asyncio.gather(*(_telling(found, self._ask(client, task, place)) for place in places))
        return tuple(hold for hold in answers if hold is not None)

    async def _read(
        self, task: ReservationTask, legs: Mapping[str, tuple[bytes, ...]], found: Found
    ) -> tuple[Reservation, ...]:
        """Report the first answer of each address as soon as it arrives. The other queries keep running."""
        patience_ms = int(task.deadline_ms * READING_SHARE)
        interfaces = usable(self._interfaces)
        client = await AoeClient(interfaces).__aenter__()
        places = [Places(name, mac, interfaces) for name in legs for mac in legs[name]]
        begun_ms = clock.now_ms()
        asked = [ask_all(place, lambda at: client.read_reservation(at, patience_ms)) for place in places]
        finishing = asyncio.create_task(self._finish(client, places, asked))
        self._finishing.add(finishing)
        finishing.add_done_callback(self._finishing.discard)

        async def first(place: Places, questions: list[Question[Owners]]) -> Reservation | None:
            answer = await first_of(questions)
            return None if answer is None else self._with_ways(place, self._hosts.holder(answer[1]), begun_ms)

        firsts = (_telling(found, first(place, each)) for place, each in zip(places, asked, strict=True))
        return tuple(hold for hold in await asyncio.gather(*firsts) if hold is not None)

    async def _finish(self, client: AoeClient, places: list[Places], asked: list[list[Question[Owners]]]) -> None:
        """When all queries have ended, record the interfaces on which each address answered, and close the sockets."""
        try:
            for place, questions in zip(places, asked, strict=True):
                answers = await asyncio.gather(*questions)
                heard = frozenset(answer[0].interface for answer in answers if answer is not None)
                self._heard[place.leg, place.mac] = heard
        finally:
            client.close()

    def _with_ways(self, place: Places, holder: Holder, begun_ms: int) -> Reservation:
        known = self._heard.get((place.leg, place.mac))
        heard = tuple(one for one in self._interfaces if known is not None and one in known)
        unheard = tuple(one for one in self._interfaces if known is not None and one not in known)
        return Reservation(place.leg, place.mac.hex(":"), holder, heard, unheard, clock.now_ms() - begun_ms)

    async def _ask(self, client: AoeClient, task: ReservationTask, places: Places) -> Reservation | None:
        share = READING_SHARE if task.kind is TaskKind.READ_RESERVATIONS else CHANGE_SHARE
        patience_ms, begun_ms = int(task.deadline_ms * share), clock.now_ms()
        found = await first_answer(places, lambda place: client.read_reservation(place, patience_ms))
        if found is None:
            return None
        took_ms = clock.now_ms() - begun_ms
        place, owners = found
        wanted = self._wanted(task, self._hosts.holder(owners))
        if wanted is not None:
            force = task.kind is TaskKind.PREEMPT and self._hosts.holder(owners) is task.expected
            try:
                owners = await _change(client, place, wanted, force=force, patience_ms=patience_ms)
            except NoAnswerError:
                return None
        return Reservation(places.leg, places.mac.hex(":"), self._hosts.holder(owners), took_ms=took_ms)

    def _wanted(self, task: ReservationTask, shown: Holder) -> tuple[bytes, ...] | None:
        """Return the list that an address should get, None to leave it unchanged."""
        ours, peers = tuple(sorted(self._hosts.ours)), tuple(sorted(self._hosts.peers))
        match task.kind:
            case TaskKind.RESERVE if shown in (Holder.NOBODY, Holder.US):
                return ours
            case TaskKind.PREEMPT if shown in (Holder.NOBODY, Holder.US, task.expected):
                return ours
            case TaskKind.TRANSFER if shown in (Holder.NOBODY, Holder.US):
                return peers
            case _:
                return None


async def _tell_nobody(_: Reservation) -> None:
    pass


async def _telling(found: Found, asked: Awaitable[Reservation | None]) -> Reservation | None:
    hold = await asked
    if hold is not None:
        await found(hold)
    return hold


async def _change(
    client: AoeClient, place: TargetAddress, wanted: tuple[bytes, ...], *, force: bool, patience_ms: int
) -> tuple[bytes, ...]:
    """Change a list and return the list that was read back. A refused change is no error: the list shows it."""
    with contextlib.suppress(RefusedError, NoAnswerError):
        await client.reserve(place, wanted, force=force, deadline_ms=patience_ms)
    return await client.read_reservation(place, patience_ms)
