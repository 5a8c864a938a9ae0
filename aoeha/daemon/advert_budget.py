"""How many adverts of a target become events: nobody needs a key to send one, and each is a step and a journal record.

An advert says that a target has started. The first is passed on at once. Those that follow within a while are taken
together: the last of them is passed on, after 100 ms, then 200 ms and so on to 1 s, and one that stays away for 10 s
begins anew. So no start goes unnoticed, the loop is never full of adverts, and a storm of a looped network does not
write over the history in the journal.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["GAP_MAX_MS", "GAP_MIN_MS", "QUIET_MS", "AdvertBudget"]

GAP_MIN_MS = 100
GAP_MAX_MS = 1_000
QUIET_MS = 10_000
STORM = 100
"""So many adverts of one address since it was quiet are no restarts."""


@dataclass(slots=True)
class _Source:
    """An address of a leg's target. `waits` while an advert is to be passed on later."""

    heard_ms: int
    passed_ms: int
    gap_ms: int = GAP_MIN_MS
    heard: int = 1
    waits: bool = False


class AdvertBudget:
    """Passes adverts on, by leg and address. There are as many sources as the configuration names addresses."""

    def __init__(self, started: Callable[[str, str], None], now_ms: Callable[[], int]) -> None:
        self.held_back = 0
        self._started = started
        self._now_ms = now_ms
        self._sources: dict[tuple[str, str], _Source] = {}

    def heard(self, leg: str, address: str) -> None:
        """Take an advert in."""
        now_ms = self._now_ms()
        source = self._sources.get((leg, address))
        if source is None or (now_ms - source.heard_ms >= QUIET_MS and not source.waits):
            self._sources[leg, address] = _Source(heard_ms=now_ms, passed_ms=now_ms)
            self._started(leg, address)
            return
        source.heard_ms = now_ms
        source.heard += 1
        if source.waits:
            self.held_back += 1
            return
        source.waits = True
        due_ms = max(0, source.passed_ms + source.gap_ms - now_ms)
        asyncio.get_running_loop().call_later(due_ms / 1_000, self._pass_on, leg, address, source)

    def fault(self) -> str:
        """Tell of a storm while it lasts, or return an empty string."""
        now_ms = self._now_ms()
        for (leg, address), source in self._sources.items():
            if source.heard >= STORM and now_ms - source.heard_ms < QUIET_MS:
                return (
                    f"{leg} at {address} announces its start again and again ({source.heard} times): look for a loop "
                    "in the storage network, and for another machine with that address"
                )
        return ""

    def _pass_on(self, leg: str, address: str, source: _Source) -> None:
        source.waits = False
        source.passed_ms = self._now_ms()
        source.gap_ms = min(2 * source.gap_ms, GAP_MAX_MS)
        self._started(leg, address)
