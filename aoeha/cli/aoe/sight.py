"""One target as this host sees it now: each of its addresses, with its holder and config string there."""

import argparse
import asyncio
from dataclasses import dataclass, replace

from aoeha.cli.aoe.interfaces import asked_interfaces, usable
from aoeha.cli.aoe.pair import Pair
from aoeha.cli.screen import print_error
from aoeha.fabric.aoe.client import AoeClient, NoAnswerError, RefusedError, TargetAddress, TargetConfig
from aoeha.fabric.aoe.frames import Target
from aoeha.fabric.aoe.port import AoeError

__all__ = ["Sight", "Spot", "look"]


@dataclass(frozen=True, slots=True)
class Spot:
    """One hardware address of a target. `place` is the path to it, None when it is configured and does not answer.

    `owners` is None when it answers but does not report its reservation.
    """

    mac: bytes
    place: TargetAddress | None = None
    string: bytes = b""
    owners: tuple[bytes, ...] | None = None
    configured: bool = True


@dataclass(frozen=True, slots=True)
class Sight:
    """A target's addresses in order, and `own`: the addresses that this host sends from or is configured with."""

    target: Target
    spots: tuple[Spot, ...]
    own: frozenset[bytes]
    interfaces: tuple[str, ...]

    @property
    def answering(self) -> tuple[Spot, ...]:
        """The addresses that answer."""
        return tuple(spot for spot in self.spots if spot.place is not None)

    @property
    def silent(self) -> tuple[Spot, ...]:
        """The configured addresses that do not answer."""
        return tuple(spot for spot in self.spots if spot.place is None)


def look(arguments: argparse.Namespace, pair: Pair | None) -> Sight:
    """Find a target's addresses and read each. Print the fault of an interface. AoeError when all have one."""
    return asyncio.run(_look(arguments, pair))


async def _look(arguments: argparse.Namespace, pair: Pair | None) -> Sight:
    target: Target = arguments.target
    leg = pair.leg(target) if pair else None
    storage = tuple(pair.storage[pair.node]) if pair and leg else ()
    wanted = asked_interfaces(arguments, storage)
    interfaces, faults = usable(wanted)
    for fault in faults.values():
        print_error(fault)
    if not interfaces:
        raise AoeError(f"cannot ask {target}: none of {', '.join(wanted)} can be used")
    async with AoeClient(interfaces) as client:
        found = [config for config in await client.discover(arguments.wait) if config.address.target == target]
        cards = frozenset(client.port(name).address for name in interfaces)
        known = leg.addresses if leg else tuple({config.address.mac for config in found})
        macs = sorted({*known, *(config.address.mac for config in found)})
        spots = (
            _read(
                client, Spot(mac, configured=mac in known), [way for way in found if way.address.mac == mac], arguments
            )
            for mac in macs
        )
        seen = await asyncio.gather(*spots)
    own = cards | (pair.hosts(pair.node) if pair and leg else frozenset())
    return Sight(target, tuple(seen), own, interfaces)


async def _read(client: AoeClient, spot: Spot, ways: list[TargetConfig], arguments: argparse.Namespace) -> Spot:
    """Ask one address. Prefer the path whose own address is in the reservation: a target accepts only its holders."""
    if not ways:
        return spot
    first = replace(spot, place=ways[0].address, string=ways[0].string)
    try:
        owners = await client.read_reservation(ways[0].address, arguments.wait)
    except (NoAnswerError, RefusedError):
        return first
    way = next((way for way in ways if client.port(way.address.interface).address in owners), ways[0])
    return replace(first, place=way.address, owners=owners)
