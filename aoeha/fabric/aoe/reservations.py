"""Reads and changes the reservations of a group's legs, as the core's tasks ask (R3).

A leg has several addresses when its shelf is dual-homed. Each keeps a reservation of its own. Each is asked on every
storage interface at once, and the first answer counts. The report leaves out addresses that do not answer in time.
This file decides nothing: it forces a change only where the address shows the holder that the task expects.

Nobody waits for the other interfaces' answers: a reading tells on which of them the reading before it was answered.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.task import ReservationTask, TaskKind
from aoeha.fabric.aoe.client import AoeClient, NoAnswerError, RefusedError, TargetAddress
from aoeha.fabric.aoe.places import Places, Question, ask_all, first_answer, first_of, usable

__all__ = ["Hosts", "LegHolds"]

ANSWER_SHARE = 0.4
"""Of a task's time for each question: a change is followed by a reading, and a report must come before the deadline."""


Owners = tuple[bytes, ...]


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

    async def perform(self, task: ReservationTask) -> tuple[Reservation, ...]:
        """Execute a task and report every address that answered. AoeError when no interface can be used."""
        legs = self._targets[task.group]
        if task.kind is TaskKind.READ_RESERVATIONS and len(self._interfaces) > 1:
            return await self._read(task, legs)
        names = legs if task.kind is TaskKind.READ_RESERVATIONS else [task.subject]
        interfaces = usable(self._interfaces)
        async with AoeClient(interfaces) as client:
            asked = [self._ask(client, task, Places(name, mac, interfaces)) for name in names for mac in legs[name]]
            answers = await asyncio.gather(*asked)
        return tuple(hold for hold in answers if hold is not None)

    async def _read(self, task: ReservationTask, legs: Mapping[str, tuple[bytes, ...]]) -> tuple[Reservation, ...]:
        """Report the first answer of each address as soon as it arrives. The other queries keep running."""
        patience_ms = int(task.deadline_ms * ANSWER_SHARE)
        interfaces = usable(self._interfaces)
        client = await AoeClient(interfaces).__aenter__()
        places = [Places(name, mac, interfaces) for name in legs for mac in legs[name]]
        asked = [ask_all(place, lambda at: client.read_reservation(at, patience_ms)) for place in places]
        finishing = asyncio.create_task(self._finish(client, places, asked))
        self._finishing.add(finishing)
        finishing.add_done_callback(self._finishing.discard)
        answers = await asyncio.gather(*map(first_of, asked))
        return tuple(
            self._with_ways(place, self._hosts.holder(answer[1]))
            for place, answer in zip(places, answers, strict=True)
            if answer is not None
        )

    async def _finish(self, client: AoeClient, places: list[Places], asked: list[list[Question[Owners]]]) -> None:
        """When all queries have ended, record the interfaces on which each address answered, and close the sockets."""
        try:
            for place, questions in zip(places, asked, strict=True):
                answers = await asyncio.gather(*questions)
                heard = frozenset(answer[0].interface for answer in answers if answer is not None)
                self._heard[place.leg, place.mac] = heard
        finally:
            client.close()

    def _with_ways(self, place: Places, holder: Holder) -> Reservation:
        known = self._heard.get((place.leg, place.mac))
        heard = tuple(one for one in self._interfaces if known is not None and one in known)
        unheard = tuple(one for one in self._interfaces if known is not None and one not in known)
        return Reservation(place.leg, place.mac.hex(":"), holder, heard, unheard)

    async def _ask(self, client: AoeClient, task: ReservationTask, places: Places) -> Reservation | None:
        patience_ms = int(task.deadline_ms * ANSWER_SHARE)
        found = await first_answer(places, lambda place: client.read_reservation(place, patience_ms))
        if found is None:
            return None
        place, owners = found
        wanted = self._wanted(task, self._hosts.holder(owners))
        if wanted is not None:
            force = task.kind is TaskKind.PREEMPT and self._hosts.holder(owners) is task.expected
            try:
                owners = await _change(client, place, wanted, force=force, patience_ms=patience_ms)
            except NoAnswerError:
                return None
        return Reservation(places.leg, places.mac.hex(":"), self._hosts.holder(owners))

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


async def _change(
    client: AoeClient, place: TargetAddress, wanted: tuple[bytes, ...], *, force: bool, patience_ms: int
) -> tuple[bytes, ...]:
    """Change a list and return the list that was read back. A refused change is no error: the list shows it."""
    with contextlib.suppress(RefusedError, NoAnswerError):
        await client.reserve(place, wanted, force=force, deadline_ms=patience_ms)
    return await client.read_reservation(place, patience_ms)
