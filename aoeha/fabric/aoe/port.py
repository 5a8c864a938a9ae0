"""One network interface for AoE: a raw socket that sends frames and passes on received ones."""

import asyncio
import fcntl
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from aoeha.fabric.aoe.filters import FrameFilter, attach
from aoeha.fabric.aoe.frames import ETHER_TYPE, Frame, FrameError, decode, encode

__all__ = ["AoeError", "NoPrivilegeError", "Port", "PortCounters", "ethernet_interfaces"]

_ARPHRD_ETHER = 1  # linux/if_arp.h
_SIOCGIFFLAGS = 0x8913  # linux/sockios.h
_SIOCGIFMTU = 0x8921
_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_FRAME_MAX = 65_536
_FRAMES_A_WAKE = 64
"""The number of frames that are read before other work of the loop has its turn. The rest wakes it again."""


class AoeError(Exception):
    """An exchange with a target failed, or could not start. The message is a sentence."""


class NoPrivilegeError(AoeError):
    """The kernel allows raw sockets only to root (CAP_NET_RAW)."""


@dataclass(slots=True)
class PortCounters:
    """What came in since the port was opened. `garbage` was not an AoE frame. `strays` answered no open query."""

    frames: int = 0
    garbage: int = 0
    strays: int = 0


class Port:
    """A raw socket bound to one interface. Frames for other hosts and our own are not handed out.

    `receive` gets each well-formed frame of the kind to `keep` and says whether a query waited for it. It is called
    from the event loop. With `rest_ms` the port is left alone for so long when more frames wait than are read in one
    wake: what comes then beyond the kernel's buffer is lost.
    """

    def __init__(
        self,
        interface: str,
        receive: Callable[["Port", Frame], bool],
        keep: FrameFilter = FrameFilter.ANSWERS,
        rest_ms: int = 0,
    ) -> None:
        """Open the interface. AoeError when it is missing, down or no Ethernet, NoPrivilegeError without the right."""
        self.interface = interface
        self.counters = PortCounters()
        self._receive = receive
        self._rest_ms = rest_ms
        self._rest: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = _open(interface, keep)
        try:
            _refuse_unusable(self._socket, interface)
            self.mtu = _ask_kernel(self._socket, interface, _SIOCGIFMTU, "i")
            self.address: bytes = self._socket.getsockname()[4]
        except BaseException:
            self._socket.close()
            raise

    def listen(self) -> None:
        """Start passing on frames, on the running event loop."""
        self._rest = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Close the socket. A closed port may be closed again."""
        if self._rest is not None:
            self._rest.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop = None
        self._socket.close()

    def send(self, frame: Frame) -> None:
        """Send now, or drop the frame when the queue is full: queries are repeated. AoeError when it cannot be sent."""
        try:
            self._socket.send(encode(frame))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as fault:
            raise AoeError(f"cannot send on {self.interface}: {fault.strerror}") from fault

    def _readable(self) -> None:
        for _ in range(_FRAMES_A_WAKE):
            try:
                data, (_interface, _protocol, kind, _hardware, _address) = self._socket.recvfrom(_FRAME_MAX)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # An interface that went down reports it here once. An open query ends at its deadline.
                return
            if kind not in (socket.PACKET_OTHERHOST, socket.PACKET_OUTGOING):
                self._pass_on(data)
        if self._rest_ms and self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._rest = self._loop.call_later(self._rest_ms / 1_000, self.listen)

    def _pass_on(self, data: bytes) -> None:
        self.counters.frames += 1
        try:
            frame = decode(data)
        except FrameError:
            self.counters.garbage += 1
            return
        if not self._receive(self, frame):
            self.counters.strays += 1


def ethernet_interfaces() -> tuple[str, ...]:
    """Return the names of all Ethernet interfaces that are up, without loopback, in the kernel's order."""
    names = []
    for _index, name in socket.if_nameindex():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                flags = _ask_kernel(probe, name, _SIOCGIFFLAGS, "H")
            except AoeError:
                continue
        if flags & _IFF_UP and not flags & _IFF_LOOPBACK and _is_ethernet(name):
            names.append(name)
    return tuple(names)


def _refuse_unusable(raw: socket.socket, interface: str) -> None:
    flags = _ask_kernel(raw, interface, _SIOCGIFFLAGS, "H")
    if not flags & _IFF_UP:
        raise AoeError(f"cannot use {interface} for AoE: it is down; ip link set {interface} up")
    if flags & _IFF_LOOPBACK or raw.getsockname()[3] != _ARPHRD_ETHER:
        raise AoeError(f"cannot use {interface} for AoE: it is no Ethernet interface")


def _is_ethernet(interface: str) -> bool:
    with _open(interface) as probe:
        return bool(probe.getsockname()[3] == _ARPHRD_ETHER)


def _open(interface: str, keep: FrameFilter = FrameFilter.ANSWERS) -> socket.socket:
    try:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    except PermissionError as fault:
        raise NoPrivilegeError(f"cannot open a raw socket on {interface}: only root may; try sudo") from fault
    try:
        # The socket was opened without a protocol, so that it hears no other interface before it is bound to this one.
        attach(raw, keep)
        raw.bind((interface, ETHER_TYPE))
    except OSError as fault:
        raw.close()
        why = "there is no such interface; `ip link` lists the interfaces" if fault.errno == 19 else fault.strerror
        raise AoeError(f"cannot use {interface} for AoE: {why}") from fault
    return raw


def _ask_kernel(asker: socket.socket, interface: str, request: int, layout: str) -> int:
    """Return one number from struct ifreq (netdevice(7)): 16 bytes of name, then a union that begins with it."""
    try:
        answer = fcntl.ioctl(asker.fileno(), request, struct.pack("16s24x", interface.encode()))
    except OSError as fault:
        raise AoeError(f"cannot read the state of {interface}: {fault.strerror}") from fault
    (number,) = struct.unpack_from(layout, answer, 16)
    return int(number)
