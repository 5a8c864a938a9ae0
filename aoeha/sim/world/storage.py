"""Shelves, mirrors and clients of every group, and what kernels write.

A record that a gateway accepted goes to every leg that its kernel uses, and is acknowledged when all of them have it. A
shelf that does not respond lets writes hang. The kernel keeps trying for as long as it is alive, and after
`SILENCE_MAX_MS` continues without that leg. A gateway that was frozen writes when it thaws, whatever its daemon thinks
of that: only a reservation at the shelf keeps it out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from aoeha.core.model.task import MirrorLimits, SuperblocksRead
from aoeha.sim.world.client import Client, Peer
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.mirror import Assembly, Leg, Mirror
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.shelf import Shelf
from aoeha.sim.world.stage import Stage

__all__ = ["SHELVES", "Storage"]

SHELVES = ("shelf1", "shelf2")
WRITE_MS = (1, 12)
RETRY_MS = 200
REPEAT_MS = 110
"""The interval at which the driver repeats a frame that is not answered (measured)."""
RESYNC_AFTER_MS = 5_000
"""How long the agent holds back the resync of an unclean mirror while the service comes up."""
ADVERT_MS = 1
MD_EVENT_MS = 2
RETAKE_SLACK_MS = 1_000
"""An owner that did not hear the advert takes a leg back at its next look, and that takes a moment."""
FOREVER_MS = 1 << 60


@dataclass(slots=True)
class Reach:
    """Whether a gateway is cut off from clients and reference hosts, and since when it is, or is not."""

    cut: bool = False
    since_ms: int = 0


@dataclass(slots=True, eq=False)
class Write:
    """A record on its way from a kernel to the legs that do not have it yet."""

    group: str
    number: int
    machine: Gateway
    boots: int
    assembly: Assembly
    landed: list[Leg]
    there_ms: dict[str, int] = field(default_factory=dict)
    """When a slow shelf will come to it."""


class Storage:
    """The shelves, a mirror on them for every group, and one client each."""

    def __init__(
        self, stage: Stage, machines: Mapping[str, Gateway], *, client_ms: int, paths: int, interfaces: int
    ) -> None:
        self._stage = stage
        self._machines = machines
        groups = tuple(stage.resources)
        self.shelves = {name: Shelf(name, groups, paths) for name in SHELVES}
        self.mirrors = {group: Mirror(SHELVES) for group in groups}
        self.clients = {group: Client(client_ms) for group in groups}
        self.acknowledged: dict[str, set[int]] = {group: set() for group in groups}
        self.served_ms: dict[str, int | None] = dict.fromkeys(groups)
        self.worst_outage_ms = 0
        self.cut: set[tuple[str, str]] = set()
        self.interfaces = tuple(f"eth{number + 1}" for number in range(interfaces))
        self.cut_interfaces: set[tuple[str, str, str]] = set()
        self.queue_ms: dict[str, int] = {}
        self.hurried_ms: dict[str, int] = {}
        """How long the driver of a machine waits that was told to leave silent paths."""
        self.reach = {name: Reach() for name in stage.configs}
        self.blind_until_ms: dict[str, int] = {}
        self.undisturbed_since_ms = dict.fromkeys(SHELVES, 0)
        for name, shelf in self.shelves.items():
            for group, addresses in shelf.addresses.items():
                for address in addresses:
                    address.started = partial(self._announce, name, group)
        self._assemblies: dict[tuple[str, str], Assembly] = {}
        self._newest: dict[str, Assembly] = {}
        self._left_clean: dict[str, bool] = {}
        self._started: dict[str, tuple[Gateway, int]] = {}
        self._restarted_ms: dict[str, int] = {}
        self._number = 0
        any_config = next(iter(stage.configs.values()))
        self._managed = {group.name for group in any_config.groups if group.legs}
        for group in groups:
            stage.timeline.after(client_ms, self._client_writes, group)

    def paths(self, place: str) -> list[str]:
        """The addresses of a shelf, or the one that is named. Raises KeyError or ValueError for none such."""
        name, _, path = place.partition("/")
        addresses = [address.name for address in next(iter(self.shelves[name].addresses.values()))]
        return [addresses[addresses.index(place)]] if path else addresses

    def reaches(self, machine: Gateway, place: str) -> bool:
        """Whether frames of a machine come to a shelf, or to one address of it, and the answers back."""
        if not self.cut and not self.cut_interfaces:
            return True
        by_cable = bool(self.heard_on(machine, place.partition("/")[0]))
        return by_cable and any((machine.name, path) not in self.cut for path in self.paths(place))

    def heard_on(self, machine: Gateway, shelf: str) -> tuple[str, ...]:
        """The interfaces of a machine that lead to a shelf."""
        return tuple(one for one in self.interfaces if (machine.name, one, shelf) not in self.cut_interfaces)

    def cut_clients(self, name: str, *, cut: bool) -> None:
        """Part a gateway from clients and reference hosts, or join it to them; the gateways themselves stay joined."""
        if self.reach[name].cut != cut:
            self.reach[name] = Reach(cut, self._stage.timeline.now_ms)

    def disturbed(self, shelves: Iterable[str] = SHELVES) -> None:
        """Record that something happened to the shelves, or to a path to them."""
        for machine in self._machines.values():
            if not any(shelf.answers and self.reaches(machine, name) for name, shelf in self.shelves.items()):
                self.blind_until_ms[machine.name] = FOREVER_MS
            elif self.blind_until_ms.get(machine.name) == FOREVER_MS:
                self.blind_until_ms[machine.name] = self._stage.timeline.now_ms
        self.undisturbed_since_ms.update(dict.fromkeys(shelves, self._stage.timeline.now_ms))

    def superblocks(self, machine: Gateway, group: str) -> SuperblocksRead:
        """What a machine finds on the legs of a group's mirror."""
        found = self.mirrors[group].examined(self._present(machine))
        running = (machine.name, group) in self._assemblies
        return SuperblocksRead(found.array, found.uuid, running=True) if running else found

    def _present(self, machine: Gateway) -> set[str]:
        return {name for name, shelf in self.shelves.items() if shelf.answers and self.reaches(machine, name)}

    def assemble(self, machine: Gateway, group: str, legs: tuple[str, ...], *, short: bool) -> str:
        """Start a group's mirror on a machine; return why it could not be, empty when it runs.

        It starts from `legs`. Where a group has none that are reserved, it starts by itself.
        """
        if (machine.name, group) in self._assemblies:
            return ""
        mirror, present = self.mirrors[group], self._present(machine)
        managed = group in self._managed
        assembly = mirror.assemble(present, legs, short=short) if managed else mirror.start_by_itself(present)
        if isinstance(assembly, str):
            self._stage.count("mirror", "start refused")
            return assembly
        if len(assembly.active) < len(self.shelves):
            self._stage.count("mirror", "started with a leg missing")
        assembly.waits_for_the_daemon = group in self._managed
        assembly.unclean = not self._left_clean.get(group, True)
        self._left_clean[group] = False
        self._assemblies[machine.name, group] = self._newest[group] = assembly
        if assembly.unclean:
            resync = (machine, machine.boots, group, assembly)
            self._stage.timeline.after(RESYNC_AFTER_MS, machine.by_kernel, self._resync, *resync)
        self._started[group] = (machine, self._stage.timeline.now_ms)
        self._stage.tell(Observer.mirror_started, machine, group, assembly)
        return ""

    def stop(self, machine: Gateway, group: str) -> None:
        """Stop a mirror; what it had under way is written or given up before."""
        assembly = self._assemblies.pop((machine.name, group), None)
        if assembly is not None and assembly is self._newest[group]:
            self._left_clean[group] = not assembly.unclean

    def forget(self, machine: Gateway) -> None:
        """A kernel is gone."""
        self.hurried_ms.pop(machine.name, None)
        for group in self.mirrors:
            self._assemblies.pop((machine.name, group), None)

    def heed(self, machine: Gateway, group: str, caution: MirrorLimits) -> None:
        """Tell a machine's mirror what to keep clear of; only a copy takes away the mark of a leg that is read last."""
        assembly = self._assemblies.get((machine.name, group))
        if assembly is None:
            return
        for leg in assembly.active:
            leg.write_mostly |= leg.shelf in caution.write_mostly
        released = assembly.freeze_resync and not caution.freeze_resync
        assembly.freeze_resync = caution.freeze_resync
        if released and assembly.unclean:
            self._resync(machine, machine.boots, group, assembly)

    def write_mostly(self, machine: Gateway, group: str) -> tuple[str, ...]:
        """The shelves whose legs a machine's mirror reads only where no other one has the data."""
        assembly = self._assemblies.get((machine.name, group))
        return tuple(leg.shelf for leg in assembly.active if leg.write_mostly) if assembly is not None else ()

    def _resync(self, machine: Gateway, boots: int, group: str, assembly: Assembly) -> None:
        """A kernel makes its legs equal; while one does not take its writes, that hangs."""
        if not machine.alive or machine.boots != boots or self._assemblies.get((machine.name, group)) is not assembly:
            return
        if assembly.freeze_resync or not assembly.unclean:
            return
        if not all(self._admits(machine, group, leg.shelf) for leg in assembly.active):
            self._stage.timeline.after(RETRY_MS, machine.by_kernel, self._resync, machine, boots, group, assembly)
            return
        known = assembly.records - self._overwritten_before(group, assembly)
        assembly.resync()
        self._stage.count("mirror", "resync")
        self._stage.tell(Observer.resynced, machine, group, known - assembly.records)

    def _overwritten_before(self, group: str, assembly: Assembly) -> set[int]:
        """What was overwritten under an earlier owner, which did not live to say so."""
        _, started_ms = self._started[group]
        return {number for leg in assembly.active for number, at_ms in leg.overwritten.items() if at_ms <= started_ms}

    def missing(self, machine: Gateway, group: str) -> list[str]:
        """The shelves whose legs this machine's mirror lacks."""
        assembly = self._assemblies.get((machine.name, group))
        active = [leg.shelf for leg in assembly.active] if assembly else []
        return [name for name in self.shelves if name not in active] if active else []

    def used(self, machine: Gateway, group: str) -> tuple[tuple[str, str], ...]:
        """The addresses at which this machine's driver reaches the shelves, each after its shelf's name."""
        if (machine.name, group) not in self._assemblies:
            return ()
        return tuple(
            (name, address.name)
            for name, shelf in self.shelves.items()
            for address in shelf.addresses[group]
            if address.answers and self.reaches(machine, address.name)
        )

    def evict(self, machine: Gateway, group: str, shelf: str) -> str:
        """Let a machine's mirror continue without a leg; return why it cannot, empty when it does."""
        assembly = self._assemblies.get((machine.name, group))
        leg = next((leg for leg in assembly.active if leg.shelf == shelf), None) if assembly is not None else None
        if assembly is None or leg is None:
            return "" if assembly is not None else "it is not started"
        survivors = [other for other in assembly.active if other is not leg]
        if not any(self._admits(machine, group, other.shelf) for other in survivors):
            return "no other leg can be told"
        self._stage.tell(Observer.leg_evicting, group, leg, survivors)
        assembly.evict(leg)
        self._stage.count("mirror", "leg evicted")
        return ""

    def take_back(self, machine: Gateway, group: str, shelf: str) -> str:
        """Copy a leg and return it to the mirror; return why that cannot be, empty when it is in."""
        assembly = self._assemblies.get((machine.name, group))
        if assembly is None or not self._admits(machine, group, shelf):
            return "it is not started" if assembly is None else "the leg does not take our writes"
        if self.mirrors[group].recover(shelf, assembly):
            self._stage.count("mirror", "leg taken back")
        return ""

    def answer_ms(self, machine: Gateway, group: str, shelves: Iterable[str] = SHELVES) -> int:
        """How long the slowest of these shelves takes over what a machine reads or writes there."""
        random, cut = self._stage.random, {path for node, path in self.cut if node == machine.name}
        there = [self.shelves[name] for name in shelves if self.heard_on(machine, name)]
        return max((shelf.takes_ms(machine.name, group, random, cut) for shelf in there), default=0)

    def _admits(self, machine: Gateway, group: str, shelf: str) -> bool:
        if not self.heard_on(machine, shelf):
            return False
        cut = {path for node, path in self.cut if node == machine.name}
        return self.shelves[shelf].takes_writes_of(machine.name, group, cut)

    def recover(self, shelf: str) -> None:
        """An operator returns a leg, wherever its mirror runs and no daemon does so by itself."""
        for (_, group), assembly in self._assemblies.items():
            if (
                group not in self._managed
                and self.shelves[shelf].answers
                and self.mirrors[group].recover(shelf, assembly)
            ):
                self._stage.count("mirror", "leg recovered")

    def announced(self, machine: Gateway, group: str) -> None:
        """A machine has taken the service address: it tells the network and the clients."""
        self.clients[group].announced(machine.name, self._stage.timeline.now_ms)

    def _announce(self, shelf: str, group: str, address: str) -> None:
        """Every daemon that listens on the storage network hears that a target has started."""
        self._restarted_ms[shelf] = self._stage.timeline.now_ms
        self._stage.tell(Observer.target_started, group, shelf)
        self._repeat_old_writes(shelf, group)
        for machine in self._machines.values():
            if self.reaches(machine, address):
                self._stage.timeline.after(ADVERT_MS, machine.hear_target, shelf, address)

    def _repeat_old_writes(self, shelf: str, group: str) -> None:
        """A kernel whose mirror was taken from it has writes out, its own if no client's, and repeats them."""
        for (name, owned), assembly in self._assemblies.items():
            if owned == group in self._managed and assembly is not self._newest[group]:
                machine, leg = (
                    self._machines[name],
                    next(leg for leg in self.mirrors[group].legs if leg.shelf == shelf),
                )
                write = Write(group, 0, machine, machine.boots, assembly, [leg])
                delay_ms = self._stage.random.randrange(REPEAT_MS)
                self._stage.timeline.after(delay_ms, machine.by_kernel, self._old_write_lands, write)

    def _old_write_lands(self, write: Write) -> None:
        """It lands again and again, until the target is reserved."""
        machine, (leg,) = write.machine, write.landed
        there = machine.alive and machine.boots == write.boots
        there = there and self._assemblies.get((machine.name, write.group)) is write.assembly
        if there and leg in write.assembly.active and self._takes(leg, write):
            self._lands(leg, write)
            self._stage.timeline.after(REPEAT_MS, machine.by_kernel, self._old_write_lands, write)

    def _lands(self, leg: Leg, write: Write) -> None:
        """A write changes a leg; a former owner's destroys what the new one has written there since."""
        foreign = write.assembly is not self._newest[write.group]
        if foreign and write.group in self._managed:
            newest = max(self.acknowledged[write.group], default=0)
            if newest > write.number:
                leg.overwrite(newest, self._stage.timeline.now_ms)
        forgotten = self._has_forgotten(leg.shelf, write.group)
        self._stage.tell(Observer.write_landed, write.machine, write.group, foreign=foreign, forgotten=forgotten)

    def _client_writes(self, group: str) -> None:
        client, now_ms = self.clients[group], self._stage.timeline.now_ms
        self._stage.timeline.after(client.period_ms, self._client_writes, group)
        if client.waits(now_ms):
            return
        serving = [machine.name for machine in self._machines.values() if machine.serves(group)]
        answering = [name for name in serving if not self.reach[name].cut]
        machine = self._machines.get(client.address_of(answering, now_ms))
        if machine is None or machine.name not in answering:
            client.unanswered(now_ms)
            self._stage.count("client", "no answer")
            return
        if client.answered(Peer(machine.name, machine.boots), now_ms):
            self._stage.count("client", "session reset")
        self._number += 1
        delay_ms = self._stage.random.randint(*WRITE_MS)
        assembly = self._assemblies[machine.name, group]
        write = Write(group, self._number, machine, machine.boots, assembly, [])
        queue_ms = self.queue_ms.get(machine.name, 0)
        if queue_ms:
            self._stage.timeline.after(delay_ms + queue_ms, self._leaves_the_queue, write)
        else:
            self._stage.timeline.after(delay_ms, machine.by_kernel, self._write_lands, write)

    def _leaves_the_queue(self, write: Write) -> None:
        """Frames that a switch has kept go on to the shelves, though their sender may be gone by now."""
        machine = write.machine
        if machine.alive and machine.boots == write.boots:
            machine.by_kernel(self._write_lands, write)
            return
        for leg in write.assembly.active:
            if self._takes(leg, write):
                leg.records.add(write.number)
                self._lands(leg, write)

    def _write_lands(self, write: Write) -> None:
        """What a kernel sends lands, unless that kernel is gone or its storage was taken from it."""
        machine, now_ms = write.machine, self._stage.timeline.now_ms
        if not machine.alive or machine.boots != write.boots:
            return
        if self._assemblies.get((machine.name, write.group)) is not write.assembly:
            return
        reached = [leg for leg in write.assembly.active if self._takes(leg, write)]
        writable = [leg for leg in reached if not self.shelves[leg.shelf].reports_errors]
        pause_ms = RETRY_MS
        for leg in list(write.assembly.active):
            if leg in write.landed:
                continue
            wait_ms = self._on_its_way_ms(leg, write) if leg in writable else 0
            pause_ms = min(pause_ms, wait_ms or RETRY_MS)
            if leg in writable and not wait_ms:
                leg.records.add(write.number)
                write.landed.append(leg)
                write.assembly.answered(leg)
                self._lands(leg, write)
            elif write.assembly.did_not_take(
                leg,
                now_ms,
                alone=not writable,
                error=leg in reached and not wait_ms,
                hurried_ms=self.hurried_ms.get(machine.name, 0),
            ):
                self._stage.count("mirror", "leg kicked by the kernel")
                self._stage.timeline.after(MD_EVENT_MS, machine.hear_mirrors)
        if any(leg not in write.landed for leg in write.assembly.active):
            self._stage.timeline.after(pause_ms, machine.by_kernel, self._write_lands, write)
            return
        self.acknowledged[write.group].add(write.number)
        self._note_service(write.group)

    def _on_its_way_ms(self, leg: Leg, write: Write) -> int:
        """Send a write to a slow shelf, once; return how long it takes until that has it, 0 where none is slow."""
        now_ms = self._stage.timeline.now_ms
        if leg.shelf not in write.there_ms:
            wait_ms = self.answer_ms(write.machine, write.group, (leg.shelf,))
            if wait_ms:
                write.there_ms[leg.shelf] = now_ms + wait_ms
                self._stage.timeline.after(wait_ms, self._slow_write_lands, leg, write)
            return wait_ms
        return max(write.there_ms[leg.shelf] - now_ms, 1)

    def _slow_write_lands(self, leg: Leg, write: Write) -> None:
        """A slow shelf comes to a write, whatever became of its sender; one that stopped its mirror waited for it."""
        machine = write.machine
        del write.there_ms[leg.shelf]
        there = machine.alive and machine.boots == write.boots
        if there and self._assemblies.get((machine.name, write.group)) is not write.assembly:
            return
        if self._takes(leg, write) and not self.shelves[leg.shelf].reports_errors:
            leg.records.add(write.number)
            write.landed.append(leg)
            write.assembly.answered(leg)
            self._lands(leg, write)

    def _takes(self, leg: Leg, write: Write) -> bool:
        return self._admits(write.machine, write.group, leg.shelf)

    def _has_forgotten(self, shelf: str, group: str) -> bool:
        """Whether a shelf restarted under the newest owner, which is gone for good or had no time to take it back."""
        restarted_ms, (owner, _) = self._restarted_ms.get(shelf, 0), self._started[group]
        started_ms, there_ms = self.owner_times_ms(group)
        had_ms = self._stage.timeline.now_ms - max(restarted_ms, there_ms)
        gone = self._assemblies.get((owner.name, group)) is not self._newest[group]
        return restarted_ms > started_ms and (gone or had_ms <= owner.config.hold_every_ms + RETAKE_SLACK_MS)

    def owner_times_ms(self, group: str) -> tuple[int, int]:
        """When the newest owner of a group started its mirror, and since when its daemon has been there."""
        owner, started_ms = self._started[group]
        return started_ms, self._stage.timeline.now_ms if owner.present_since_ms is None else owner.present_since_ms

    def _note_service(self, group: str) -> None:
        now_ms = self._stage.timeline.now_ms
        self._stage.tell(Observer.acknowledged, group, self._newest[group])
        before_ms = self.served_ms[group]
        if before_ms is not None:
            self.worst_outage_ms = max(self.worst_outage_ms, now_ms - before_ms - self.clients[group].period_ms)
        self.served_ms[group] = now_ms
