"""Beats as UDP datagrams through one interface, between two fixed addresses (IPv4 or IPv6).

No name is ever resolved. The socket is bound to the interface, so that a link whose path is cut fails instead of
silently taking another path. What comes from another address than the peer's is counted and dropped. Addresses can be
forged, so no safety rests on that; but a machine that only repeats what it once heard is not listened to.
"""

import errno
import socket
from typing import TYPE_CHECKING

from aoeha.io.link import Link, LinkBusyError, LinkFaultError, UdpSettings
from aoeha.wire.codec import UDP_LIMIT

if TYPE_CHECKING:
    import asyncio

__all__ = ["UdpLink", "open_socket", "peer_sockaddr"]

_DATAGRAMS_A_TURN = 64


class UdpLink(Link):
    """One UDP path."""

    limit = UDP_LIMIT

    def __init__(self, name: str, settings: UdpSettings) -> None:
        super().__init__(name)
        self._settings = settings
        self._socket: socket.socket | None = None
        self._peer: tuple[str | int, ...] = ()
        self._peer_packed = b""

    def _connect(self, loop: "asyncio.AbstractEventLoop") -> None:
        settings = self._settings
        try:
            self._socket = open_socket(settings)
            self._peer = peer_sockaddr(settings)
            self._peer_packed = socket.inet_pton(_family(settings.peer_address), settings.peer_address)
        except OSError as error:
            self._disconnect()
            if error.errno == errno.EADDRINUSE:
                raise LinkBusyError(
                    f"cannot open UDP port {settings.port} of {settings.own_address} on {settings.interface}: another "
                    f"program has it; `ss -ulpn sport = :{settings.port}` names it"
                ) from error
            raise LinkFaultError(
                f"cannot open UDP port {settings.port} of {settings.own_address} on {settings.interface}: "
                f"{error.strerror or error}; {self._advice()}"
            ) from error
        loop.add_reader(self._socket.fileno(), self._read)

    def _disconnect(self) -> None:
        opened, self._socket = self._socket, None
        if opened is not None:
            if self._loop is not None:
                self._loop.remove_reader(opened.fileno())
            opened.close()

    def _is_connected(self) -> bool:
        return self._socket is not None

    def _transmit(self, data: bytes) -> None:
        assert self._socket is not None
        self._socket.sendto(data, self._peer)

    def _read(self) -> None:
        for _ in range(_DATAGRAMS_A_TURN):
            if self._socket is None:
                return
            try:
                data, source = self._socket.recvfrom(UDP_LIMIT + 1)
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(f"cannot receive on {self._place()}: {error.strerror}; {self._advice()}")
                return
            if not 0 < len(data) <= UDP_LIMIT:
                self.counters["noise"] += 1
            elif self._is_peer(source[0]):
                self._deliver(data)
            else:
                self.counters["strangers"] += 1

    def _is_peer(self, source: str) -> bool:
        address, _, _ = source.partition("%")
        return socket.inet_pton(_family(address), address) == self._peer_packed

    def _place(self) -> str:
        return f"{self._settings.interface} from {self._settings.own_address} to {self._settings.peer_address}"

    def _advice(self) -> str:
        return f"look at `ip address show dev {self._settings.interface}`, the cable and the firewall"


def open_socket(settings: UdpSettings) -> socket.socket:
    """Return a non-blocking socket on the link's interface, address and port. Raises OSError."""
    opened = socket.socket(_family(settings.own_address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, settings.interface.encode())
        opened.bind(_sockaddr(settings, settings.own_address))
    except OSError:
        opened.close()
        raise
    return opened


def peer_sockaddr(settings: UdpSettings) -> tuple[str | int, ...]:
    """Return the destination of the link's datagrams. Raises OSError unless it is a numeric address of this family."""
    if _family(settings.own_address) is not _family(settings.peer_address):
        raise OSError(f"its peer {settings.peer_address} is of another address family")
    return _sockaddr(settings, settings.peer_address)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _sockaddr(settings: UdpSettings, address: str) -> tuple[str | int, ...]:
    # Checked here because the socket module would ask DNS for anything that is not numeric.
    socket.inet_pton(_family(address), address)
    if _family(address) is socket.AF_INET:
        return address, settings.port
    # The scope matters for link-local addresses only and is ignored for others (ipv6(7)).
    return address, settings.port, 0, socket.if_nametoindex(settings.interface)
