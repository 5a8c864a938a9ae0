"""The one queue through which every event reaches the core, in the order of occurrence.

Beats have a way of their own. Of each link only the newest waits, for it says all that the older ones said, and as long
as anything else waits too, beats and the rest take turns. So nothing that others can cause makes a beat late.
"""

import asyncio
from collections import deque

from aoeha.core.model.events import BeatHeard, Event

__all__ = ["INBOX_MAX", "Inbox"]

INBOX_MAX = 1_024


class Inbox:
    """Bounded for events that others can cause without limit. Events that answer our actions are bounded by those."""

    def __init__(self) -> None:
        self.refused = 0
        self.replaced = 0
        self._beats: dict[str, BeatHeard] = {}
        self._events: deque[Event] = deque()
        self._beat_is_next = False
        self._filled = asyncio.Event()

    def hear(self, beat: BeatHeard) -> None:
        """Queue a beat, in the place of one of the same link that waits still."""
        self.replaced += beat.link in self._beats
        self._beats[beat.link] = beat
        self._filled.set()

    def offer(self, event: Event) -> bool:
        """Queue what others can cause without limit. False, and counted, when too much waits."""
        if len(self._events) >= INBOX_MAX:
            self.refused += 1
            return False
        self.insist(event)
        return True

    def insist(self, event: Event) -> None:
        """Queue an event that must not be lost, and of which there are only so many: one of our own making."""
        self._events.append(event)
        self._filled.set()

    async def next(self) -> Event:
        """Return the oldest event, or the beat that waits longest if it has its turn; or wait for one."""
        while not (self._beats or self._events):
            self._filled.clear()
            await self._filled.wait()
        takes_beat = bool(self._beats) and (self._beat_is_next or not self._events)
        self._beat_is_next = not takes_beat
        return self._beats.pop(next(iter(self._beats))) if takes_beat else self._events.popleft()
