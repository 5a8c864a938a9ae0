"""Watches the kernel's md for changes of a mirror: a leg that reported an error, the end of a resync.

/proc/mdstat signals POLLPRI to pollers when any array changes, until it is read again from its start (md_poll of
Linux; proc(5)). An asyncio loop waits for readability only, and that file is always readable. An epoll descriptor
that watches only for POLLPRI becomes readable at the right moment.
"""

import asyncio
import os
import select
from collections.abc import Callable
from pathlib import Path

__all__ = ["MirrorWatch"]

MDSTAT = Path("/proc/mdstat")
READ_MAX = 65_536


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
        self._take_in()

    def close(self) -> None:
        """Stop watching."""
        if self._poll is not None:
            asyncio.get_running_loop().remove_reader(self._poll.fileno())
            self._poll.close()
        if self._file is not None:
            os.close(self._file)
        self._file = self._poll = None

    def _noticed(self) -> None:
        self._take_in()
        self._changed()

    def _take_in(self) -> None:
        """Read the file from its start, so that the next change signals again."""
        assert self._file is not None
        os.lseek(self._file, 0, os.SEEK_SET)
        os.read(self._file, READ_MAX)
