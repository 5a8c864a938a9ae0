"""The far end of a serial cable: a pty on which a device sees its speed and whether DTR is up, as on a real cable."""

import asyncio
import contextlib
import os
import pty
import select
import termios
import tty
from collections.abc import AsyncIterator
from typing import Protocol

LOOK_MS = 10
BYTE_S = 10 / 9_600


class SerialDevice(Protocol):
    """What hangs on the cable."""

    def dtr_rose(self, line: "PtyLine") -> None: ...

    def heard(self, line: "PtyLine", data: bytes) -> None: ...


class PtyLine:
    """`path` is the port of whoever asks the device. Nobody on the port: what the device says is lost.

    A `paced` line takes as long for each byte as a real one at 9600 baud.
    """

    def __init__(self, *, paced: bool = False) -> None:
        self._paced = paced
        self._free_at = 0.0
        self._near, far = pty.openpty()
        tty.setraw(far)
        attributes = termios.tcgetattr(far)
        attributes[2] |= termios.HUPCL  # as real ports have it at first
        termios.tcsetattr(far, termios.TCSANOW, attributes)
        self.path = os.ttyname(far)
        os.close(far)
        os.set_blocking(self._near, False)
        self.dtr = False

    @property
    def baud(self) -> int:
        """One of termios' speeds: B9600 and so on. B0 is how a port drops DTR."""
        return int(termios.tcgetattr(self._near)[5])

    def say(self, data: bytes) -> None:
        """As much as the port takes; a serial line waits for nobody."""
        if self._paced:
            loop = asyncio.get_running_loop()
            for byte in data:
                self._free_at = max(self._free_at, loop.time()) + BYTE_S
                loop.call_at(self._free_at, self._put, bytes([byte]))
        else:
            self._put(data)

    def _put(self, data: bytes) -> None:
        if not self._hung_up():
            with contextlib.suppress(BlockingIOError):
                os.write(self._near, data)

    async def serve(self, device: SerialDevice) -> None:
        # A pty tells neither speed nor DTR by an event, and one without a user is always readable.
        while True:
            self._follow_dtr(device)
            with contextlib.suppress(OSError):
                if data := os.read(self._near, 4_096):
                    device.heard(self, data)
            await asyncio.sleep(LOOK_MS / 1000)

    def close(self) -> None:
        os.close(self._near)

    def _follow_dtr(self, device: SerialDevice) -> None:
        keeps_dtr_when_closed = not termios.tcgetattr(self._near)[2] & termios.HUPCL
        up = self.baud != termios.B0 and (not self._hung_up() or (self.dtr and keeps_dtr_when_closed))
        rose, self.dtr = up and not self.dtr, up
        if rose:
            device.dtr_rose(self)

    def _hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._near, 0)
        return bool(poll.poll(0))


@contextlib.asynccontextmanager
async def cabled(device: SerialDevice, *, paced: bool = False) -> AsyncIterator[str]:
    """A device on a cable while the context lasts; yields the path of the port."""
    line = PtyLine(paced=paced)
    serving = asyncio.create_task(line.serve(device))
    try:
        yield line.path
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        line.close()
