"""How long the operation under way may still take: an agent has no deadline of its own beside that of its task (R18).

The core gives a task more time where the legs are slow. A shorter deadline that an agent sets by itself would win: the
mount of a volume on a slow shelf was killed after a minute and begun anew, each time. What an agent calls therefore
gets what is left, less a moment in which the agent can still say what did not end.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from aoeha.io import clock

__all__ = ["ending_in", "time_left_ms"]

LAST_WORD_MS, LAST_WORD_SHARE = 1_000, 1 / 10
UNTOLD_MS = 60_000
"""Where nobody has said how long it may take."""

_ends_ms: ContextVar[int | None] = ContextVar("ends_ms", default=None)


@contextmanager
def ending_in(deadline_ms: int) -> Iterator[None]:
    """Let an operation begin that is ended after so long, by whoever calls this."""
    last_word_ms = min(LAST_WORD_MS, int(deadline_ms * LAST_WORD_SHARE))
    token = _ends_ms.set(clock.now_ms() + deadline_ms - last_word_ms)
    try:
        yield
    finally:
        with suppress(ValueError):  # An operation that ignored its end is thrown away outside of its own context.
            _ends_ms.reset(token)


def time_left_ms() -> int:
    """Return what is left of the operation's time, at least 1 ms. A task that outlives its operation has none."""
    ends_ms = _ends_ms.get()
    return UNTOLD_MS if ends_ms is None else max(ends_ms - clock.now_ms(), 1)
