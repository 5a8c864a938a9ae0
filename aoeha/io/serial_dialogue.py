"""A dialogue over a serial port that no other program uses meanwhile."""

import asyncio
import contextlib
import os
from functools import partial

from aoeha.io.blocking import bounded_call
from aoeha.io.dialogue import BusyError, Dialogue, DialogueEndedError, DialogueError
from aoeha.io.serial_port import PortBusyError, PortError, SerialPort, open_port

__all__ = ["SerialDialogue", "open_serial_dialogue"]

_READ_SIZE = 4_096
# Opening a port takes a millisecond, except with a USB adapter that has died.
_OPEN_LIMIT_MS = 2_000
# No event says that the driver has sent everything; a byte takes 1 ms at 9600 baud.
_SENT_LOOK_MS = 5
_FAREWELL_MS = 1_000


async def open_serial_dialogue(device: str, baud: int) -> "SerialDialogue":
    """Open the port, and leave DTR up when it closes. BusyError while another program has it, DialogueError."""
    try:
        port = await bounded_call(
            f"opening {device}", partial(open_port, device, baud, hang_up=False), deadline_ms=_OPEN_LIMIT_MS
        )
    except (PortBusyError, TimeoutError) as fault:
        raise BusyError(str(fault)) from None
    except PortError as fault:
        raise DialogueError(str(fault)) from None
    return SerialDialogue(port)


class SerialDialogue(Dialogue):
    """Reads and writes the descriptor when the loop reports it ready."""

    def __init__(self, port: SerialPort) -> None:
        super().__init__()
        self._port: SerialPort | None = port
        self._descriptor = port.descriptor
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)

    async def say(self, data: bytes) -> None:
        """Return when the driver has sent all of it, so that closing cuts no command in the middle."""
        while data:
            data = data[self._write(data) :]
            if data:
                await self._room()
        while self._queued_bytes():  # noqa: ASYNC110  # the kernel offers no event for it
            await asyncio.sleep(_SENT_LOOK_MS / 1000)

    def close(self) -> None:
        """Close at once. The last text may still leave within a second: half a command could mean something else."""
        port, self._port = self._port, None
        if port is not None:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._let_go(port, self._loop.time() + _FAREWELL_MS / 1000)
        self._finish(DialogueEndedError("the port is closed"))

    def _let_go(self, port: SerialPort, latest: float) -> None:
        with contextlib.suppress(OSError):
            if port.queued_bytes() and self._loop.time() < latest:
                self._loop.call_later(_SENT_LOOK_MS / 1000, self._let_go, port, latest)
                return
        port.close()

    def _open_port(self) -> SerialPort:
        if self._port is None:
            raise self._fault or DialogueEndedError("the port is closed")
        return self._port

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._open_port().descriptor, data)
        except BlockingIOError:
            return 0
        except OSError as fault:
            raise DialogueEndedError(f"the port is lost: {fault.strerror}") from None

    def _queued_bytes(self) -> int:
        try:
            return self._open_port().queued_bytes()
        except OSError as fault:
            raise DialogueEndedError(f"the port is lost: {fault.strerror}") from None

    async def _room(self) -> None:
        room = asyncio.Event()
        self._loop.add_writer(self._descriptor, room.set)
        try:
            await room.wait()
        finally:
            if self._port is not None:
                self._loop.remove_writer(self._descriptor)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as fault:
            self._lose(f"the port is lost: {fault.strerror}")
            return
        if data:
            self._take(data)
        else:
            self._lose("the port hung up")

    def _lose(self, why: str) -> None:
        self._finish(DialogueEndedError(why))
        self.close()
