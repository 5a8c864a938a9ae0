"""A link: one medium that carries beats. It may break at any time, and never stops the daemon.

Nothing here blocks, raises or gives up. A beat that cannot be sent now is dropped and counted, because the next beat
says more than an old one. A medium that is missing or broken is a fault, reported as a sentence. It is opened again
with a bounded back-off while the link is open. This file does not decide whether a fault matters: beats decide.

This module and udp_link.py import nothing heavy: the first beat after a restart (aoeha.daemon.first_beat) uses them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import asyncio

__all__ = ["BACK_OFF_MAX_MS", "BACK_OFF_MS", "Link", "LinkBusyError", "LinkFaultError", "SerialSettings", "UdpSettings"]

BACK_OFF_MS = 100
BACK_OFF_MAX_MS = 1_000


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """A serial port: its device file and line speed; always 8 data bits, no parity, one stop bit, no flow control."""

    device: str
    baud: int = 115_200


@dataclass(frozen=True, slots=True)
class UdpSettings:
    """A UDP path through one interface, between two numeric addresses of one family and the same port on both."""

    interface: str
    own_address: str
    peer_address: str
    port: int = 694


class LinkFaultError(Exception):
    """The medium cannot be opened. The message is a sentence that an operator can act on."""


class LinkBusyError(LinkFaultError):
    """Another program has the port. The medium may be sound: that nobody is heard on it says nothing of the peer."""


class Link(ABC):
    """What both kinds of link share: reopening, faults as sentences, counters.

    `limit` is the greatest size of a message. `counters` tell what happened to bytes: sent, dropped (the line was
    stuck or not open), send_errors, received, noise (bytes or datagrams that were no message), strangers (datagrams
    from another address than the peer's), reopened. `is_busy`: its fault is that another program has the port.
    """

    limit: ClassVar[int]

    def __init__(self, name: str) -> None:
        self.name = name
        self.fault = ""
        self.is_busy = False
        self.counters = dict.fromkeys(
            ("sent", "dropped", "send_errors", "received", "noise", "strangers", "reopened"), 0
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_datagram: Callable[[str, bytes], None] = lambda _name, _data: None
        self._on_fault: Callable[[str, str], None] = lambda _name, _sentence: None
        self._fault_is_of_sending = False
        self._back_off_ms = BACK_OFF_MS
        self._retry: asyncio.TimerHandle | None = None

    def open(
        self,
        loop: "asyncio.AbstractEventLoop",
        on_datagram: Callable[[str, bytes], None],
        on_fault: Callable[[str, str], None],
    ) -> None:
        """Start receiving. `on_fault` gets a sentence for each change, an empty one when the link works again."""
        self._loop, self._on_datagram, self._on_fault = loop, on_datagram, on_fault
        self._try_to_connect()

    def send(self, data: bytes) -> bool:
        """Send one message now or drop it. Return whether the medium took all of it."""
        assert 0 < len(data) <= self.limit
        if not self._is_connected():
            self.counters["dropped"] += 1
            return False
        try:
            self._transmit(data)
        except BlockingIOError:
            self.counters["dropped"] += 1
            self._tell(f"cannot send on {self._place()}: it takes no more bytes; {self._advice()}", of_sending=True)
            return False
        except OSError as error:
            self.counters["send_errors"] += 1
            self._tell(f"cannot send on {self._place()}: {error.strerror}; {self._advice()}", of_sending=True)
            self._try_again_later()
            return False
        self.counters["sent"] += 1
        self._note_success()
        return True

    def close(self) -> None:
        """Stop. No callback comes afterwards."""
        self._cancel_retry()
        self._disconnect()
        self._loop = None

    @abstractmethod
    def _connect(self, loop: "asyncio.AbstractEventLoop") -> None:
        """Open the medium and watch it, or raise LinkFaultError and leave nothing open."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Close the medium without waiting for it. Does nothing when it is not open."""

    @abstractmethod
    def _is_connected(self) -> bool: ...

    @abstractmethod
    def _transmit(self, data: bytes) -> None:
        """Send all of it or raise OSError; BlockingIOError when the medium is full."""

    @abstractmethod
    def _place(self) -> str:
        """Name the medium in a sentence."""

    @abstractmethod
    def _advice(self) -> str:
        """Say what an operator should check."""

    def _deliver(self, data: bytes) -> None:
        self.counters["received"] += 1
        self._on_datagram(self.name, data)

    def _lose(self, sentence: str) -> None:
        """Close a broken medium, and start to open it again."""
        self._disconnect()
        self._tell(sentence, of_sending=False)
        self._try_again_later()

    def _try_to_connect(self) -> None:
        self._retry = None
        if self._loop is None:
            return
        self._disconnect()
        self.is_busy = False
        try:
            self._connect(self._loop)
        except LinkFaultError as fault:
            self.is_busy = isinstance(fault, LinkBusyError)
            self._tell(str(fault), of_sending=False)
            self._try_again_later()
            return
        if not self._fault_is_of_sending:
            # A send fault ends only when sending works: an interface that is down can still be opened.
            self._tell("", of_sending=False)

    def _try_again_later(self) -> None:
        if self._loop is None or self._retry is not None:
            return
        self.counters["reopened"] += 1
        self._retry = self._loop.call_later(self._back_off_ms / 1_000, self._try_to_connect)
        self._back_off_ms = min(2 * self._back_off_ms, BACK_OFF_MAX_MS)

    def _note_success(self) -> None:
        self._back_off_ms = BACK_OFF_MS
        self._cancel_retry()
        self._tell("", of_sending=False)

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _tell(self, sentence: str, *, of_sending: bool) -> None:
        self._fault_is_of_sending = of_sending
        if sentence != self.fault:
            self.fault = sentence
            self._on_fault(self.name, sentence)
