"""Addresses of this node's interfaces, over rtnetlink. The only file that imports pyroute2."""

import asyncio
import errno
import socket
from ipaddress import IPv4Interface, IPv6Interface

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

__all__ = ["add_address", "has_address", "link_is_up", "remove_address"]

REPLY_DEADLINE_S = 2
IFA_F_NODAD = 0x02
IFF_UP = 0x1
FOR_EVER_S = 0xFFFFFFFF
"""INFINITY_LIFE_TIME of the kernel's addrconf: an address with this lifetime never expires."""
MISSING = (errno.EADDRNOTAVAIL, errno.ENODEV)


async def add_address(interface: str, address: IPv4Interface | IPv6Interface, lifetime_s: int | None = None) -> None:
    """Add an address, or take over the one that is there. Raises OSError (ENODEV without such an interface).

    With a lifetime the kernel itself removes the address when it was not added again in time; adding it again begins
    its lifetime anew and never takes it away meanwhile. Without one it stays for ever, also one that had a lifetime.

    IPv6 goes without duplicate detection: the peer is known to be off, and a tentative address answers nobody.
    """
    extra: dict[str, object] = {"flags": IFA_F_NODAD}
    if isinstance(address, IPv4Interface):
        extra = {} if address.network.prefixlen >= 31 else {"broadcast": str(address.network.broadcast_address)}
    lifetime = FOR_EVER_S if lifetime_s is None else lifetime_s
    await _change("replace", interface, address, {**extra, "valid_lft": lifetime, "preferred_lft": lifetime})


async def remove_address(interface: str, address: IPv4Interface | IPv6Interface) -> None:
    """Remove an address; one that is not there, or whose interface is gone, is removed already. Raises OSError."""
    try:
        await _change("del", interface, address, {})
    except OSError as error:
        if error.errno not in MISSING:
            raise


async def has_address(interface: str, address: IPv4Interface | IPv6Interface) -> bool:
    """Tell whether the interface has the address now. Raises OSError (ENODEV without such an interface)."""
    index = _index(interface)
    async with asyncio.timeout(REPLY_DEADLINE_S), AsyncIPRoute() as netlink:
        async for message in await netlink.addr("dump", index=index, family=_family(address)):
            own = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            if own == str(address.ip):
                return True
    return False


async def link_is_up(interface: str) -> bool:
    """Tell whether the interface is set up (whether its cable works is another matter). Raises OSError."""
    index = _index(interface)
    async with asyncio.timeout(REPLY_DEADLINE_S), AsyncIPRoute() as netlink:
        for message in await netlink.link("get", index=index):
            return bool(message["flags"] & IFF_UP)
    return False


async def _change(verb: str, interface: str, address: IPv4Interface | IPv6Interface, extra: dict[str, object]) -> None:
    index = _index(interface)
    try:
        async with asyncio.timeout(REPLY_DEADLINE_S), AsyncIPRoute() as netlink:
            await netlink.addr(verb, index=index, address=str(address.ip), prefixlen=address.network.prefixlen, **extra)
    except NetlinkError as error:
        raise OSError(error.code, str(error)) from None


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        raise OSError(errno.ENODEV, f"there is no interface {interface}") from None


def _family(address: IPv4Interface | IPv6Interface) -> socket.AddressFamily:
    return socket.AF_INET if isinstance(address, IPv4Interface) else socket.AF_INET6
