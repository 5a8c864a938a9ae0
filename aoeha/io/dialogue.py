"""A conversation with a device that was made for people at a terminal: say something, hear what comes back.

Nothing here waits for ever by itself, but hearing and saying wait until the caller is cancelled: put every dialogue
under asyncio.timeout. What a device may say in one dialogue is bounded; one that babbles is left.
"""

import asyncio
import re
from abc import ABC, abstractmethod

__all__ = ["BusyError", "Dialogue", "DialogueEndedError", "DialogueError", "StalledError"]

HEARD_MAX_BYTES = 1_048_576
"""What a device may say in one dialogue."""
WAITING_MAX_BYTES = 16_384
"""What it may say without an answer in it."""


class DialogueError(Exception):
    """The dialogue cannot begin or go on. The message is the reason alone, for a sentence of the caller's."""


class BusyError(DialogueError):
    """Somebody else talks to the device now. Ask again in a moment."""


class DialogueEndedError(DialogueError):
    """The device, or the line to it, ended the dialogue."""


class StalledError(DialogueError):
    """The device began an answer and did not come to its end, or the end was garbled."""


class Dialogue(ABC):
    """What both kinds of line share: what was heard and not yet taken, in a bounded buffer."""

    def __init__(self) -> None:
        self.doubt = ""
        """Why the last answer could not be used; for the sentence that is due when the time has run out."""
        self._heard = bytearray()
        self._heard_bytes = 0
        self._fault: DialogueError | None = None
        self._news = asyncio.Event()

    @abstractmethod
    async def say(self, data: bytes) -> None:
        """Return when all of it has left. DialogueError when the line is lost."""

    @abstractmethod
    def close(self) -> None:
        """Leave at once, without waiting. Saying and hearing fail from now on."""

    async def hear(self, wanted: re.Pattern[bytes], *, settle_ms: int = 0, stall_ms: int = 0) -> re.Match[bytes]:
        """Return the first match in what was said since the last one; all before it is in the match's `string`.

        With `settle_ms` a match counts only when nothing follows for so long: for prompts, which a line may look like
        that has not come to its end. With `stall_ms` StalledError when something was said, but no more for so long.
        DialogueEndedError when the line ended before, DialogueError when the device said too much.
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
        """Return when nothing was said for so long. What was said is forgotten: it answers nothing of ours."""
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

    def _take(self, data: bytes, *, besides: int = 0) -> None:
        """Take what was said; `besides`: how many bytes came with it that say nothing."""
        self._heard += data
        self._heard_bytes += len(data) + besides
        if self._heard_bytes > HEARD_MAX_BYTES or len(self._heard) > WAITING_MAX_BYTES:
            self._heard.clear()
            self._finish(DialogueError("it talks without an end"))
            self.close()
        self._news.set()

    def _finish(self, fault: DialogueError) -> None:
        self._fault = self._fault or fault
        self._news.set()
