"""What the daemon says to people: on stderr for the system's journal, in a ring for `aoeha events`, to who listens."""

import os
import select
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aoeha.core.model.actions import Level
from aoeha.io import clock

__all__ = ["RING_MAX", "Sentence", "Sentences"]

RING_MAX = 1_000
LINE_BYTES_MAX = 2_000
"""Below PIPE_BUF: whoever polls a pipe as writable can write so much without blocking (pipe(7))."""
PRIORITIES = {Level.INFO: 6, Level.WARNING: 4, Level.ALARM: 2}
"""Numbers of syslog(3), as sd-daemon(3) wants them in front of a line."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing that was said. `wall_ms` is since 1970."""

    now_ms: int
    wall_ms: int
    level: Level
    about: str
    sentence: str


class Sentences:
    """Passes sentences on, never waiting for anybody to read them."""

    def __init__(self, descriptor: int = 2) -> None:
        self.ring: deque[Sentence] = deque(maxlen=RING_MAX)
        self.unwritten = 0
        self.listeners: set[Callable[[Sentence], None]] = set()
        self._descriptor = descriptor
        self._is_terminal = os.isatty(descriptor)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def say(self, level: Level, about: str, sentence: str) -> None:
        """Say a sentence to everybody."""
        said = Sentence(clock.now_ms(), clock.wall_ms(), level, about, " ".join(sentence.split()))
        self.ring.append(said)
        self._write(said)
        for listener in tuple(self.listeners):
            listener(said)

    def _write(self, said: Sentence) -> None:
        prefix = "" if self._is_terminal else f"<{PRIORITIES[said.level]}>"
        loudness = "ALARM: " if said.level is Level.ALARM else ""
        line = f"{prefix}{loudness}{said.about}: {said.sentence}".encode()[:LINE_BYTES_MAX] + b"\n"
        # A log that nobody empties would block us: a line is worth less than a beat.
        if not any(state & select.POLLOUT for _, state in self._poll.poll(0)):
            self.unwritten += 1
            return
        try:
            os.write(self._descriptor, line)
        except OSError:
            self.unwritten += 1
