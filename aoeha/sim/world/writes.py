"""Records on their way: from a client to the gateway that serves it, and from that kernel to the legs of its mirror.

A record is acknowledged when every leg that the kernel uses has it and has said so. The kernel's driver repeats a frame
that is not answered, for as long as its machine is alive. An error of the last leg is an error for the client, and
nothing more is written before the volume is started anew. A slow shelf comes to a frame when half of its time is over,
whatever became of the sender meanwhile, and its errors come as late as its answers. A shelf that hears the driver and
is not heard by it has the record all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

from aoeha.sim.world.client import Peer
from aoeha.sim.world.exchange import is_prompt
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.mirror import Assembly, Leg
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.san import Way
from aoeha.sim.world.services import Services
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import RETRY_MS, Storage

__all__ = ["Writes"]

WRITE_MS = (1, 12)
REPEAT_MS = 110
"""The interval at which the driver repeats a frame that is not answered (measured)."""
ADVERT_MS = 1
RETAKE_SLACK_MS = 1_000
"""An owner that did not hear the advert takes a leg back at its next look, and that takes a moment."""


@dataclass(slots=True, eq=False)
class Write:
    """A record on its way from a kernel to the legs that do not have it yet.

    `there_ms` tells when a slow shelf will have answered, `errors` which ones answered with an error.
    """

    group: str
    number: int
    machine: Gateway
    boots: int
    assembly: Assembly
    landed: list[Leg]
    there_ms: dict[str, int] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)


class Sent(Enum):
    """What comes of one frame to a leg."""

    TAKEN = auto()
    SLOW = auto()
    UNHEARD = auto()
    ERROR = auto()


class Writes:
    """What clients and kernels write to the legs of all groups."""

    def __init__(self, stage: Stage, machines: Mapping[str, Gateway], storage: Storage, services: Services) -> None:
        self._stage = stage
        self._machines = machines
        self._storage = storage
        self._services = services
        self._number = 0
        for name, shelf in storage.shelves.items():
            for group, addresses in shelf.addresses.items():
                for address in addresses:
                    address.started = partial(self._announce, name, group)
        for group, client in storage.clients.items():
            stage.timeline.after(client.period_ms, self._client_writes, group)

    def _announce(self, shelf: str, group: str, address: str) -> None:
        """A target has started: every daemon that listens on the storage network hears of it."""
        addresses = self._storage.shelves[shelf].addresses[group]
        if not next(known for known in addresses if known.name == address).holders:
            self._storage.restarted_ms[shelf] = self._stage.timeline.now_ms
            self._stage.tell(Observer.target_started, group, shelf)
        self._stage.tell(Observer.target_announced, group, shelf)
        self._repeat_old(shelf, group)
        for machine in self._machines.values():
            if self._storage.san.joins(machine.name, address, (Way.ANSWERS,)):
                self._stage.timeline.after(ADVERT_MS, machine.hear_target, shelf, address)

    def _repeat_old(self, shelf: str, group: str) -> None:
        """A kernel whose mirror was taken from it has writes out, its own if no client's, and repeats them."""
        storage = self._storage
        for (name, owned), assembly in storage.assemblies.items():
            if owned == group in storage.managed and assembly is not storage.newest[group]:
                machine = self._machines[name]
                leg = next(leg for leg in storage.mirrors[group].legs if leg.shelf == shelf)
                write = Write(group, 0, machine, machine.boots, assembly, [leg])
                delay_ms = self._stage.random.randrange(REPEAT_MS)
                self._stage.timeline.after(delay_ms, machine.by_kernel, self._old_write_lands, write)

    def _old_write_lands(self, write: Write) -> None:
        """It lands again and again, until the target is reserved."""
        machine, (leg,) = write.machine, write.landed
        if self._is_there(write) and leg in write.assembly.active and self._takes(leg, write):
            self._lands(leg, write)
            self._stage.timeline.after(REPEAT_MS, machine.by_kernel, self._old_write_lands, write)

    def _is_there(self, write: Write) -> bool:
        """Whether the kernel that sent it still has that mirror."""
        machine = write.machine
        same = machine.alive and machine.boots == write.boots
        return same and self._storage.assemblies.get((machine.name, write.group)) is write.assembly

    def _lands(self, leg: Leg, write: Write) -> None:
        """A write changes a leg; a former owner's destroys what the new one has written there since."""
        storage, group = self._storage, write.group
        foreign = write.assembly is not storage.newest[group]
        if foreign and group in storage.managed:
            newest = max(storage.acknowledged[group], default=0)
            if newest > write.number:
                leg.overwrite(newest, self._stage.timeline.now_ms)
        forgotten = self._has_forgotten(leg.shelf, group)
        self._stage.tell(Observer.write_landed, write.machine, group, foreign=foreign, forgotten=forgotten)

    def _has_forgotten(self, shelf: str, group: str) -> bool:
        """Whether a shelf restarted under the newest owner, which is gone for good or had no time to take it back."""
        storage = self._storage
        restarted_ms, (owner, _) = storage.restarted_ms.get(shelf, 0), storage.started[group]
        started_ms, there_ms = storage.owner_times_ms(group)
        had_ms = self._stage.timeline.now_ms - max(restarted_ms, there_ms)
        gone = storage.assemblies.get((owner.name, group)) is not storage.newest[group]
        return restarted_ms > started_ms and (gone or had_ms <= owner.config.hold_every_ms + RETAKE_SLACK_MS)

    def _client_writes(self, group: str) -> None:
        storage, now_ms = self._storage, self._stage.timeline.now_ms
        client = storage.clients[group]
        self._stage.timeline.after(client.period_ms, self._client_writes, group)
        if client.waits(now_ms):
            return
        serving = [machine.name for machine in self._machines.values() if machine.serves(group)]
        answering = [name for name in serving if not storage.reach[name].cut]
        machine = self._machines.get(client.address_of(answering, now_ms))
        if machine is None or machine.name not in answering:
            client.unanswered(now_ms)
            self._stage.count("client", "no answer")
            return
        if machine.spoilt.intersection(self._stage.resources[group]):
            self._stage.count("client", "error")
            return
        if client.answered(Peer(machine.name, machine.boots), now_ms):
            self._stage.count("client", "session reset")
        self._number += 1
        delay_ms = self._stage.random.randint(*WRITE_MS)
        assembly = storage.assemblies[machine.name, group]
        write = Write(group, self._number, machine, machine.boots, assembly, [])
        queue_ms = storage.san.queue_ms.get(machine.name, 0)
        if queue_ms:
            self._stage.timeline.after(delay_ms + queue_ms, self._leaves_the_queue, write)
        else:
            self._stage.timeline.after(delay_ms, machine.by_kernel, self._send, write)

    def _leaves_the_queue(self, write: Write) -> None:
        """Frames that a switch has kept go on to the shelves, though their sender may be gone by now."""
        machine = write.machine
        if machine.alive and machine.boots == write.boots:
            machine.by_kernel(self._send, write)
            return
        for leg in write.assembly.members:
            if self._takes(leg, write):
                leg.write(write.number, self._stage.timeline.now_ms)
                self._lands(leg, write)

    def _send(self, write: Write) -> None:
        """A kernel sends a record to the legs that lack it, until all have it, unless its mirror is gone by now."""
        if not self._is_there(write):
            return
        storage, machine, assembly = self._storage, write.machine, write.assembly
        assembly.note(write.number)
        writable = [leg for leg in assembly.active if self._takes(leg, write) and not self._fails(leg)]
        for leg in assembly.members:
            sent = Sent.TAKEN if leg in write.landed else self._send_to(leg, write)
            if sent is Sent.ERROR and assembly.active == [leg]:
                self._services.spoil(machine, write.group)
                self._stage.count("client", "error")
                return
            if sent is not Sent.TAKEN and assembly.did_not_take(
                leg,
                self._stage.timeline.now_ms,
                alone=writable in ([], [leg]),
                error=sent is Sent.ERROR,
                hurried_ms=storage.hurried_ms.get(machine.name, 0),
            ):
                storage.kick(machine, write.group, leg)
        if all(leg in write.landed for leg in assembly.members):
            storage.acknowledge(assembly, write.group, write.number)
            return
        now_ms = self._stage.timeline.now_ms
        pauses_ms = [max(there_ms - now_ms, 1) for there_ms in write.there_ms.values()]
        self._stage.timeline.after(min((RETRY_MS, *pauses_ms)), machine.by_kernel, self._send, write)

    def _send_to(self, leg: Leg, write: Write) -> Sent:
        """Send one frame to a leg, by each address that leads there."""
        if leg.shelf in write.there_ms:
            return Sent.SLOW
        if leg.shelf in write.errors:
            write.errors.remove(leg.shelf)
            return Sent.ERROR
        if self._is_prompt(leg, write):
            heard, takes_ms = self._takes(leg, write), 0
            if not heard:
                return Sent.UNHEARD
        else:
            ways = self._ways(leg, write)
            heard = any(is_heard for is_heard, _ in ways)
            takes_ms = min((ms for is_heard, ms in ways if is_heard is heard), default=0)
            if not ways:
                return Sent.UNHEARD
        if takes_ms:
            self._send_slowly(leg, write, takes_ms, heard=heard)
            return Sent.SLOW
        if self._fails(leg):
            return Sent.ERROR if heard else Sent.UNHEARD
        return self._has_it(leg, write, heard=heard)

    def _has_it(self, leg: Leg, write: Write, *, heard: bool) -> Sent:
        leg.write(write.number, self._stage.timeline.now_ms)
        if heard:
            write.landed.append(leg)
            write.assembly.answered(leg)
        self._lands(leg, write)
        return Sent.TAKEN if heard else Sent.UNHEARD

    def _is_prompt(self, leg: Leg, write: Write) -> bool:
        addresses = self._storage.shelves[leg.shelf].addresses[write.group]
        return all(is_prompt(self._storage.san, write.machine.name, address) for address in addresses)

    def _ways(self, leg: Leg, write: Write) -> list[tuple[bool, int]]:
        """Of each address at which a frame of this moment lands: whether its answer is heard, and how long it takes."""
        node, san, random = write.machine.name, self._storage.san, self._stage.random
        addresses = self._storage.shelves[leg.shelf].addresses[write.group]
        lands = [a for a in addresses if a.admits(node) and san.passes(node, a.name, Way.REQUESTS)]
        return [(san.passes(node, a.name, Way.ANSWERS), a.takes_ms(random)) for a in lands]

    def _send_slowly(self, leg: Leg, write: Write, takes_ms: int, *, heard: bool) -> None:
        arrives_ms = takes_ms // 2
        write.there_ms[leg.shelf] = self._stage.timeline.now_ms + takes_ms
        self._stage.timeline.after(arrives_ms, self._arrives_slowly, leg, write, takes_ms - arrives_ms, heard)

    def _arrives_slowly(self, leg: Leg, write: Write, back_ms: int, heard: bool) -> None:
        """A slow shelf comes to a frame. A kernel that stopped its mirror meanwhile waited for it before."""
        machine = write.machine
        stopped = machine.alive and machine.boots == write.boots and not self._is_there(write)
        arrives, fails = not stopped and self._storage.hears(machine, write.group, leg.shelf), self._fails(leg)
        if arrives and not fails:
            leg.write(write.number, self._stage.timeline.now_ms)
            self._lands(leg, write)
        self._stage.timeline.after(back_ms, self._answers_slowly, leg, write, heard and arrives, fails)

    def _answers_slowly(self, leg: Leg, write: Write, heard: bool, fails: bool) -> None:
        del write.there_ms[leg.shelf]
        if heard and fails:
            write.errors.add(leg.shelf)
        elif heard:
            write.landed.append(leg)
            write.assembly.answered(leg)

    def _takes(self, leg: Leg, write: Write) -> bool:
        return self._storage.admits(write.machine, write.group, leg.shelf)

    def _fails(self, leg: Leg) -> bool:
        return self._storage.shelves[leg.shelf].reports_errors
