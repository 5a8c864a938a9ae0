"""What a simulated pair is made of, as one line of text and as the configurations that its cores are given.

    pair links=2 serial=1 groups=storage devices=switch:1 keepalive=1s deadtime=5s seed=7

Everything has a default; a scenario names what matters to it.
"""

from dataclasses import dataclass, fields
from typing import Any

from aoeha.core.model.config import FenceConfig, GroupConfig, LegConfig, PairConfig, ResourceConfig
from aoeha.sim.stories.commands import CommandError, milliseconds
from aoeha.sim.stories.judged import JudgedWorld
from aoeha.sim.world.mirror import PATH_TIMING
from aoeha.sim.world.storage import SHELVES
from aoeha.sim.world.world import Hardware

__all__ = ["NODES", "Settings"]

NODES = ("alpha", "beta")
RESOURCES = ("mirror", "volume", "address")


@dataclass(frozen=True, slots=True)
class Settings:
    """One pair. Names ending in _ms are written without that ending and with a unit.

    `groups` are `name` or `name:preferred-node`, `devices` are `name:level` or `name:level:settle`, several separated
    by commas. With `reserve` the shelves' reservations are used, but for the groups named in `bare`, which have no
    legs. With `suffices` they are proof enough to start. Each shelf has `paths` addresses, and `unnamed` more
    that the configuration does not name; each gateway reaches all of them by each of its `interfaces`, eth1 and so on.
    `hosts` is how many reference hosts
    stand among the clients; `cut-clients` parts a gateway from all of them. An owner renews the generation of its legs
    each `generation`, 0 for never: most incidents were recorded without that, and each seed has it.
    """

    links: int = 2
    serial: int = 1
    groups: str = "storage"
    resources: int = 2
    devices: str = "switch:1"
    keepalive_ms: int = 500
    warntime_ms: int = 1_500
    deadtime_ms: int = 3_000
    initdead_ms: int = 10_000
    boot_ms: int = 15_000
    window_ms: int = 60_000
    confirm_ms: int = 600_000
    timeout_ms: int = 5_000
    settle_ms: int = 0
    monitor_ms: int = 20_000
    deadline_ms: int = 10_000
    revive: int = 1
    reserve: int = 0
    bare: str = ""
    suffices: int = 1
    hold_ms: int = 1_000
    shelf_timeout_ms: int = 500
    lease_ms: int = 30_000
    generation_ms: int = 0
    durable: int = 1
    paths: int = 1
    unnamed: int = 0
    interfaces: int = 1
    hosts: int = 0
    seed: int = 0

    def line(self) -> str:
        """Return the text that `parse` reads, naming only what is not a default."""
        words = ["pair"]
        for known in fields(self):
            value = getattr(self, known.name)
            if value != known.default:
                name = known.name.removesuffix("_ms")
                words.append(f"{name}={value}ms" if name != known.name else f"{name}={value}")
        return " ".join(words)

    @classmethod
    def parse(cls, line: str) -> "Settings":
        """Read a `pair` line. Raises CommandError."""
        defaults = {known.name: known.default for known in fields(cls)}
        chosen: dict[str, Any] = {}
        for word in line.split()[1:]:
            name, _, value = word.partition("=")
            if f"{name}_ms" in defaults:
                chosen[f"{name}_ms"] = milliseconds(value)
            elif name not in defaults:
                raise CommandError(f'cannot read "{line}": there is no setting "{name}"')
            else:
                chosen[name] = _count(value, line) if isinstance(defaults[name], int) else value
        return cls(**chosen)

    def nodes(self) -> tuple[str, ...]:
        """Return the gateways' names."""
        return NODES

    def link_names(self) -> tuple[str, ...]:
        """Return the links: the serial ones first."""
        udp = self.links - self.serial
        return (*(f"serial{n + 1}" for n in range(self.serial)), *(f"ether{n + 1}" for n in range(udp)))

    def group_names(self) -> tuple[str, ...]:
        """Return the groups' names."""
        return tuple(word.partition(":")[0] for word in self.groups.split(","))

    def resource_names(self, group: str) -> tuple[str, ...]:
        """Return what a group is made of: its storage first, its address last."""
        kinds = {1: ("mirror",), 2: ("mirror", "address")}.get(self.resources, RESOURCES)
        return tuple(kind if group == "storage" else f"{group}-{kind}" for kind in kinds)

    def device_names(self) -> tuple[str, ...]:
        """Return the fence devices' names."""
        return tuple(word.partition(":")[0] for word in self.devices.split(",") if word)

    def configs(self) -> dict[str, PairConfig]:
        """Return the pair as each gateway sees it."""
        first, second = NODES
        return {first: self._config(first, second), second: self._config(second, first)}

    def world(self, *, traced: bool = False) -> JudgedWorld:
        """Make this pair, with no power yet."""
        serial = self.link_names()[: self.serial]
        paths = self.paths + self.unnamed
        hardware = Hardware(serial, self.boot_ms, paths=paths, interfaces=self.interfaces)
        return JudgedWorld(self.configs(), hardware, seed=self.seed, traced=traced)

    def _config(self, node: str, peer: str) -> PairConfig:
        fences = [[*word.split(":"), "", ""][:3] for word in self.devices.split(",") if word]
        return PairConfig(
            cluster="gw",
            node=node,
            peer=peer,
            links=self.link_names(),
            groups=tuple(self._group(*word.partition(":")[::2]) for word in self.groups.split(",")),
            fences=tuple(
                FenceConfig(
                    name,
                    int(level or 1),
                    self.timeout_ms,
                    milliseconds(settle) if settle else self.settle_ms,
                    4 * self.monitor_ms,
                )
                for name, level, settle in fences
            ),
            keepalive_ms=self.keepalive_ms,
            warntime_ms=self.warntime_ms,
            deadtime_ms=self.deadtime_ms,
            initdead_ms=self.initdead_ms,
            confirm_valid_ms=self.confirm_ms,
            power_on_after_fence=bool(self.revive),
            reboot_window_ms=self.window_ms,
            boot_patience_ms=self.window_ms,
            storage_suffices=bool(self.suffices),
            hold_every_ms=self.hold_ms,
            shelf_timeout_ms=self.shelf_timeout_ms,
            address_lifetime_ms=3 * self.hold_ms,
            ledger_lease_ms=self.lease_ms,
            generation_every_ms=self.generation_ms,
            reference_hosts=tuple(f"host{number + 1}" for number in range(self.hosts)),
        )

    def _addresses(self, shelf: str) -> tuple[str, ...]:
        return tuple(f"{shelf}/{path + 1}" for path in range(self.paths))

    def _group(self, name: str, preferred: str) -> GroupConfig:
        deadline_ms = self.deadline_ms
        names = self.resource_names(name)
        resources = tuple(
            ResourceConfig(
                resource,
                deadline_ms,
                deadline_ms,
                deadline_ms,
                self.monitor_ms,
                exclusive=resource == names[-1] != names[0],
                mirror=bool(self.reserve) and resource == names[0],
                paths=PATH_TIMING if self.reserve and resource == names[0] else None,
            )
            for resource in names
        )
        legs = (
            tuple(LegConfig(shelf, self._addresses(shelf), bool(self.durable)) for shelf in SHELVES)
            if self.reserve and name not in self.bare.split(",")
            else ()
        )
        return GroupConfig(name, preferred or NODES[0], resources, failure_window_ms=self.window_ms, legs=legs)


def _count(value: str, line: str) -> int:
    if not value.isdigit():
        raise CommandError(f'cannot read "{line}": "{value}" is no number')
    return int(value)
