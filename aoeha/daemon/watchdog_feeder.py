"""Feeds the kernel's watchdog after each turn of the loop whose invariants held, and at no other time.

A daemon that hangs, or whose turns fail, stops feeding. The kernel then resets the machine, and no program can
prevent that. The reset is not a proof: the peer relies only on what it sees itself.

No timer and no thread feeds by itself. A thread only makes the call that a turn asked for, because a driver behind a
management controller may take seconds for it.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

from aoeha.core.model.conditions import Level
from aoeha.io.blocking import bounded_call
from aoeha.io.watchdog import Watchdog, WatchdogError

__all__ = ["WatchdogFeeder"]

MEALS_A_TIMEOUT = 4
CALL_DEADLINE_MS = 5_000

Mode = Literal["required", "automatic", "off"]


class WatchdogFeeder:
    """One daemon's use of the watchdog. `opening` starts it. `say` takes the sentences for an operator.

    The first daemon of a boot opens it at once. A successor of a killed daemon finds it running and opens it a quarter
    of the time-out later, as its first feeding: the kernel counts both the open and the close at a death as feedings,
    and these two must not keep alive a daemon that dies at each start.
    """

    def __init__(
        self, mode: Mode, timeout_ms: int, opening: Callable[[], Watchdog], say: Callable[[Level, str], None]
    ) -> None:
        self.fault = ""
        self._mode = mode
        self._is_wanted = mode != "off"
        self._every_ms = timeout_ms // MEALS_A_TIMEOUT
        self._opening = opening
        self._say = say
        self._watchdog: Watchdog | None = None
        self._introduced: Watchdog | None = None
        self._said = ""
        self._fed_ms = 0
        self._work: asyncio.Task[None] | None = None

    async def begin(self, now_ms: int, *, is_restart: bool) -> None:
        """Open it unless this daemon follows another. Raises WatchdogError when it is required and cannot be opened."""
        self._fed_ms = now_ms
        if not self._is_wanted or is_restart:
            return
        await self._serve_meal()
        if self._watchdog is None and self._mode == "required":
            raise WatchdogError(f'{self.fault}; fix that, or set mode = "automatic" below [watchdog]')

    def turned(self, now_ms: int) -> None:
        """Feed it if it is time. Call this when the loop has turned without a fault, and nowhere else."""
        is_busy = self._work is not None and not self._work.done()
        if self._is_wanted and not is_busy and now_ms - self._fed_ms >= self._every_ms:
            self._fed_ms = now_ms
            self._work = asyncio.create_task(self._serve_meal(), name="watchdog")

    async def leave(self) -> None:
        """Stop it: all groups were handed over, and this machine may run without a daemon."""
        if self._work is not None:
            await self._work
        watchdog, self._watchdog, self._is_wanted = self._watchdog, None, False
        if watchdog is None:
            return
        try:
            await bounded_call("watchdog", watchdog.stop, deadline_ms=CALL_DEADLINE_MS)
        except (OSError, RuntimeError) as error:
            self._say(Level.ALARM, f"cannot stop the watchdog: {_reason(error)}; it will reset this machine")

    def sentence(self, now_ms: int) -> str:
        """Return its state in one line, empty when no watchdog is used."""
        if self._watchdog is None:
            return ""
        return f"{_duty(self._watchdog)}; fed {(now_ms - self._fed_ms) / 1_000:.1f} s ago"

    async def _serve_meal(self) -> None:
        try:
            await bounded_call("watchdog", self._open_or_feed, deadline_ms=CALL_DEADLINE_MS)
        except WatchdogError as error:
            self._failed(str(error), is_missing=error.is_missing)
        except (OSError, RuntimeError) as error:
            self._failed(f"cannot feed the watchdog: {_reason(error)}")
        else:
            self.fault = ""
            if self._introduced is not self._watchdog:
                self._introduce()

    def _open_or_feed(self) -> None:
        """Make the call in a thread. A call that was given up and ends late leaves an open watchdog to be fed later."""
        if self._watchdog is None:
            self._watchdog = self._opening()
        else:
            self._watchdog.feed()

    def _introduce(self) -> None:
        """Report what was opened, and feed it at the driver's own time-out when that is shorter."""
        watchdog = self._introduced = self._watchdog
        assert watchdog is not None
        if watchdog.timeout_ms:
            self._every_ms = min(self._every_ms, watchdog.timeout_ms // MEALS_A_TIMEOUT)
        self._say(Level.INFO, f"{_duty(watchdog)}, from now on")
        for caveat in watchdog.caveats:
            self._say(Level.WARNING, f"{watchdog.identity}: {caveat}")

    def _failed(self, sentence: str, *, is_missing: bool = False) -> None:
        """Report a fault once: as an alarm when the watchdog runs already or is required, else as an event."""
        if self._watchdog is None and self._mode == "automatic":
            self._is_wanted = not is_missing
            sentence = f"{sentence}; continuing without it: only the other gateway can detect a daemon that hangs"
            level = Level.INFO if is_missing else Level.WARNING
        else:
            self.fault = sentence
            level = Level.ALARM
        if sentence != self._said:
            self._said = sentence
            self._say(level, sentence)


def _duty(watchdog: Watchdog) -> str:
    after = f" for {watchdog.timeout_ms // 1_000} s" if watchdog.timeout_ms else ""
    return f"{watchdog.identity} resets this gateway when its daemon does not turn{after}"


def _reason(error: OSError | RuntimeError) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
