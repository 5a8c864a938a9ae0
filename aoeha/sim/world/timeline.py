"""Virtual time: what happens next, and when. Nothing here sleeps."""

import heapq
import itertools
from collections.abc import Callable
from typing import Any

__all__ = ["Timeline"]


class Timeline:
    """Things to do at times to come. Those of one millisecond happen in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.events = 0
        self._queue: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = itertools.count()

    def after(self, delay_ms: int, act: Callable[..., object], *arguments: Any) -> None:
        """Do something so many milliseconds from now."""
        heapq.heappush(self._queue, (self.now_ms + delay_ms, next(self._order), act, arguments))

    def run_until(self, end_ms: int, afterwards: Callable[[], None]) -> None:
        """Let time pass; call `afterwards` after everything that happened."""
        queue = self._queue
        while queue and queue[0][0] <= end_ms:
            self.now_ms, _, act, arguments = heapq.heappop(queue)
            act(*arguments)
            self.events += 1
            afterwards()
        self.now_ms = max(self.now_ms, end_ms)
