"""The one queue through which every event reaches the core, in the order of occurrence."""

import asyncio
from collections import deque

from aoeha.core.model.events import Event

__all__ = ["INBOX_MAX", "Inbox"]

INBOX_MAX = 1_024


class Inbox:
    """Bounded for events that others can cause without limit. Events that answer our actions are bounded by those."""

    def __init__(self) -> None:
        self.refused = 0
        self._events: deque[Event] = deque()
        self._filled = asyncio.Event()

    def offer(self, event: Event) -> bool:
        """Queue an event from outside: a beat, a report, a command. False, and counted, when too many wait."""
        if len(self._events) >= INBOX_MAX:
            self.refused += 1
            return False
        self.insist(event)
        return True

    def insist(self, event: Event) -> None:
        """Queue an event that must not be lost: the one end of a task or a Persist, the next tick."""
        self._events.append(event)
        self._filled.set()

    async def next(self) -> Event:
        """Return the oldest event, or wait for one."""
        while not self._events:
            self._filled.clear()
            await self._filled.wait()
        return self._events.popleft()
