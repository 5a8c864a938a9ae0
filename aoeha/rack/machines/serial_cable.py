"""The null-modem cable between the gateways: two ptys, and a relay that can be cut or can babble."""

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
import tty
from pathlib import Path

__all__ = ["SerialCable"]

READ_BYTES = 4096
UNREAD_MAX = 2_000
"""A terminal holds 4,095 bytes (N_TTY_BUF_SIZE); this is half of it, and more than a second of beats."""
TIOCSPTLCK, TIOCGPTN = 0x40045431, 0x80045430


class SerialCable:
    """Carries bytes between two ptys. What the far end does not take in time is lost, as on a wire.

    A guest's kernel may miss the moment at which its terminal became readable, while it boots for one. Once the
    terminal is full there is no other such moment, and the line stays dead: so it is emptied before it fills.
    """

    def __init__(self) -> None:
        self._masters: list[int] = []
        self._slaves: list[int] = []
        self.ends: tuple[str, str] = ("", "")
        self.connected = True
        self.carried_bytes = [0, 0]

    def open(self, terminals: Path) -> None:
        """Make both ends in a devpts and start to carry.

        The slave ends stay open here, so that a guest may come and go.
        """
        names: list[str] = []
        for _ in range(2):
            master = os.open(terminals / "ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
            (number,) = struct.unpack("I", fcntl.ioctl(master, TIOCGPTN, bytes(4)))
            slave = os.open(terminals / str(number), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            names.append(str(terminals / str(number)))
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters.append(master)
            self._slaves.append(slave)
        self.ends = (names[0], names[1])
        loop = asyncio.get_running_loop()
        for end in range(2):
            loop.add_reader(self._masters[end], self._carry, end)

    def _carry(self, end: int) -> None:
        try:
            data = os.read(self._masters[end], READ_BYTES)
        except (BlockingIOError, OSError):
            return
        if self.connected:
            self._put(1 - end, data)
            self.carried_bytes[end] += len(data)

    def _put(self, end: int, data: bytes) -> None:
        if self._unread_bytes(end) > UNREAD_MAX:
            termios.tcflush(self._slaves[end], termios.TCIFLUSH)
        with contextlib.suppress(BlockingIOError):
            os.write(self._masters[end], data)

    def _unread_bytes(self, end: int) -> int:
        (count,) = struct.unpack("i", fcntl.ioctl(self._slaves[end], termios.FIONREAD, bytes(4)))
        return int(count)

    def babble(self, data: bytes) -> None:
        """Put noise into both ends."""
        for end in range(2):
            self._put(end, data)

    def flush(self, end: int) -> None:
        """Forget what waits for a guest that is off."""
        termios.tcflush(self._slaves[end], termios.TCIOFLUSH)

    def close(self) -> None:
        """Stop and close both ends."""
        loop = asyncio.get_running_loop()
        for master in self._masters:
            loop.remove_reader(master)
            os.close(master)
        for slave in self._slaves:
            os.close(slave)
        self._masters, self._slaves = [], []
