"""Beats on a serial line: a null-modem cable between real ports, or a pseudo-terminal.

pyserial sets the port up; reading and writing use its file descriptor. Its own write() spins for ever on a line that
takes no bytes (measured with 3.5, write_timeout=0), and a beat is not worth waiting for.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import termios

import serial

from aoeha.io.link import Link, LinkFaultError, SerialSettings
from aoeha.wire.codec import SERIAL_LIMIT
from aoeha.wire.framing import FRAME_SIZE_MAX, Deframer, frame

__all__ = ["SerialLink"]

_READ_SIZE = 4_096
# Two beats may wait in the driver; with more, what arrives at the peer would be old before it is read.
_QUEUE_MAX = 2 * FRAME_SIZE_MAX


class SerialLink(Link):
    """One serial port, at 115200 baud unless told otherwise."""

    limit = SERIAL_LIMIT

    def __init__(self, name: str, settings: SerialSettings) -> None:
        super().__init__(name)
        self._settings = settings
        self._port: serial.Serial | None = None
        self._descriptor = -1
        self._deframer = Deframer()

    def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        device, baud = self._settings.device, self._settings.baud
        try:
            self._port = serial.Serial(device, baudrate=baud, timeout=0, write_timeout=0, exclusive=True)
            self._descriptor = self._port.fileno()
            os.set_blocking(self._descriptor, False)
            _wait_for_a_byte(self._descriptor)
        except (OSError, ValueError, termios.error) as error:
            self._disconnect()
            raise LinkFaultError(
                f"cannot open serial port {device} at {baud} baud: {_reason(error)}; {self._advice()}"
            ) from error
        self._deframer = Deframer()
        loop.add_reader(self._descriptor, self._read)

    def _disconnect(self) -> None:
        port, descriptor = self._port, self._descriptor
        self._port, self._descriptor = None, -1
        if descriptor >= 0:
            if self._loop is not None:
                self._loop.remove_reader(descriptor)
            # What still waits in the driver is thrown away: close() would wait up to 30 s for it to leave.
            with contextlib.suppress(termios.error):
                termios.tcflush(descriptor, termios.TCIOFLUSH)
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()

    def _is_connected(self) -> bool:
        return self._descriptor >= 0

    def _transmit(self, data: bytes) -> None:
        if _queued_bytes(self._descriptor) > _QUEUE_MAX:
            raise BlockingIOError
        framed = frame(data)
        if os.write(self._descriptor, framed) < len(framed):
            # The rest is dropped: the next frame begins with a delimiter, so the peer loses this beat only.
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


def _reason(error: BaseException) -> str:
    # pyserial wraps the kernel's error in sentences of its own, and the lock's in a puzzling one.
    match error:
        case serial.SerialException(errno=None, __context__=termios.error() as inner):
            return _reason(inner)
        case OSError(errno=errno.EWOULDBLOCK):
            return "another program has it open"
        case OSError(errno=int(number)):
            return os.strerror(number)
        case termios.error():
            return str(error.args[-1])
        case _:
            return str(error)


def _wait_for_a_byte(descriptor: int) -> None:
    # pyserial sets VMIN 0, under which an empty read could be "nothing yet" as well as "hung up".
    attributes = termios.tcgetattr(descriptor)
    attributes[6][termios.VMIN] = 1
    attributes[6][termios.VTIME] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _queued_bytes(descriptor: int) -> int:
    answer: bytes = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])
