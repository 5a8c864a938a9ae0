"""The world: two gateways with the real core on them, and everything around them that can break."""

from collections.abc import Mapping
from dataclasses import dataclass

from aoeha.core.model.config import PairConfig
from aoeha.core.status import Status, status
from aoeha.sim.world.clone import Clone
from aoeha.sim.world.leg import Snapshot
from aoeha.sim.world.link import Link
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.power import Power
from aoeha.sim.world.services import Services
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import Storage
from aoeha.sim.world.work import Work
from aoeha.sim.world.writes import Writes

__all__ = ["Hardware", "World"]


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a pair is built of. `serial` names the links that are serial lines; each shelf has `paths` addresses.

    A gateway boots in `boot_ms` and reaches every address by each of its `interfaces`; a client writes each
    `client_ms`.
    """

    serial: tuple[str, ...] = ()
    boot_ms: int = 15_000
    client_ms: int = 2_000
    paths: int = 1
    interfaces: int = 1


class World(Stage):
    """One simulated pair. `run` lets time pass; what else happens is told by aoeha.sim.stories.commands.

    `healed`: all faults have been ended.
    """

    def __init__(
        self,
        configs: Mapping[str, PairConfig],
        hardware: Hardware | None = None,
        *,
        seed: int = 0,
        traced: bool = False,
    ) -> None:
        super().__init__(configs, seed=seed, traced=traced)
        hardware = hardware or Hardware()
        self.requests = 0
        self.healed = False
        self.shared_since_ms: int | None = 0
        self.understood_since_ms: int | None = 0
        self.snapshots: dict[tuple[str, str], Snapshot] = {}
        any_config = next(iter(self.configs.values()))
        self.clones: dict[str, Clone] = {}
        self.clone_boot_ids: set[str] = set()
        self.links = {
            name: Link(name, serial=name in hardware.serial, timeline=self.timeline, random=self.random)
            for name in any_config.links
        }
        self.machines: dict[str, Machine] = {}
        client_ms, paths, interfaces = hardware.client_ms, hardware.paths, hardware.interfaces
        self.storage = Storage(self, self.machines, client_ms=client_ms, paths=paths, interfaces=interfaces)
        self.power = Power(self, self.machines, self.storage, any_config.fences)
        self.services = Services(self, self.storage)
        self._writes = Writes(self, self.machines, self.storage, self.services)
        self.work = Work(self, self.machines, self.power, self.storage, self.services)
        for config in self.configs.values():
            self._add_machine(config, hardware.boot_ms)

    def _add_machine(self, config: PairConfig, boot_ms: int) -> None:
        machine = Machine(
            self,
            config,
            boot_ms,
            power=self.power,
            storage=self.storage,
            services=self.services,
            work=self.work,
            links=self.links,
        )
        self.machines[machine.name] = machine
        for link in self.links.values():
            link.join(machine.name, machine.config.peer, machine.arrive)

    def run(self, ms: int) -> None:
        """Let time pass."""
        self.timeline.run_until(self.timeline.now_ms + ms, self.look)

    def ask(self, machine: Machine, verb: str, arguments: dict[str, str]) -> None:
        """Give a node's daemon, if it has one, a command."""
        self.requests += 1
        self.tell(Observer.command_given, machine, self.requests, verb, arguments)
        if machine.daemon is not None:
            machine.daemon.command(self.requests, verb, arguments)

    def note_speech(self) -> None:
        """Note since when either gateway authenticates what the other one sends, and since when either reads it."""
        one, other = (machine.speech for machine in self.machines.values())
        known, now_ms = (self.shared_since_ms, self.understood_since_ms), self.timeline.now_ms
        so = (one.shares(other), one.understands(other))
        self.shared_since_ms, self.understood_since_ms = (
            (now_ms if since_ms is None else since_ms) if is_so else None
            for since_ms, is_so in zip(known, so, strict=True)
        )

    def clone(self, node: str) -> None:
        """Boot a machine that uses a node's name and keys, if there is none yet."""
        if node not in self.clones:
            clone = Clone(self.configs[node], list(self.links.values()), self.timeline, self.random)
            self.clones[node] = clone
            self.clone_boot_ids.add(clone.boot_id)

    def unclone(self, node: str) -> None:
        """Switch that machine off."""
        if node in self.clones:
            self.clones.pop(node).switch_off()

    def told(self) -> list[tuple[Machine, Status]]:
        """What each node that has a daemon tells of itself."""
        daemons = [(machine, machine.daemon) for machine in self.machines.values() if machine.daemon is not None]
        return [(machine, status(daemon.state)) for machine, daemon in daemons if daemon.state is not None]

    def why(self, node: str) -> str:
        """Ask a node why things are as they are; empty while it has no daemon."""
        return next((told.why.sentence for machine, told in self.told() if machine.name == node), "")
