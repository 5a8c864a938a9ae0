"""Serial ports as file descriptors for the event loop: raw, exclusive and non-blocking.

pyserial sets the port up. Reads and writes use its file descriptor, because pyserial's own write() spins for ever on a
line that takes no bytes (measured with 3.5, write_timeout=0).
"""

import contextlib
import errno
import fcntl
import os
import struct
import termios

import serial

__all__ = ["PortBusyError", "PortError", "SerialPort", "open_port"]


class PortError(Exception):
    """The port cannot be opened. The message is the bare reason, for a sentence of the caller."""


class PortBusyError(PortError):
    """Another program has it open, or another part of this one."""


class SerialPort:
    """An open port. Reads and writes of its `descriptor` never wait."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port
        self.descriptor: int = port.fileno()

    def queued_bytes(self) -> int:
        """The number of bytes that wait in the driver to be sent."""
        answer: bytes = fcntl.ioctl(self.descriptor, termios.TIOCOUTQ, bytes(4))
        return int(struct.unpack("i", answer)[0])

    def close(self) -> None:
        """Close at once and discard what waits in the driver. The kernel would wait up to 30 s for it to leave."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self.descriptor, termios.TCIOFLUSH)
        with contextlib.suppress(OSError):
            self._port.close()


def open_port(device: str, baud: int, *, hang_up: bool = True) -> SerialPort:
    """Open a port for this program only, 8N1 without flow control. Raises PortError, PortBusyError.

    Without `hang_up`, closing leaves the line DTR up, because some devices take its fall for the end of a call.
    """
    try:
        port = serial.Serial(device, baudrate=baud, timeout=0, write_timeout=0, exclusive=True)
    except (OSError, ValueError, termios.error) as fault:
        raise _fault(fault) from fault
    try:
        os.set_blocking(port.fileno(), False)
        _set_manners(port.fileno(), hang_up=hang_up)
    except (OSError, termios.error) as fault:
        port.close()
        raise _fault(fault) from fault
    return SerialPort(port)


def _set_manners(descriptor: int, *, hang_up: bool) -> None:
    attributes = termios.tcgetattr(descriptor)
    # pyserial sets VMIN 0, under which an empty read could be "nothing yet" as well as "hung up".
    attributes[6][termios.VMIN] = 1
    attributes[6][termios.VTIME] = 0
    if not hang_up:
        attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _fault(fault: BaseException) -> PortError:
    # pyserial wraps the kernel's error in sentences of its own, and the lock's in a puzzling one.
    match fault:
        case serial.SerialException(errno=None, __context__=termios.error() as inner):
            return _fault(inner)
        case OSError(errno=errno.EWOULDBLOCK):
            return PortBusyError("another program has it open")
        case OSError(errno=errno.EBUSY as number):
            return PortBusyError(os.strerror(number))
        case OSError(errno=int(number)):
            return PortError(os.strerror(number))
        case termios.error():
            return PortError(str(fault.args[-1]))
        case _:
            return PortError(str(fault))
