"""What the daemon says to people: on stderr for the system's journal, in a ring for `aoeha events`, to who listens."""

import os
import select
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aoeha.core.model.conditions import Condition, Level
from aoeha.core.model.text import one_line
from aoeha.io import clock
from aoeha.io.systemd import JournalSocket

__all__ = ["RING_MAX", "EventLog", "Sentence"]

RING_MAX = 1_000
LINE_BYTES_MAX = 2_000
"""Below PIPE_BUF: whoever polls a pipe as writable can write so much without blocking (pipe(7))."""
PRIORITIES = {Level.INFO: 6, Level.WARNING: 4, Level.ALARM: 2}
"""Numbers of syslog(3), as sd-daemon(3) wants them in front of a line."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing that was told. `wall_ms` is since 1970; `ends`: the alarm of that code and subject is over."""

    now_ms: int
    wall_ms: int
    level: Level
    condition: Condition
    ends: bool


class EventLog:
    """Passes sentences on, never waiting for anybody to read them.

    Each goes to systemd's journal with the fields AOEHA_CODE, AOEHA_SUBJECT ("link serial") and AOEHA_ENDS ("1": an
    alarm is over), where the descriptor leads to that journal; else, or when the journal takes nothing, as a line of
    text that begins with the code, `[link.down]` or `[link.down over]`.
    """

    def __init__(self, descriptor: int = 2, journal: JournalSocket | None = None) -> None:
        self._journal = journal
        self.ring: deque[Sentence] = deque(maxlen=RING_MAX)
        self.unwritten = 0
        self.listeners: set[Callable[[Sentence], None]] = set()
        self._descriptor = descriptor
        self._is_terminal = os.isatty(descriptor)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def say(self, level: Level, condition: Condition, *, ends: bool = False) -> None:
        """Tell everybody."""
        told = Condition(condition.code, condition.subject, one_line(condition.sentence))
        said = Sentence(clock.now_ms(), clock.wall_ms(), level, told, ends)
        self.ring.append(said)
        self._write(said)
        for listener in tuple(self.listeners):
            listener(said)

    def _write(self, said: Sentence) -> None:
        told, priority = said.condition, PRIORITIES[said.level]
        loudness = "ALARM: " if said.level is Level.ALARM else ""
        message = f"{loudness}{told.subject}: {told.sentence}"
        if self._journal is not None:
            fields = {
                "AOEHA_CODE": told.code.value,
                "AOEHA_SUBJECT": str(told.subject),
                "AOEHA_ENDS": str(int(said.ends)),
            }
            if self._journal.send(priority, message, fields):
                return
        prefix = "" if self._is_terminal else f"<{priority}>"
        over = " over" if said.ends else ""
        line = f"{prefix}[{told.code.value}{over}] {message}".encode()[:LINE_BYTES_MAX] + b"\n"
        # A log that nobody empties would block us: a line is worth less than a beat.
        if not any(state & select.POLLOUT for _, state in self._poll.poll(0)):
            self.unwritten += 1
            return
        try:
            os.write(self._descriptor, line)
        except OSError:
            self.unwritten += 1
