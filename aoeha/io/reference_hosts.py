"""Pings the reference hosts, all at once, with ICMP echo requests (RFC 792, RFC 4443)."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from aoeha.io.checksum import internet_checksum

__all__ = ["answering", "echo_request", "is_reply"]

ROUNDS = 2
PACKET_BYTES = 2_048
ANSWER_SHARE = 0.8
"""The share of the patience for waiting. The rest is for ending in time."""
_ECHO = struct.Struct("!BBHHH")
_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}


async def answering(hosts: Iterable[str], patience_ms: int) -> int:
    """Ping every address twice within the patience. Return how many answered, as soon as all have.

    An address without a route does not answer. Raises OSError when this process may not send pings at all.
    """
    addresses = {ip_address(host) for host in hosts}
    families, waiting = {address.version for address in addresses}, set(addresses)
    with contextlib.ExitStack() as stack:
        sockets = {version: stack.enter_context(_socket(version)) for version in sorted(families)}
        mark = int.from_bytes(os.urandom(2), "big")
        listening = [asyncio.create_task(_hear(sock, version, mark, waiting)) for version, sock in sockets.items()]
        try:
            for number in range(ROUNDS):
                for address in sorted(waiting, key=str):
                    with contextlib.suppress(OSError):
                        sockets[address.version].sendto(echo_request(address.version, mark, number), (str(address), 0))
                wait_s = patience_ms * ANSWER_SHARE / ROUNDS / 1_000
                await asyncio.wait(listening, timeout=wait_s)
                if not waiting:
                    break
        finally:
            for task in listening:
                task.cancel()
            await asyncio.wait(listening)
    return len(addresses) - len(waiting)


def echo_request(version: int, mark: int, number: int) -> bytes:
    """Return the message. For IPv6 the kernel fills in the checksum, because it covers the addresses too."""
    bare = _ECHO.pack(_REQUEST[version], 0, 0, mark, number)
    return _ECHO.pack(_REQUEST[version], 0, internet_checksum(bare) if version == 4 else 0, mark, number)


def is_reply(version: int, packet: bytes, mark: int) -> bool:
    """Tell whether a packet (for IPv4 with its header) answers a request with this mark."""
    start = (packet[0] & 0x0F) * 4 if version == 4 and packet else 0
    if len(packet) < start + _ECHO.size:
        return False
    kind, _, _, found, _ = _ECHO.unpack_from(packet, start)
    return bool(kind == _REPLY[version] and found == mark)


def _socket(version: int) -> socket.socket:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _PROTOCOL[version])


async def _hear(sock: socket.socket, version: int, mark: int, waiting: set[IPv4Address | IPv6Address]) -> None:
    """Take each address of this family that answers out of those that are waited for; return when none is left."""
    loop = asyncio.get_running_loop()
    while any(address.version == version for address in waiting):
        packet, sender = await loop.sock_recvfrom(sock, PACKET_BYTES)
        if is_reply(version, packet, mark):
            waiting.discard(ip_address(sender[0].partition("%")[0]))
