"""The lag of the loop: the time from when an event was due or occurred to when it was handled."""

from collections import deque

__all__ = ["WINDOW_MS", "LoopLag"]

WINDOW_MS = 60_000
SLICE_MS = 1_000


class LoopLag:
    """The greatest lag of the last minute, kept as one maximum for each second."""

    def __init__(self) -> None:
        self._slices: deque[tuple[int, int]] = deque(maxlen=WINDOW_MS // SLICE_MS)

    def note(self, due_ms: int, now_ms: int) -> None:
        """Record that an event that was due at `due_ms` is handled now."""
        lag_ms = max(0, now_ms - due_ms)
        begun_ms = now_ms - now_ms % SLICE_MS
        if self._slices and self._slices[-1][0] == begun_ms:
            lag_ms = max(lag_ms, self._slices.pop()[1])
        self._slices.append((begun_ms, lag_ms))

    def greatest_ms(self, now_ms: int) -> int:
        """Return the greatest lag of the last minute, 0 for none."""
        return max((lag for begun_ms, lag in self._slices if begun_ms > now_ms - WINDOW_MS), default=0)
