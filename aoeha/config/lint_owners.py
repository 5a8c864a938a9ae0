"""Every thing has one owner: a hardware address, a leg, an address, a mount point, a server, a serial line, an outlet.

Groups run on different gateways: what two of them name is used by both gateways at once. And where two ends have one
name, nobody can tell them apart: with one hardware address for both gateways the shelves let both write.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from aoeha.agents.narrow_types import HostAddress
from aoeha.config.fence_devices import parameters_for
from aoeha.config.findings import KeyFinding, KeyPath
from aoeha.config.schema import Configuration, Link, Resource, SerialLink, UdpLink

__all__ = ["owned_lines", "owned_outlets", "owned_ports", "owned_things"]

_Owned = tuple[object, str, KeyPath]
"""What is owned, by whom in words, and the key that says so."""


def owned_ports(configuration: Configuration) -> Iterator[KeyFinding]:
    """Judge the hardware addresses of gateways and shelves: the shelves know a gateway by nothing else."""
    gateways: list[_Owned] = [
        (address, f"{interface} of {node.name}", ("node", number, "storage", interface))
        for number, node in enumerate(configuration.nodes)
        for interface, address in node.storage.items()
    ]
    yield from _twice("hardware address", gateways)
    taken = {address: owner for address, owner, _ in gateways}
    for number, group in enumerate(configuration.groups):
        # Legs of two groups may be disks of one shelf. Both legs of a mirror in one shelf are lost together.
        shelves: list[_Owned] = [
            (address, f"leg {leg.name}", ("group", number, "leg", inner, "address"))
            for inner, leg in enumerate(group.legs)
            for address in leg.address
        ]
        yield from _twice("hardware address", shelves, taken)


def owned_things(configuration: Configuration) -> Iterator[KeyFinding]:
    """Judge what groups and their resources name: none of it may belong to two of them."""
    legs: dict[tuple[str, str], _Owned] = {}
    found: dict[str, list[_Owned]] = {}
    for number, group in enumerate(configuration.groups):
        for inner, leg in enumerate(group.legs):
            # One leg twice in one group is a name given twice, which is told as such.
            path: KeyPath = ("group", number, "leg", inner, "name")
            legs.setdefault((leg.name, group.name), (leg.name, f"group {group.name}", path))
        for inner, resource in enumerate(group.resources):
            for what, thing, key in _things(resource):
                owned = thing, f"{resource.name} of group {group.name}", ("group", number, "resource", inner, *key)
                found.setdefault(what, []).append(owned)
    yield from _twice("leg", legs.values())
    for what, things in found.items():
        yield from _twice(what, things, _own_addresses(configuration.links) if what == "service address" else {})
    yield from _below_another(found.get("mount point", []))


def owned_lines(configuration: Configuration) -> Iterator[KeyFinding]:
    """Judge serial lines: a line has one user."""
    lines: list[_Owned] = [
        ((node, device), f"link {link.name}", ("link", number, "device"))
        for number, link in enumerate(configuration.links)
        if isinstance(link, SerialLink)
        for node, device in (link.device if isinstance(link.device, dict) else {"": link.device}).items()
    ]
    yield from _twice("serial line", lines)
    taken = {device[1]: owner for device, owner, _ in lines if isinstance(device, tuple)}
    for number, fence in enumerate(configuration.fences):
        devices: dict[_Owned, None] = {
            (value, f"fence {fence.name}", ("fence", number, "parameters", key)): None
            for node in fence.plug
            for key, value in parameters_for(fence, node).items()
            if isinstance(value, str)
        }
        yield from (finding for device in devices for finding in _twice("serial line", (device,), taken))


def owned_outlets(configuration: Configuration) -> Iterator[KeyFinding]:
    """Judge outlets. One that two devices of a level stand for is one proof and not two."""
    outlets: list[_Owned] = [
        (
            (fence.type, _text(parameters_for(fence, node)), plug),
            f"plug {plug} of {node} on fence {fence.name}",
            ("fence", number, "plug", node),
        )
        for number, fence in enumerate(configuration.fences)
        for node, plug in fence.plug.items()
    ]
    yield from _twice("outlet", outlets)


def _things(resource: Resource) -> Iterator[tuple[str, object, KeyPath]]:
    """Yield what a resource of our own agents has for itself, as far as its parameters can be read."""
    parameters = resource.parameters
    match resource.type:
        case "address" if (address := _address(parameters.get("address"))) is not None:
            yield "service address", address, ("parameters", "address")
        case "filesystem":
            yield from _texts(parameters, {"directory": "mount point", "device": "volume"})
        case "raid":
            yield from _texts(parameters, {"device": "device for the mirror", "uuid": "UUID for the mirror"})
            legs = parameters.get("legs")
            for leg in dict.fromkeys(map(str, legs)) if isinstance(legs, list) else ():
                yield "disk", leg, ("parameters", "legs")
        case "nfs":
            yield "kernel's NFS server", None, ("type",)
        case _:
            pass


def _texts(parameters: Mapping[str, Any], keys: Mapping[str, str]) -> Iterator[tuple[str, object, KeyPath]]:
    for key, what in keys.items():
        if isinstance(value := parameters.get(key), str):
            yield what, value, ("parameters", key)


def _own_addresses(links: Iterable[Link]) -> dict[object, str]:
    """Return the gateways' own addresses. A service address that is one of them goes when the service stops."""
    return {
        address: f"{node} on link {link.name}"
        for link in links
        if isinstance(link, UdpLink)
        for node, text in link.address.items()
        if (address := _address(text)) is not None
    }


def _twice(what: str, things: Iterable[_Owned], taken: Mapping[Any, str] | None = None) -> Iterator[KeyFinding]:
    """Yield a finding for everything that somebody before has, or that is `taken` already."""
    owners = dict(taken or {})
    for thing, owner, path in things:
        other = owners.setdefault(thing, owner)
        if other != owner:
            shown = f' "{thing}"' if isinstance(thing, str | HostAddress) else " one"
            yield KeyFinding(path, f"expected a {what} of its own for {owner}, got{shown}, which {other} has")


def _below_another(mounts: list[_Owned]) -> Iterator[KeyFinding]:
    """Yield a finding for each mount point below one of another group: it may be on the other gateway's volume."""
    for inner, _, path in mounts:
        for outer, other, elsewhere in mounts:
            if path[1] != elsewhere[1] and inner != outer and PurePosixPath(str(inner)).is_relative_to(str(outer)):
                yield KeyFinding(path, f'expected a mount point outside "{outer}", which {other} has, got "{inner}"')


def _address(text: object) -> HostAddress | None:
    try:
        return ipaddress.ip_address(text.partition("/")[0]) if isinstance(text, str) else None
    except ValueError:
        return None


def _text(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameters, sort_keys=True, default=str)
