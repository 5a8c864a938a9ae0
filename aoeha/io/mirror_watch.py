"""Watches the kernel's md for changes of a mirror: a leg that reported an error, the end of a resync.

/proc/mdstat signals POLLPRI to whoever has opened it before an array changed last (mdstat_poll and md_seq_open of
Linux's drivers/md/md.c). An asyncio loop waits for readability only, and that file is always readable. An epoll
descriptor that watches only for POLLPRI becomes readable at the right moment.

The file is never read here. A reading waits for an array that is being started, and so for its legs: the daemon stood
still for as long as a shelf took to answer (measured: 2.0 s at 2 s), and would have for ever. To open the file anew
waits for nothing, and has the same effect upon the signal.
"""

import asyncio
import os
import select
from collections.abc import Callable
from pathlib import Path

__all__ = ["MirrorWatch"]

MDSTAT = Path("/proc/mdstat")


class MirrorWatch:
    """Calls back at every change. Without a loaded md there is nothing to watch: call `listen` again later."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._file: int | None = None
        self._poll: select.epoll | None = None

    def listen(self) -> None:
        """Start watching, unless that is done already or md is not loaded."""
        if self._file is not None:
            return
        try:
            self._file = os.open(MDSTAT, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        self._poll = select.epoll()
        self._poll.register(self._file, select.EPOLLPRI)
        asyncio.get_running_loop().add_reader(self._poll.fileno(), self._noticed)

    def close(self) -> None:
        """Stop watching."""
        if self._poll is not None:
            asyncio.get_running_loop().remove_reader(self._poll.fileno())
            self._poll.close()
        if self._file is not None:
            os.close(self._file)
        self._file = self._poll = None

    def _noticed(self) -> None:
        """Open the file anew, so that the next change signals again, and only then tell of this one."""
        self.close()
        self.listen()
        self._changed()
