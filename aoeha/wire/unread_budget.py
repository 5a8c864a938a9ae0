"""What cannot be read is told to the core now and then, and not as often as somebody cares to send it."""

from aoeha.core.model.events import UnreadHeard
from aoeha.core.model.unread import Unread
from aoeha.wire.receiver import Cause

__all__ = ["EVERY_MS", "UnreadBudget", "unread_event"]

EVERY_MS = 100
"""Of each link, each kind is told once in such a time: often enough for every deadtime."""


class UnreadBudget:
    """Of a flood only the first counts. What shows that the peer runs is told besides, and as rarely."""

    def __init__(self) -> None:
        self._told_ms: dict[tuple[str, Unread, bool], int] = {}

    def takes(self, link: str, cause: Cause, now_ms: int) -> bool:
        """Whether this one is told."""
        key = (link, cause.kind, cause.runs)
        if now_ms - self._told_ms.get(key, -EVERY_MS) < EVERY_MS:
            return False
        self._told_ms[key] = now_ms
        return True


def unread_event(now_ms: int, link: str, cause: Cause) -> UnreadHeard:
    """Return what the core is told."""
    return UnreadHeard(now_ms, link, cause.kind, cause.number, cause.boot_id, cause.runs)
