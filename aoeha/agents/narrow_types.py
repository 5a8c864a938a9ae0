r"""The types of what aoeha.toml names: interfaces, addresses, paths. Each is as narrow as the kernel's own.

A pattern ends with `\Z`: `$` also matches before a final newline, and then a name breaks every line that it stands in.
"""

import ipaddress
import re
import unicodedata
from typing import Annotated

from msgspec import Meta

__all__ = [
    "AbsolutePath",
    "DevicePath",
    "HardwareAddress",
    "HostAddress",
    "Interface",
    "Target",
    "beyond_range",
    "host_address",
    "is_plain",
    "service_address",
]

HostAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_COMPONENTS = r"(/(?!\.{1,2}(/|\Z))[^/]{1,255})+\Z"

Interface = Annotated[
    str,
    Meta(
        pattern=r"\A(?!\.{1,2}\Z)[!-+.0-9;-~-]{1,15}\Z",
        description='the name of a network interface like "eth0", of at most 15 characters',
    ),
]
"""What the kernel takes (dev_valid_name in net/core/dev.c), of ASCII alone. A comma parts the names of a module."""

HardwareAddress = Annotated[
    str,
    Meta(
        pattern=r"\A(?!00(:00){5})[0-9a-f][02468ace](:[0-9a-f]{2}){5}\Z",
        description='the hardware address of one port like "02:00:00:00:00:0a", in small letters',
    ),
]
"""No group address (the lowest bit of the first byte), and not the one of no port at all."""

AbsolutePath = Annotated[
    str,
    Meta(
        pattern=rf"\A{_COMPONENTS}",
        max_length=1_000,
        description='a plain absolute path like "/srv/volume", without "//", "." and ".." in it',
    ),
]

DevicePath = Annotated[
    str,
    Meta(
        pattern=rf"\A/dev{_COMPONENTS}",
        max_length=1_000,
        description='a device below /dev like "/dev/sda", without "//", "." and ".." in it',
    ),
]

Target = Annotated[
    str,
    Meta(
        pattern=r"\Ae(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,2})\Z",
        description='a target like "e1.0"',
    ),
]
"""Which numbers there are, `beyond_range` tells."""

_SHELVES, _SLOTS = 65_535, 255
"""The greatest number of each stands for all of them in the protocol (AoE, revision 11)."""


def beyond_range(target: str) -> str:
    """Return why there can be no such target, or '' if there can."""
    shelf, slot = (int(number) for number in target.removeprefix("e").split("."))
    if shelf < _SHELVES and slot < _SLOTS:
        return ""
    return f"expected a shelf from 0 to {_SHELVES - 1} and a slot from 0 to {_SLOTS - 1}, got {target}"


def is_plain(text: str) -> bool:
    """Tell whether a text has neither control characters nor anything else that does not show as what it is."""
    return all(character == " " or unicodedata.category(character)[0] not in "CZ" for character in text)


def host_address(text: str, *, on_a_link: bool = False) -> HostAddress:
    """Return the address of one host that others can send to. Raises ValueError with a sentence.

    `on_a_link`: its interface is known besides, so an address that is valid on one link only will do.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f'expected an IP address without a mask like "192.0.2.11", got "{text}"') from None
    is_link_local = isinstance(address, ipaddress.IPv6Address) and address.is_link_local and address.scope_id is None
    if not (on_a_link and is_link_local) and (refused := _no_host(address)):
        raise ValueError(f'expected the address of one host, got "{text}", {refused}')
    return address


def service_address(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    """Return the address and prefix length under which clients know a service. Raises ValueError with a sentence."""
    if not re.search(r"/[0-9]{1,3}\Z", text):
        raise ValueError(f'expected an address with its prefix length, like "{text}/24"')
    address = ipaddress.ip_interface(text)
    network = address.network
    if refused := _no_host(address.ip):
        raise ValueError(f'expected the address of one host, got "{text}", {refused}')
    if not network.prefixlen:
        raise ValueError(f'expected the prefix length of a network, got "{text}", which is the whole world')
    if network.num_addresses > 2 and address.ip == network.network_address:
        raise ValueError(f'expected the address of one host, got "{text}", which is the network itself')
    if network.version == 4 and network.num_addresses > 2 and address.ip == network.broadcast_address:
        raise ValueError(f'expected the address of one host, got "{text}", which is that of all hosts there')
    return address


def _no_host(address: HostAddress) -> str:
    """Return what an address stands for if that is no host that others can send to, else ''."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None or address.is_link_local:
            return "which is valid on one link only; give the interface an address of its own"
        if address.ipv4_mapped is not None:
            return f"which is IPv4; write {address.ipv4_mapped}"
    kinds = (
        (address.is_unspecified, "which stands for no host"),
        (address.is_loopback, "which never leaves the host"),
        (address.is_multicast, "which is that of a group"),
        (address == ipaddress.ip_address("255.255.255.255"), "which is that of all hosts"),
    )
    return next((words for is_so, words in kinds if is_so), "")
