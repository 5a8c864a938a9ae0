"""Wakes the TCP clients of a server that has moved, because their retry back-off may last many seconds.

A client answers a stray ACK with its view of the connection. This kernel knows no such connection and resets it, and
the client reconnects at once. Samba's CTDB (tickle ACKs) and OCF's portblock do the same.
"""

import errno
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from aoeha.io.checksum import internet_checksum

__all__ = ["Connection", "established", "tickle"]

TABLES = (Path("/proc/thread-self/net/tcp"), Path("/proc/thread-self/net/tcp6"))
ESTABLISHED = "01"
CONNECTIONS_MAX = 4_096
ACK = 0x10
HEADER_BYTES = 20
CHECKSUM_OFFSET = 16

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, order=True)
class Connection:
    """One client of a port here, as text: addresses and ports of both ends."""

    local: str
    port: int
    client: str
    client_port: int

    def __post_init__(self) -> None:
        for address, port in ((self.local, self.port), (self.client, self.client_port)):
            ip_address(address)
            if not 0 < port < 65_536:
                raise ValueError(f"{port} is no TCP port")


def established(port: int) -> tuple[Connection, ...]:
    """Return the clients connected to a TCP port now, sorted, at most 4,096 of them. Starts no process."""
    found = set()
    for table in TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, state, *_ = line.split()
            if state == ESTABLISHED and int(local.rpartition(":")[2], 16) == port:
                found.add(Connection(*_endpoint(local), *_endpoint(remote)))
    return tuple(sorted(found)[:CONNECTIONS_MAX])


def _endpoint(text: str) -> tuple[str, int]:
    """Read "0A4D010B:0801": the address as 32-bit words in this machine's byte order (proc(5))."""
    address, _, port = text.rpartition(":")
    words = bytes.fromhex(address)
    packed = b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4))
    found = ip_address(packed)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found), int(port, 16)


def tickle(connections: tuple[Connection, ...]) -> tuple[Connection, ...]:
    """Send a stray ACK to each client. Return the clients whose local address is not on this node (yet)."""
    waiting = []
    for connection in connections:
        local, client = ip_address(connection.local), ip_address(connection.client)
        family = socket.AF_INET if isinstance(local, IPv4Address) else socket.AF_INET6
        with socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_TCP) as raw:
            try:
                raw.bind((connection.local, 0))
                raw.sendto(_segment(local, connection.port, client, connection.client_port), (connection.client, 0))
            except OSError as error:
                # A full queue, or a client that cannot be reached: its own back-off remains.
                if error.errno == errno.EADDRNOTAVAIL:
                    waiting.append(connection)
    return tuple(waiting)


def _segment(local: Address, port: int, client: Address, client_port: int) -> bytes:
    """Return a bare ACK whose sequence number is none that the client expects (RFC 9293 §3.10.7.4: it answers)."""
    header = struct.pack("!HHIIBBHHH", port, client_port, 0, 0, (HEADER_BYTES // 4) << 4, ACK, 0, 0, 0)
    pseudo = local.packed + client.packed + struct.pack("!II", HEADER_BYTES, socket.IPPROTO_TCP)
    checksum = internet_checksum(pseudo + header)
    return header[:CHECKSUM_OFFSET] + struct.pack("!H", checksum) + header[CHECKSUM_OFFSET + 2 :]
