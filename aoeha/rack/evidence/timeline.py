"""A drill as it happens, for people: who noticed what, when, by which proof, and when the client went on."""

import re
import sys
from collections.abc import Callable

from aoeha.rack.machines.guest_link import GuestEvent, now_ms

__all__ = ["Timeline"]

PAUSE_MS = 300
"""A client that waits longer than this for an answer has noticed something."""

SAID = re.compile(r"<(?P<priority>\d)>(?P<text>.*)")
DIM, BOLD, RED, GREEN, YELLOW, PLAIN = "\033[2m", "\033[1m", "\033[31m", "\033[32m", "\033[33m", "\033[0m"


class Timeline:
    """Prints one line for everything worth telling. Times are seconds since the plug was pulled, once it was."""

    def __init__(self, write: Callable[[str], object] = print, *, colour: bool | None = None) -> None:
        self._write = write
        self._colour = sys.stdout.isatty() if colour is None else colour
        self._zero_ms = now_ms()
        self._is_pulled = False
        self._last_answer_ms = 0
        self._last_write_ms = 0

    def step(self, text: str) -> None:
        """A statement of the drill begins."""
        self._line(now_ms(), "", text, DIM)

    def take(self, event: GuestEvent) -> None:
        """Look at an event of the rack."""
        match event.kind:
            case "line" if event.facts["source"] == "aoeha":
                self._said(event)
            case "unplugged":
                self._zero_ms, self._is_pulled = event.at_ms, True
                self._line(event.at_ms, "driver", f"pulls the plug of {event.facts['node']}", BOLD)
            case "request":
                self._line(event.at_ms, "power-switch", f"{event.facts['request']} -> {event.facts['answer']}", YELLOW)
            case "answered":
                self._resumed(event, self._last_answer_ms, "the address answers again")
                self._last_answer_ms = event.at_ms
            case "acknowledged":
                self._resumed(event, self._last_write_ms, "a write is acknowledged again")
                self._last_write_ms = event.at_ms
            case "started" if event.facts["name"] == "aoeha":
                self._line(event.at_ms, event.guest, "aoeha is started", DIM)
            case "ended" if event.facts["name"] == "aoeha":
                self._line(event.at_ms, event.guest, f"aoeha ended with {event.facts['code']}", RED)

    def _resumed(self, event: GuestEvent, before_ms: int, what: str) -> None:
        gap_ms = event.at_ms - before_ms
        if before_ms and gap_ms >= PAUSE_MS:
            self._line(event.at_ms, "client", f"{what}, after {gap_ms / 1000:.2f} s", GREEN)

    def _said(self, event: GuestEvent) -> None:
        found = SAID.match(event.facts["text"])
        if found is None:
            self._line(event.at_ms, event.guest, event.facts["text"], RED)
            return
        colour = RED if int(found["priority"]) <= 2 else YELLOW if int(found["priority"]) <= 4 else ""
        self._line(event.at_ms, event.guest, found["text"], colour)

    def _line(self, at_ms: int, who: str, text: str, colour: str = "") -> None:
        seconds = (at_ms - self._zero_ms) / 1000
        time = f"{seconds:+8.3f}" if self._is_pulled else f"{seconds:8.1f}"
        body = f"{who:<13}{text}" if who else f"  {text}"
        self._write(f"{colour}{time}  {body}{PLAIN}" if self._colour and colour else f"{time}  {body}")
