"""What fence agents share whose device talks to one caller at a time and was made for people at a terminal.

Such devices put no number on their answers, so a late answer looks like one to a later question. Two rules keep it from
becoming a proof. Whatever is said before we ask is discarded. A plug's state counts only when two answers in a row
agree, the second of which was asked for after the first had come.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aoeha.agents.interface import AgentError
from aoeha.io.dialogue import BusyError, Dialogue, DialogueError

__all__ = ["UnclearError", "exchange", "steady"]

_BUSY_PAUSE_MS = 150
_DOUBT_PAUSE_MS = 100

D = TypeVar("D", bound=Dialogue)
T = TypeVar("T")


class UnclearError(Exception):
    """An answer that says nothing for certain: garbled, cut, or about something else. The message is the reason."""


async def exchange(
    begin: Callable[[], Awaitable[D]], act: Callable[[D], Awaitable[T]], *, to: str, device: str, deadline_ms: int
) -> T:
    """Begin a dialogue, do what is to be done in it, and leave. Returns what `act` returns.

    While another session holds the device it is tried again. AgentError "cannot `to`: `device`: why" when that cannot
    be done within the deadline, all included.
    """
    why = f"no answer within {deadline_ms} ms"
    current: list[D] = []
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            while True:
                try:
                    current[:] = [await begin()]
                    return await act(current[0])
                except BusyError as fault:
                    why = f"busy for {deadline_ms} ms: {fault}"
                finally:
                    for dialogue in current:
                        dialogue.close()
                await asyncio.sleep(_BUSY_PAUSE_MS / 1000)
    except TimeoutError:
        doubt = current[0].doubt if current else ""
        why = f"no clear answer within {deadline_ms} ms: {doubt}" if doubt else why
    except DialogueError as fault:
        why = str(fault)
    raise AgentError(f"cannot {to}: {device}: {why}; is it alive and cabled?")


async def steady(dialogue: Dialogue, read: Callable[[], Awaitable[T]]) -> T:
    """Read until two readings in a row agree, and return the second. An unclear one begins the count again."""
    previous: list[T] = []
    while True:
        try:
            reading = await read()
        except UnclearError as doubt:
            dialogue.doubt = str(doubt)
            previous.clear()
            await asyncio.sleep(_DOUBT_PAUSE_MS / 1000)
            continue
        if previous == [reading]:
            return reading
        if previous:
            dialogue.doubt = "two readings in a row differ"
        previous[:] = [reading]
