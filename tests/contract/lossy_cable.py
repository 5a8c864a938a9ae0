"""A cable that loses the frames it is told to lose: a relay between two interfaces of a namespace of its own."""

import select
import socket
from collections.abc import Callable

__all__ = ["Cable"]

EVERYTHING = 0x0003
OUTGOING = 4
FRAME_BYTES = 2_048


class Cable:
    """Carries frames both ways. To be made in the namespace of its ends. `loses` is asked about each frame."""

    def __init__(self, first: str, second: str, loses: Callable[[bytes], bool]) -> None:
        self._loses = loses
        self._stop, self._stopped = socket.socketpair()
        self._ends = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING)) for _ in range(2)]
        for end, name in zip(self._ends, (first, second), strict=True):
            end.bind((name, EVERYTHING))

    def carry(self) -> None:
        """Carry frames until `stop`, then give the sockets back."""
        first, second = self._ends
        other = {first: second, second: first}
        while True:
            ready, _, _ = select.select([*self._ends, self._stopped], [], [])
            if self._stopped in ready:
                break
            for end in ready:
                frame, origin = end.recvfrom(FRAME_BYTES)
                if origin[2] != OUTGOING and not self._loses(frame):
                    other[end].send(frame)
        for used in (*self._ends, self._stop, self._stopped):
            used.close()

    def stop(self) -> None:
        """Let `carry` end."""
        self._stop.send(b"x")
