"""Beats on a serial line: a null-modem cable between real ports, or a pseudo-terminal.

A beat never waits: what the line does not take at once is dropped.
"""

import asyncio
import os

from aoeha.io.link import Link, LinkBusyError, LinkFaultError, SerialSettings
from aoeha.io.serial_port import PortBusyError, PortError, SerialPort, open_port
from aoeha.wire.codec import SERIAL_LIMIT
from aoeha.wire.framing import FRAME_SIZE_MAX, Deframer, frame

__all__ = ["SerialLink"]

_READ_SIZE = 4_096
# Two beats may wait in the driver. With more, beats would be old before the peer reads them.
_QUEUE_MAX = 2 * FRAME_SIZE_MAX


class SerialLink(Link):
    """One serial port, at 115200 baud by default."""

    limit = SERIAL_LIMIT

    def __init__(self, name: str, settings: SerialSettings) -> None:
        super().__init__(name)
        self._settings = settings
        self._port: SerialPort | None = None
        self._descriptor = -1
        self._deframer = Deframer()

    def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        device, baud = self._settings.device, self._settings.baud
        try:
            self._port = open_port(device, baud)
        except PortBusyError as error:
            raise LinkBusyError(f"cannot open serial port {device}: {error}; `fuser -v {device}` names it") from error
        except PortError as error:
            raise LinkFaultError(
                f"cannot open serial port {device} at {baud} baud: {error}; {self._advice()}"
            ) from error
        self._descriptor = self._port.descriptor
        self._deframer = Deframer()
        loop.add_reader(self._descriptor, self._read)

    def _disconnect(self) -> None:
        port, descriptor = self._port, self._descriptor
        self._port, self._descriptor = None, -1
        if port is None:
            return
        if self._loop is not None:
            self._loop.remove_reader(descriptor)
        port.close()

    def _is_connected(self) -> bool:
        return self._descriptor >= 0

    def _transmit(self, data: bytes) -> None:
        if self._port is None or self._port.queued_bytes() > _QUEUE_MAX:
            raise BlockingIOError
        framed = frame(data)
        if os.write(self._descriptor, framed) < len(framed):
            # The rest is dropped. The next frame begins with a delimiter, so the peer loses only this beat.
            raise BlockingIOError

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(f"lost serial port {self._settings.device}: {error.strerror}; {self._advice()}")
            return
        if not data:
            self._lose(f"lost serial port {self._settings.device}: it hung up; {self._advice()}")
            return
        for payload in self._deframer.feed(data):
            self._deliver(payload)
        self.counters["noise"] += self._deframer.dropped
        self._deframer.dropped = 0

    def _place(self) -> str:
        return f"serial port {self._settings.device}"

    def _advice(self) -> str:
        return "check the device and the cable"
