"""Feeding the kernel's watchdog: after turns of the loop whose invariants held, and for no other reason.

A daemon that hangs, or that no longer turns without a fault, stops feeding; the kernel then resets the machine, which
nothing in it can prevent. Nobody takes that for a proof: the peer goes by what it sees.

No timer and no thread feeds: a thread makes the one call that a turn asked for, because a driver behind a management
controller may take seconds for it.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

from aoeha.core.model.conditions import Level
from aoeha.io.blocking import bounded_call
from aoeha.io.watchdog import Watchdog, WatchdogError

__all__ = ["Feeding"]

MEALS_A_TIMEOUT = 4
CALL_DEADLINE_MS = 5_000

Mode = Literal["required", "automatic", "off"]


class Feeding:
    """One daemon's use of the watchdog. `opening` sets it going; `say` takes what people must know.

    A daemon that starts afresh opens it at once. One that succeeds a killed one in the same boot finds it counting, and
    opens it as its first meal, a quarter of the time-out later: opening and dying both count as feeding for the kernel,
    and a daemon that dies at each start must not live on them.
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
        """Open it, unless this daemon follows another one. Raises WatchdogError when it is required and cannot be."""
        self._fed_ms = now_ms
        if not self._is_wanted or is_restart:
            return
        await self._serve_meal()
        if self._watchdog is None and self._mode == "required":
            raise WatchdogError(f'{self.fault}; mend that, or set mode = "automatic" below [watchdog]')

    def turned(self, now_ms: int) -> None:
        """Feed it if it is time. To be called when the loop has turned without a fault, and from nowhere else."""
        is_busy = self._work is not None and not self._work.done()
        if self._is_wanted and not is_busy and now_ms - self._fed_ms >= self._every_ms:
            self._fed_ms = now_ms
            self._work = asyncio.create_task(self._serve_meal(), name="watchdog")

    async def leave(self) -> None:
        """Stop it: everything was handed over, and this machine may go on without a daemon."""
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
        """Say how things are in one line; empty where no watchdog is used."""
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
        """Do it, in a thread. A call that was given up and ends late leaves an open watchdog to be fed later on."""
        if self._watchdog is None:
            self._watchdog = self._opening()
        else:
            self._watchdog.feed()

    def _introduce(self) -> None:
        """Say what was opened, and feed it in its driver's own time when that is shorter."""
        watchdog = self._introduced = self._watchdog
        assert watchdog is not None
        if watchdog.timeout_ms:
            self._every_ms = min(self._every_ms, watchdog.timeout_ms // MEALS_A_TIMEOUT)
        self._say(Level.INFO, f"{_duty(watchdog)}, from now on")
        for caveat in watchdog.caveats:
            self._say(Level.WARNING, f"{watchdog.identity}: {caveat}")

    def _failed(self, sentence: str, *, is_missing: bool = False) -> None:
        """Say so once: where it counts already or is required an alarm, else a word, and what is missing is let be."""
        if self._watchdog is None and self._mode == "automatic":
            self._is_wanted = not is_missing
            sentence = f"{sentence}; goes on without: a daemon that hangs is left to the other gateway"
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
