"""Shelves, mirrors and clients of every group, and what kernels do with legs.

A record that a gateway accepted goes to every leg that its kernel uses (aoeha.sim.world.writes). A shelf that does not
respond lets writes hang. The kernel keeps trying for as long as it is alive, and after `SILENCE_MAX_MS` continues
without that leg. A gateway that was frozen writes when it thaws, whatever its daemon thinks of that: only a reservation
at the shelf keeps it out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aoeha.core.model.config import PairConfig
from aoeha.core.model.task import GenerationsWritten, GenerationTask, LegTask, MirrorLimits, SuperblocksRead
from aoeha.sim.world.client import Client
from aoeha.sim.world.exchange import is_prompt
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.leg import ARRAY, Leg
from aoeha.sim.world.mirror import Assembly, Mirror
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.san import San, Way
from aoeha.sim.world.shelf import Address, Shelf
from aoeha.sim.world.stage import Stage

__all__ = ["SHELVES", "Storage"]

SHELVES = ("shelf1", "shelf2")
RETRY_MS = 200
RESYNC_AFTER_MS = 5_000
"""How long the agent holds back the resync of an unclean mirror while the service comes up."""
MD_EVENT_MS = 2
COPY_STEPS, COPY_SHARES = 20, 100
"""How often a copy is looked at, and which share of a whole copy one record takes that the bitmap names."""
LOST_MAX = 5
"""A frame is not lost more often than that, or the wait would not end."""


@dataclass(slots=True)
class Reach:
    """Whether a gateway has lost its clients and all reference hosts, or so many hosts alone; and since when."""

    cut: bool = False
    since_ms: int = 0
    lost: int = 0

    def hosts(self, config: PairConfig) -> int:
        """How many reference hosts answer it."""
        return 0 if self.cut else max(0, len(config.reference_hosts) - self.lost)


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """A copy onto a leg that is under way: so many records at a time, so far apart."""

    machine: Gateway
    boots: int
    group: str
    assembly: Assembly
    leg: Leg
    count: int
    pause_ms: int


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
        self.san = San(stage.random, interfaces)
        self.copy_ms = 0
        self.hurried_ms: dict[str, int] = {}
        """How long the driver of a machine waits that was told to leave silent paths."""
        self.reach = {name: Reach() for name in stage.configs}
        self.third_machine = False
        self.undisturbed_since_ms = dict.fromkeys(SHELVES, 0)
        self.assemblies: dict[tuple[str, str], Assembly] = {}
        self.newest: dict[str, Assembly] = {}
        self._left_clean: dict[str, bool] = {}
        self.started: dict[str, tuple[Gateway, int]] = {}
        self.restarted_ms: dict[str, int] = {}
        any_config = next(iter(stage.configs.values()))
        self.managed = {group.name for group in any_config.groups if group.legs}

    def paths(self, place: str) -> list[str]:
        """The addresses of a shelf, or the one that is named. Raises KeyError or ValueError for none such."""
        name, _, path = place.partition("/")
        addresses = [address.name for address in next(iter(self.shelves[name].addresses.values()))]
        return [addresses[addresses.index(place)]] if path else addresses

    def reaches(self, machine: Gateway, place: str) -> bool:
        """Whether frames of a machine come to a shelf, or to one address of it, and the answers back."""
        return any(self.san.joins(machine.name, path) for path in self.paths(place))

    def sees(self, machine: Gateway, place: str) -> bool:
        """Whether it is answered there, at one address at least, without delay or loss."""
        name, _, path = place.partition("/")
        return any(
            a.answers and is_prompt(self.san, machine.name, a) and self.san.joins(machine.name, a.name)
            for known in self.shelves[name].addresses.values()
            for a in known
            if not path or a.name == place
        )

    def cut_clients(self, name: str, *, cut: bool = False, lost: int = 0) -> None:
        """Part a gateway from clients and reference hosts, or join it to them; the gateways themselves stay joined.

        `lost`: it loses only so many of the hosts, and no client.
        """
        if (self.reach[name].cut, self.reach[name].lost) != (cut, lost):
            self.reach[name] = Reach(cut, self._stage.timeline.now_ms, lost)

    def disturbed(self, shelves: Iterable[str] = SHELVES) -> None:
        """Record that something happened to the shelves, or to a path to them."""
        self.undisturbed_since_ms.update(dict.fromkeys(shelves, self._stage.timeline.now_ms))

    def power_shelf(self, name: str, *, on: bool) -> None:
        """A shelf loses its power, or comes up with nothing remembered."""
        shelf = self.shelves[name]
        if not on:
            shelf.fall_silent()
        elif not shelf.answers:
            shelf.restart()
        self.disturbed([name])

    def superblocks(self, machine: Gateway, group: str) -> SuperblocksRead:
        """What a machine finds on the legs of a group's mirror."""
        found = self.mirrors[group].examined(self._present(machine))
        if (machine.name, group) in self.assemblies:
            return SuperblocksRead(found.array, found.uuid, running=True)
        named = self._named(machine, group)
        return SuperblocksRead(found.array, found.uuid, tuple(leg for leg in found.legs if leg.name in named))

    def _named(self, machine: Gateway, group: str) -> tuple[str, ...]:
        """The shelves on which the configuration of a machine has legs of a group; all where none are reserved."""
        legs = next(known.legs for known in machine.config.groups if known.name == group)
        return tuple(leg.name for leg in legs) or SHELVES

    def _present(self, machine: Gateway) -> set[str]:
        return {name for name, shelf in self.shelves.items() if shelf.answers and self.reaches(machine, name)}

    def assemble(self, machine: Gateway, group: str, legs: tuple[str, ...], *, short: bool) -> str:
        """Start a group's mirror on a machine; return why it could not be, empty when it runs.

        It starts from `legs`. Where a group has none that are reserved, it starts by itself.
        """
        if (machine.name, group) in self.assemblies:
            return ""
        mirror, present = self.mirrors[group], self._present(machine)
        managed = group in self.managed
        assembly = mirror.assemble(present, legs, short=short) if managed else mirror.start_by_itself(present)
        if isinstance(assembly, str):
            self._stage.count("mirror", "start refused")
            return assembly
        if len(assembly.members) < len(self.shelves):
            self._stage.count("mirror", "started with a leg missing")
        assembly.waits_for_the_daemon = group in self.managed
        assembly.unclean = not self._left_clean.get(group, True)
        self._left_clean[group] = False
        self.assemblies[machine.name, group] = self.newest[group] = assembly
        if assembly.unclean:
            resync = (machine, machine.boots, group, assembly)
            self._stage.timeline.after(RESYNC_AFTER_MS, machine.by_kernel, self._resync, *resync)
        self.started[group] = (machine, self._stage.timeline.now_ms)
        self._keep(group)
        self._stage.tell(Observer.mirror_started, machine, group, assembly)
        for leg in assembly.rebuilding:
            self._go_on_copying(machine, group, assembly, leg)
        return ""

    def stop(self, machine: Gateway, group: str) -> None:
        """Stop a mirror; what it had under way is written or given up before."""
        assembly = self.assemblies.pop((machine.name, group), None)
        if assembly is not None and assembly is self.newest[group]:
            self._left_clean[group] = not assembly.unclean
            assembly.stop()

    def forget(self, machine: Gateway) -> None:
        """A kernel is gone."""
        self.hurried_ms.pop(machine.name, None)
        for group in self.mirrors:
            self.assemblies.pop((machine.name, group), None)

    def heed(self, machine: Gateway, group: str, caution: MirrorLimits) -> None:
        """Tell a machine's mirror what to keep clear of; only a copy takes away the mark of a leg that is read last."""
        assembly = self.assemblies.get((machine.name, group))
        if assembly is None:
            return
        for leg in assembly.active:
            leg.write_mostly |= leg.shelf in caution.write_mostly
        self._keep(group)
        released = assembly.freeze_resync and not caution.freeze_resync
        assembly.freeze_resync = caution.freeze_resync
        if released and assembly.unclean:
            self._resync(machine, machine.boots, group, assembly)

    def write_mostly(self, machine: Gateway, group: str) -> tuple[str, ...]:
        """The shelves whose legs a machine's mirror reads only where no other one has the data."""
        assembly = self.assemblies.get((machine.name, group))
        return tuple(leg.shelf for leg in assembly.active if leg.write_mostly) if assembly is not None else ()

    def _resync(self, machine: Gateway, boots: int, group: str, assembly: Assembly) -> None:
        """A kernel makes its legs equal; while one does not take its writes, that hangs."""
        if not machine.alive or machine.boots != boots or self.assemblies.get((machine.name, group)) is not assembly:
            return
        if assembly.freeze_resync or not assembly.unclean:
            return
        if not all(self.admits(machine, group, leg.shelf) for leg in assembly.active):
            self._stage.timeline.after(RETRY_MS, machine.by_kernel, self._resync, machine, boots, group, assembly)
            return
        if self.copy_ms and self._still_resyncs(assembly):
            self._stage.timeline.after(RETRY_MS, machine.by_kernel, self._resync, machine, boots, group, assembly)
            return
        known = assembly.records - self._overwritten_before(group, assembly)
        assembly.resync(self._stage.timeline.now_ms)
        self._keep(group)
        self._stage.count("mirror", "resync")
        self._stage.tell(Observer.resynced, machine, group, known - assembly.records)

    def _still_resyncs(self, assembly: Assembly) -> bool:
        """Whether a resync that has begun, now at the latest, takes longer than until now."""
        now_ms = self._stage.timeline.now_ms
        if assembly.resynced_ms is None:
            assembly.resynced_ms = now_ms + self._copy_ms(len(assembly.doubtful))
        return now_ms < assembly.resynced_ms

    def _overwritten_before(self, group: str, assembly: Assembly) -> set[int]:
        """What was overwritten under an earlier owner, which did not live to say so."""
        _, started_ms = self.started[group]
        return {number for leg in assembly.active for number, at_ms in leg.overwritten.items() if at_ms <= started_ms}

    def missing(self, machine: Gateway, group: str) -> list[str]:
        """The shelves whose legs this machine's mirror lacks."""
        assembly = self.assemblies.get((machine.name, group))
        used = [leg.shelf for leg in assembly.members] if assembly else []
        return [name for name in self._named(machine, group) if name not in used] if used else []

    def hangs(self, machine: Gateway, group: str) -> bool:
        """Whether what a machine's kernel writes waits for a leg that does not answer."""
        assembly = self.assemblies.get((machine.name, group))
        members = assembly.members if assembly is not None else ()
        return any(not self.admits(machine, group, leg.shelf) for leg in members)

    def copies(self, machine: Gateway, group: str) -> tuple[str, ...]:
        """The shelves onto whose legs, which lag, a machine's mirror copies."""
        assembly = self.assemblies.get((machine.name, group))
        return tuple(leg.shelf for leg in assembly.rebuilding) if assembly is not None else ()

    def used(self, machine: Gateway, group: str) -> tuple[tuple[str, str], ...]:
        """The addresses at which this machine's driver reaches the shelves, each after its shelf's name."""
        if (machine.name, group) not in self.assemblies:
            return ()
        return tuple(
            (name, address.name)
            for name, shelf in self.shelves.items()
            for address in shelf.addresses[group]
            if address.answers and self.reaches(machine, address.name)
        )

    def evict(self, machine: Gateway, group: str, shelf: str) -> str:
        """Let a machine's mirror continue without a leg; return why it cannot, empty when it does."""
        assembly = self.assemblies.get((machine.name, group))
        leg = next((leg for leg in assembly.members if leg.shelf == shelf), None) if assembly is not None else None
        if assembly is None or leg is None:
            return "" if assembly is not None else "it is not started"
        survivors = [other for other in assembly.active if other is not leg]
        if not any(self.admits(machine, group, other.shelf) for other in survivors):
            return "no other leg can be told"
        self._stage.tell(Observer.leg_evicting, group, leg, survivors)
        assembly.evict(leg)
        self._keep(group)
        self._stage.count("mirror", "leg evicted")
        return ""

    def kick(self, machine: Gateway, group: str, leg: Leg) -> None:
        """A kernel has let a leg leave by itself."""
        self._keep(group)
        self._stage.tell(Observer.leg_dropped, machine, group, leg)
        self._stage.count("mirror", "leg kicked by the kernel")
        self._stage.timeline.after(MD_EVENT_MS, machine.hear_mirrors)

    def take_back(self, machine: Gateway, task: LegTask) -> str:
        """Begin to copy onto a leg; return why that cannot be, empty when it is a part of the mirror again."""
        group, shelf = task.group, task.leg
        assembly = self.assemblies.get((machine.name, group))
        if assembly is None or not self.admits(machine, group, shelf):
            return "it is not started" if assembly is None else "the leg does not take our writes"
        leg = self.mirrors[group].leg(shelf)
        if leg in assembly.members:
            return ""
        refusal = self.mirrors[group].why_not_take_back(shelf, assembly, outdated=task.outdated)
        if refusal:
            self._stage.count("mirror", "return refused")
            return refusal
        self._begin_copy(machine, group, assembly, leg, whole=task.whole)
        return ""

    def renew(self, machine: Gateway, task: GenerationTask) -> GenerationsWritten | None:
        """Write a generation on legs of a machine's mirror. None while one does not take it."""
        legs = {name: self.mirrors[task.group].leg(name) for name, _ in task.legs}
        if not all(self.admits(machine, task.group, name) for name in legs):
            return None
        younger = [name for name, least in task.legs if legs[name].generation >= least]
        for name in younger:
            legs[name].generation = task.generation
        self._keep(task.group)
        return GenerationsWritten(tuple(younger), tuple(name for name in legs if name not in younger))

    def _begin_copy(self, machine: Gateway, group: str, assembly: Assembly, leg: Leg, *, whole: bool) -> None:
        whole = assembly.begin_copy(leg, whole=whole)
        self._stage.count("mirror", "leg taken back")
        self._keep(group)
        self._stage.tell(Observer.copy_begun, machine, group, leg, whole=whole)
        if self.copy_ms:
            self._go_on_copying(machine, group, assembly, leg)
        else:
            self._end_copy(machine, group, assembly, leg)

    def _end_copy(self, machine: Gateway, group: str, assembly: Assembly, leg: Leg) -> None:
        assembly.end_copy(leg, self._stage.timeline.now_ms)
        self._keep(group)
        self._stage.tell(Observer.copy_ended, machine, group, leg)

    def _copy_ms(self, records: int) -> int:
        """How long it takes to copy what the bitmap names: never longer than all."""
        return self.copy_ms * min(max(records, 1), COPY_SHARES) // COPY_SHARES

    def _go_on_copying(self, machine: Gateway, group: str, assembly: Assembly, leg: Leg) -> None:
        whole_ms = self.copy_ms if leg.wholly else self._copy_ms(len(leg.todo))
        count, pause_ms = -(-len(leg.todo) // COPY_STEPS), max(whole_ms // COPY_STEPS, 1)
        copy = Copy(machine, machine.boots, group, assembly, leg, count, pause_ms)
        self._stage.timeline.after(pause_ms, machine.by_kernel, self._copy_a_part, copy)

    def _copy_a_part(self, copy: Copy) -> None:
        """Copy a part, and the next one later; while a leg does not take it, that hangs."""
        machine, group, assembly, leg = copy.machine, copy.group, copy.assembly, copy.leg
        there = machine.alive and machine.boots == copy.boots
        there = there and self.assemblies.get((machine.name, group)) is assembly
        if not there or leg not in assembly.rebuilding:
            return
        takes = all(self.admits(machine, group, one.shelf) for one in (leg, assembly.read))
        if takes:
            assembly.copy(leg, copy.count, self._stage.timeline.now_ms)
        if leg.todo or not takes:
            pause_ms = copy.pause_ms if takes else RETRY_MS
            self._stage.timeline.after(pause_ms, machine.by_kernel, self._copy_a_part, copy)
            return
        self._end_copy(machine, group, assembly, leg)
        self._stage.timeline.after(MD_EVENT_MS, machine.hear_mirrors)

    def _keep(self, group: str) -> None:
        """Remember what superblocks say, for disks that lose the last of it."""
        for leg in self.mirrors[group].legs:
            leg.keep(self._stage.timeline.now_ms)

    def answer_ms(self, machine: Gateway, group: str, shelves: Iterable[str] = SHELVES) -> int:
        """How long the slowest of these shelves takes over one thing that a machine reads or writes there."""
        times = [[self._round_ms(machine, a) for a in self._usable(machine, group, name)] for name in shelves]
        return max((min(one, default=0) for one in times), default=0)

    def _round_ms(self, machine: Gateway, address: Address) -> int:
        """How long one round takes: frames that get lost are repeated ever later."""
        san, node, lost = self.san, machine.name, 0
        if san.is_lossy(node, address.name):
            while lost < LOST_MAX and not all(san.passes(node, address.name, way) for way in Way):
                lost += 1
        return RETRY_MS * ((1 << lost) - 1) + address.takes_ms(self._stage.random)

    def _usable(self, machine: Gateway, group: str, shelf: str) -> list[Address]:
        """The addresses at which a shelf serves a machine; the kernel's driver goes round all of them."""
        addresses = self.shelves[shelf].addresses[group]
        return [a for a in addresses if a.admits(machine.name) and self.san.joins(machine.name, a.name)]

    def hears(self, machine: Gateway, group: str, shelf: str) -> bool:
        """Whether what a machine writes now lands there, though it may not be told so."""
        addresses = self.shelves[shelf].addresses[group]
        return any(a.admits(machine.name) and self.san.joins(machine.name, a.name, (Way.REQUESTS,)) for a in addresses)

    def admits(self, machine: Gateway, group: str, shelf: str) -> bool:
        """Whether a shelf serves what a machine reads and writes."""
        return bool(self._usable(machine, group, shelf))

    def recover(self, shelf: str) -> None:
        """An operator returns a leg, wherever its mirror runs and no daemon does so by itself, as it is a new disk."""
        for (name, group), assembly in self.assemblies.items():
            leg = self.mirrors[group].leg(shelf)
            machine, anew = self._machines[name], leg.array != ARRAY
            if (group in self.managed and not anew) or leg in assembly.members:
                continue
            if self.shelves[shelf].answers and (not anew or self.admits(machine, group, shelf)):
                self._begin_copy(machine, group, assembly, leg, whole=anew)

    def announced(self, machine: Gateway, group: str) -> None:
        """A machine has taken the service address: it tells the network and the clients."""
        self.clients[group].announced(machine.name, self._stage.timeline.now_ms)

    def owner_times_ms(self, group: str) -> tuple[int, int]:
        """When the newest owner of a group started its mirror, and since when its daemon has been there."""
        owner, started_ms = self.started[group]
        return started_ms, self._stage.timeline.now_ms if owner.present_since_ms is None else owner.present_since_ms

    def acknowledge(self, assembly: Assembly, group: str, record: int) -> None:
        """Tell a client that its record is safe."""
        now_ms, before_ms = self._stage.timeline.now_ms, self.served_ms[group]
        assembly.acknowledge(record, len(self.shelves))
        self.acknowledged[group].add(record)
        self._stage.tell(Observer.acknowledged, group, self.newest[group])
        if before_ms is not None:
            self.worst_outage_ms = max(self.worst_outage_ms, now_ms - before_ms - self.clients[group].period_ms)
        self.served_ms[group] = now_ms

    def disk_changed(self, group: str, leg: Leg, lost: set[int], *, forgot: bool) -> None:
        """Another content lies on a leg, whatever kernels have it in use; `forgot`: less of its own."""
        leg.keep(self._stage.timeline.now_ms)
        self._stage.count("mirror", "another content on a leg")
        self._stage.tell(Observer.disk_changed, group, leg, lost, forgot=forgot)
