"""Addresses of this node's interfaces, over rtnetlink. This is the only file that imports pyroute2."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Interface, IPv6Interface

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

__all__ = ["add_address", "has_address", "link_is_up", "remove_address", "renew_address"]

Address = IPv4Interface | IPv6Interface

REPLY_DEADLINE_S = 2
IFA_F_NODAD = 0x02
IFF_UP = 0x1
FOR_EVER_S = 0xFFFFFFFF
"""INFINITY_LIFE_TIME of the kernel's addrconf: an address with this lifetime never expires."""
MISSING = (errno.EADDRNOTAVAIL, errno.ENODEV)


async def add_address(interface: str, address: Address, lifetime_s: int | None = None) -> None:
    """Add an address, or adopt an existing one. Raises OSError (ENODEV without such an interface).

    The kernel removes it after its lifetime, within another second. Without a lifetime it stays.

    IPv6 skips the kernel's duplicate address detection, in which an address does not answer for a second or two: the
    peer is known to be off, or the network was asked before (`address_probe`).
    """
    async with _session() as netlink:
        await _replace(netlink, _index(interface), address, lifetime_s)


async def renew_address(interface: str, address: Address, lifetime_s: int | None) -> bool:
    """Restart the lifetime of an address without removing it; None means no limit. False when it is gone.

    The kernel would add a missing one (its RTM_NEWADDR asks for no NLM_F_CREATE), and one that expired in just this
    moment may be another machine's by now: such an address has a new time of creation, and is removed again.
    Raises OSError.
    """
    index = _index(interface)
    async with _session() as netlink:
        known = await _created(netlink, index, address)
        if known is None:
            return False
        await _replace(netlink, index, address, lifetime_s)
        if await _created(netlink, index, address) == known:
            return True
        await netlink.addr("del", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
        return False


async def remove_address(interface: str, address: Address) -> None:
    """Remove an address. A missing address or interface counts as removed. Raises OSError."""
    try:
        async with _session() as netlink:
            index, bits = _index(interface), address.network.prefixlen
            await netlink.addr("del", index=index, address=str(address.ip), prefixlen=bits)
    except OSError as error:
        if error.errno not in MISSING:
            raise


async def has_address(interface: str, address: Address) -> bool:
    """Tell whether the interface has the address now. Raises OSError (ENODEV without such an interface)."""
    index = _index(interface)
    async with _session() as netlink:
        return await _created(netlink, index, address) is not None


async def link_is_up(interface: str) -> bool:
    """Tell whether the interface is set up; its cable may still be bad. Raises OSError."""
    index = _index(interface)
    async with _session() as netlink:
        for message in await netlink.link("get", index=index):
            return bool(message["flags"] & IFF_UP)
    return False


@asynccontextmanager
async def _session() -> AsyncIterator[AsyncIPRoute]:
    """Talk to the kernel for two seconds at most. A refusal is an OSError."""
    try:
        async with asyncio.timeout(REPLY_DEADLINE_S), AsyncIPRoute() as netlink:
            yield netlink
    except NetlinkError as error:
        raise OSError(error.code, str(error)) from None


async def _replace(netlink: AsyncIPRoute, index: int, address: Address, lifetime_s: int | None) -> None:
    lifetime = FOR_EVER_S if lifetime_s is None else lifetime_s
    facts: dict[str, object] = {"valid_lft": lifetime, "preferred_lft": lifetime}
    if isinstance(address, IPv6Interface):
        facts["flags"] = IFA_F_NODAD
    elif address.network.prefixlen < 31:
        facts["broadcast"] = str(address.network.broadcast_address)
    bits = address.network.prefixlen
    await netlink.addr("replace", index=index, address=str(address.ip), prefixlen=bits, **facts)


async def _created(netlink: AsyncIPRoute, index: int, address: Address) -> int | None:
    """Return when the address was added, in hundredths of a second since the boot. None when it is missing."""
    async for message in await netlink.addr("dump", index=index, family=_family(address)):
        own = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if own == str(address.ip):
            return int(message.get_attr("IFA_CACHEINFO")["cstamp"])
    return None


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        raise OSError(errno.ENODEV, f"there is no interface {interface}") from None


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if isinstance(address, IPv4Interface) else socket.AF_INET6
