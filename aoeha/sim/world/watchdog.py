"""A kernel's watchdog: resets the machine when it is not fed in time, unless it was closed by the magic character.

A daemon that dies leaves it armed; so does one that closes it without the character (watchdog-api in the kernel's
documentation). It counts on the kernel's own clock: a machine that stands still does not count.
"""

from collections.abc import Callable

from aoeha.sim.world.timeline import Timeline

__all__ = ["Watchdog"]


class Watchdog:
    """`bite` is called when the time-out passes unfed."""

    def __init__(self, timeline: Timeline, timeout_ms: int, bite: Callable[[], None]) -> None:
        self.timeout_ms = timeout_ms
        self.armed = False
        self._timeline = timeline
        self._bite = bite
        self._fed_ms = 0

    def feed(self) -> None:
        """Arm it, or restart its time-out."""
        self.armed = True
        self._fed_ms = self._timeline.now_ms
        self._timeline.after(self.timeout_ms, self._look, self._fed_ms)

    def close(self, *, magic: bool) -> None:
        """Disarm it with the magic character; without it, it stays armed."""
        self.armed = self.armed and not magic

    def _look(self, fed_ms: int) -> None:
        if self.armed and fed_ms == self._fed_ms:
            self.armed = False
            self._bite()
