"""A dialogue with a device that was made for people at a terminal: send text, and read the answer.

Sending and reading wait until the caller is cancelled, so put every dialogue under asyncio.timeout. The output of a
device in one dialogue is bounded: a device that sends without end is left.
"""

import asyncio
import re
from abc import ABC, abstractmethod

__all__ = ["BusyError", "Dialogue", "DialogueEndedError", "DialogueError", "StalledError"]

HEARD_MAX_BYTES = 1_048_576
"""The most bytes that a device may send in one dialogue."""
WAITING_MAX_BYTES = 16_384
"""The most bytes that it may send without an answer among them."""


class DialogueError(Exception):
    """The dialogue cannot begin or continue. The message is the bare reason, for a sentence of the caller."""


class BusyError(DialogueError):
    """Another program uses the device now. Try again in a moment."""


class DialogueEndedError(DialogueError):
    """The device, or the line to it, ended the dialogue."""


class StalledError(DialogueError):
    """The device began an answer but did not finish it, or its end was garbled."""


class Dialogue(ABC):
    """What both kinds of line share: a bounded buffer of received text that was not taken yet."""

    def __init__(self) -> None:
        self.doubt = ""
        """Why the last answer could not be used, for the sentence at a time-out."""
        self._heard = bytearray()
        self._heard_bytes = 0
        self._fault: DialogueError | None = None
        self._news = asyncio.Event()

    @abstractmethod
    async def say(self, data: bytes) -> None:
        """Return when all of the text was sent. DialogueError when the line is lost."""

    @abstractmethod
    def close(self) -> None:
        """Close at once, without waiting. Sending and reading fail from now on."""

    async def hear(self, wanted: re.Pattern[bytes], *, settle_ms: int = 0, stall_ms: int = 0) -> re.Match[bytes]:
        """Return the first match in the text since the last one. The match's `string` holds all text before it.

        With `settle_ms` a match counts only when nothing follows it for that time: an unfinished line may look like a
        prompt. With `stall_ms` StalledError when some text came, but no more for that time.
        DialogueEndedError when the line ended before, DialogueError when the device sent too much.
        """
        while True:
            match = wanted.search(bytes(self._heard))
            if match is not None:
                if not settle_ms or self._fault is not None or not await self._speaks_within(settle_ms):
                    del self._heard[: match.end()]
                    return match
            elif not stall_ms or not self._heard:
                await self._wait_for_news()
            elif not await self._speaks_within(stall_ms):
                raise StalledError("it stopped in the middle of an answer")

    async def hush(self, quiet_ms: int) -> None:
        """Return when the device was quiet for this time. Discard what it sent: that answers none of our commands."""
        self._heard.clear()
        while await self._speaks_within(quiet_ms):
            self._heard.clear()

    async def _speaks_within(self, quiet_ms: int) -> bool:
        try:
            async with asyncio.timeout(quiet_ms / 1000):
                await self._wait_for_news()
        except TimeoutError:
            return False
        return True

    async def _wait_for_news(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._news.clear()
        await self._news.wait()

    def _take(self, data: bytes, *, extra: int = 0) -> None:
        """Take received text. `extra` is the number of bytes that came with it and carry no text."""
        self._heard += data
        self._heard_bytes += len(data) + extra
        if self._heard_bytes > HEARD_MAX_BYTES or len(self._heard) > WAITING_MAX_BYTES:
            self._heard.clear()
            self._finish(DialogueError("it sends without end"))
            self.close()
        self._news.set()

    def _finish(self, fault: DialogueError) -> None:
        self._fault = self._fault or fault
        self._news.set()
