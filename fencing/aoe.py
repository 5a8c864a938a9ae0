#!/usr/bin/env python3
"""Fencing at AoE shelves: every leg is reserved for the surviving node. Executed, this file is fence_aoe.

For pairs that Pacemaker runs. aoeha's own daemon asks the shelves itself and never comes here.

The victim is kept from the disks, not switched off: it stays alive, may answer for addresses, and its kernel keeps
repeating the writes that were refused. So only the victim itself may let itself in again (`on`), with nothing left to
write. A target that loses its reservations (vblade, whenever it restarts) accepts those writes. Where that must not be,
name a power switch in the same fencing level. MAC masks are never sent: the commonest target breaks on them.
"""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from aoeha.agents.duration_type import Duration
from aoeha.agents.fence_cli import fence_main
from aoeha.agents.interface import AgentError, FenceAgent, Parameters
from aoeha.agents.parts.inflight_io import unfinished_writes
from aoeha.core.model.task import PlugState
from aoeha.fabric.aoe.client import AoeClient, NoAnswerError, RefusedError, TargetAddress
from aoeha.fabric.aoe.frames import FrameError, Target, format_mac
from aoeha.fabric.aoe.places import Places, first_answer, usable
from aoeha.fabric.aoe.port import AoeError, ethernet_interfaces
from aoeha.fabric.aoe.probe import probe
from aoeha.io.host import Host

ADDRESSES_SHAPE = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}(,[0-9a-f]{2}(:[0-9a-f]{2}){5})*", re.ASCII | re.IGNORECASE)


DUEL_MS = 50
"""Of two nodes that fence each other at once, the one that no longer holds the first target after this time gives up
(as aoeha's own daemon does). Between looking and taking lies a fraction of it."""


class AoeParameters(Parameters, frozen=True):
    """The nodes that share the targets, and each address of each target."""

    hosts: Annotated[
        tuple[str, ...], Meta(description='both nodes with their storage interfaces: "alpha=MAC,MAC beta=MAC,MAC"')
    ]
    targets: Annotated[
        tuple[str, ...], Meta(description='each target with all its shelf\'s addresses: "e1.0=MAC,MAC e2.0=MAC"')
    ]
    interfaces: Annotated[
        tuple[str, ...], Meta(description="storage interfaces here; by default those whose MAC `hosts` names")
    ] = ()
    deadline: Annotated[Duration, Meta(description='how long one question to a target may take, like "500ms"')] = 500
    settle: Annotated[
        Duration,
        Meta(
            le=15_000, description="how long a target that makes no promise may still write what it took, at most 15s"
        ),
    ] = 5_000

    def __post_init__(self) -> None:
        """Refuse what would leave a target or a node out."""
        hosts, targets = named_addresses("hosts", self.hosts), named_addresses("targets", self.targets)
        if len(hosts) != 2:
            raise ValueError(f"hosts: expected the two nodes that share the targets, got {len(hosts)}")
        first, second = hosts.values()
        if first & second:
            raise ValueError(f"hosts: both nodes cannot have {_listed(first & second)}")
        if not targets:
            raise ValueError("targets: expected at least one; without any nothing would be fenced")
        for name in targets:
            try:
                Target.parse(name)
            except FrameError as fault:
                raise ValueError(f"targets: {fault}") from None


@dataclass(frozen=True, slots=True)
class Sight:
    """What one address of a target showed. `place` is None, and `fault` a sentence, when it can't be used to fence."""

    places: Places
    place: TargetAddress | None = None
    fault: str = ""
    owners: frozenset[bytes] = frozenset()
    lands_late: bool = False


class AoeReservation(FenceAgent[AoeParameters]):
    """Keeps a node from the AoE targets that a pair shares, by reserving each of them for the other node.

    `off` reserves every address of every target for the other node and reads back that it is so; nothing is changed
    where one of them is silent, or knows no reservations. Whoever was shut out itself cannot shut out the other one.
    `on` must run on the node that is let in again, and refuses while its kernel could still write what was refused
    before: a reboot is the way. The node is kept from its disks, not switched off.
    """

    parameters_type: ClassVar[type[Parameters]] = AoeParameters
    summary: ClassVar[str] = "Reservation of AoE targets for one node of a pair; for Pacemaker"
    cuts_power: ClassVar[bool] = False

    def __init__(self, name: str, parameters: AoeParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self.fault = ""
        """Why the last status was UNKNOWN, as a sentence; empty when it was not."""
        self._hosts = named_addresses("hosts", parameters.hosts)
        self._targets = named_addresses("targets", parameters.targets)
        self._known = frozenset[bytes]().union(*self._hosts.values())

    async def power_off(self, plug: str) -> None:
        """Return when every address of every target is reserved for the other node and was read back so.

        `settle` is waited where writes that a target took before may still reach its disk.
        """
        other = self._other(plug)
        wanted = self._hosts[other]
        async with self._shelves() as client:
            sights = await self._usable_sights(client)
            shut_out = [sight for sight in sights if sight.owners and not sight.owners & wanted]
            if shut_out and self._here(client) == {other}:
                raise AgentError(
                    f"cannot shut {plug} out: {other} is shut out itself, at {_where(shut_out[0])}; reboot {other} and "
                    "let it in with `on` first"
                )
            for sight in sights:
                await self._change(client, sight, wanted)
                if sight is sights[0] and sight.owners != wanted:
                    await asyncio.sleep(DUEL_MS / 1000)
                    await self._read_back(client, sight, wanted)
        if any(sight.lands_late for sight in sights):
            await asyncio.sleep(self.parameters.settle / 1000)

    async def power_on(self, plug: str) -> None:
        """Return when the node may read and write at every address again. Only that node itself can be believed."""
        victim = self._host(plug)
        async with self._shelves() as client:
            if plug not in self._here(client):
                raise AgentError(
                    f"cannot let {plug} in from here: only {plug} can show that its kernel has nothing left to write; "
                    f"run this on {plug}"
                )
            for target in self._targets:
                if use := unfinished_writes(target):
                    raise AgentError(
                        f"cannot let {plug} in: {use}, so what was refused before may be written now; reboot {plug}, "
                        "or end what uses it"
                    )
            sights = await self._usable_sights(client)
            for sight in sights:
                if sight.owners:
                    await self._change(client, sight, sight.owners | victim)

    async def status(self, plug: str) -> PlugState:
        """Read every address. ON where one lets the node in, OFF where every one keeps it out, else UNKNOWN."""
        self.fault = ""
        try:
            victim = self._host(plug)
            async with self._shelves() as client:
                sights = await self._look(client)
        except AgentError as fault:
            self.fault = str(fault)
            return PlugState.UNKNOWN
        if any(not sight.fault and (not sight.owners or sight.owners & victim) for sight in sights):
            return PlugState.ON
        self.fault = _faults(sights)
        return PlugState.UNKNOWN if self.fault else PlugState.OFF

    async def monitor(self) -> None:
        """Return when every address of every target answers and knows reservations."""
        async with self._shelves() as client:
            if faults := _faults(await self._look(client)):
                raise AgentError(faults)

    async def plugs(self) -> Mapping[str, str]:
        """Return the two nodes, without other names."""
        return dict.fromkeys(self._hosts, "")

    @contextlib.asynccontextmanager
    async def _shelves(self) -> AsyncIterator[AoeClient]:
        try:
            async with AoeClient(usable(self.parameters.interfaces or self._own_interfaces())) as client:
                yield client
        except AoeError as fault:
            raise AgentError(str(fault)) from None

    def _own_interfaces(self) -> tuple[str, ...]:
        found = tuple(name for name in ethernet_interfaces() if _address_of(name) in self._known)
        if not found:
            raise AgentError(
                f"cannot reach the shelves: no interface that is up here has an address of `hosts` "
                f"({_listed(self._known)}); ip link shows them; `interfaces` names others"
            )
        return found

    def _here(self, client: AoeClient) -> set[str]:
        """Return which of the nodes this machine is, by the addresses of its open interfaces."""
        own = {port.address for port in client.ports}
        return {name for name, macs in self._hosts.items() if macs & own}

    async def _look(self, client: AoeClient) -> tuple[Sight, ...]:
        """Ask all addresses at once. The targets come in the order of the parameters."""
        interfaces = tuple(port.interface for port in client.ports)
        places = (Places(name, mac, interfaces) for name, macs in self._targets.items() for mac in sorted(macs))
        return tuple(await asyncio.gather(*(self._ask(client, place) for place in places)))

    async def _ask(self, client: AoeClient, places: Places) -> Sight:
        found = await first_answer(places, lambda place: probe(client, place, self.parameters.deadline))
        if found is None:
            where, ways = f"{places.leg} at {format_mac(places.mac)}", ", ".join(places.interfaces)
            return Sight(places, fault=f"cannot reach {where}: no answer on {ways}; is the shelf alive and cabled?")
        place, seen = found
        if seen.owners is None:
            return Sight(places, place, f"cannot fence at {place}: it is {seen.sentence}")
        return Sight(places, place, owners=frozenset(seen.owners), lands_late=seen.promise.lands_late)

    async def _usable_sights(self, client: AoeClient) -> tuple[Sight, ...]:
        """Read, and refuse before anything is changed: half a fence keeps no node out and hurts the serving node."""
        sights = await self._look(client)
        if faults := _faults(sights):
            raise AgentError(f"{faults}; nothing was changed")
        for sight in sights:
            if strangers := sight.owners - self._known:
                raise AgentError(
                    f"cannot change {_where(sight)}: it is reserved for {_listed(strangers)}, which `hosts` does not "
                    "name; is it somebody else's? `aoeha aoe release` frees it; nothing was changed"
                )
        return sights

    async def _change(self, client: AoeClient, sight: Sight, wanted: frozenset[bytes]) -> None:
        if sight.place is None or sight.owners == wanted:
            return
        order = tuple(sorted(wanted))
        with contextlib.suppress(RefusedError, NoAnswerError):
            await client.reserve(sight.place, order, force=True, deadline_ms=self.parameters.deadline)
        await self._read_back(client, sight, wanted)

    async def _read_back(self, client: AoeClient, sight: Sight, wanted: frozenset[bytes]) -> None:
        assert sight.place is not None
        read = await client.read_reservation(sight.place, self.parameters.deadline)
        if frozenset(read) != wanted:
            shown = _listed(read) or "nobody"
            raise AgentError(f"cannot change {_where(sight)}: it reads as reserved for {shown} after the order")

    def _host(self, plug: str) -> frozenset[bytes]:
        if plug not in self._hosts:
            raise AgentError(f'cannot fence "{plug}": the nodes in `hosts` are {" and ".join(self._hosts)}')
        return self._hosts[plug]

    def _other(self, plug: str) -> str:
        self._host(plug)
        return next(name for name in self._hosts if name != plug)


def named_addresses(key: str, entries: Iterable[str]) -> Mapping[str, frozenset[bytes]]:
    """Parse NAME=MAC,MAC entries. ValueError says what is wrong, the parameter's name first."""
    found: dict[str, frozenset[bytes]] = {}
    for entry in entries:
        name, _, addresses = entry.partition("=")
        if not name or name in found or not ADDRESSES_SHAPE.fullmatch(addresses):
            raise ValueError(f'{key}: expected NAME=MAC,MAC with each name once, got "{entry}"')
        found[name] = frozenset(bytes.fromhex(address.replace(":", "")) for address in addresses.split(","))
    return found


def _address_of(interface: str) -> bytes:
    client = AoeClient([interface])
    client.close()
    return client.port(interface).address


def _listed(addresses: Iterable[bytes]) -> str:
    return ", ".join(format_mac(address) for address in sorted(addresses))


def _where(sight: Sight) -> str:
    return f"{sight.places.leg} at {format_mac(sight.places.mac)}"


def _faults(sights: Iterable[Sight]) -> str:
    return "; ".join(sight.fault for sight in sights if sight.fault)


if __name__ == "__main__":
    sys.exit(fence_main(AoeReservation))
