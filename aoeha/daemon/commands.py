"""Requests on the control socket: what is only looked at is answered here, the rest is the core's to decide."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aoeha.core.model.actions import Answer
from aoeha.core.model.conditions import Code
from aoeha.core.model.events import CommandGiven
from aoeha.core.model.exits import Exit
from aoeha.daemon import request_words
from aoeha.daemon.event_log import EventLog, Sentence
from aoeha.daemon.fence_history import FenceHistory
from aoeha.daemon.successor import RestartRefusedError
from aoeha.io import clock
from aoeha.io.control_socket import Connection, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Commands"]

ANSWER_DEADLINE_MS = 900_000
"""The core answers in bounded time. This bound is against our own bugs, so that no client waits for ever."""
EVENTS_SHOWN = 50
INTERNAL_VERBS = frozenset({"leave"})


class Commands:
    """Answers clients. `document` gives the status document, `give` hands a command to the core or refuses it.

    `restart` prepares the daemon's successor, which takes over when the client has its answer.
    """

    def __init__(
        self,
        document: Callable[[], dict[str, Any]],
        give: Callable[[CommandGiven], bool],
        event_log: EventLog,
        fences: FenceHistory,
        restart: Callable[[], Awaitable[None]],
    ) -> None:
        self._document = document
        self._restart = restart
        self._fences = fences
        self._give = give
        self._event_log = event_log
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._last_id = 0

    async def handle(self, request: Request, connection: Connection) -> None:
        """Answer one client."""
        unclear = request_words.why_unclear(request)
        if unclear:
            _usage(connection, unclear)
            return
        match request.verb:
            case "status" | "why":
                document = self._document()
                connection.done(Exit.DONE, Code.COMMAND_DONE, str(document["why"]["sentence"]), document)
            case "events":
                await self._events(request, connection)
            case "fence-history":
                self._fence_history(request, connection)
            case "restart":
                await self._start_anew(connection)
            case verb if verb in INTERNAL_VERBS:
                _usage(connection, f"cannot {verb} through this socket: use `systemctl stop aoeha`")
            case _:
                await self._command(request, connection)

    def answer(self, answer: Answer) -> None:
        """Pass the core's answer to whoever waits for it; one that has gone needs none."""
        waiting = self._waiting.pop(answer.command_id, None)
        if waiting and not waiting.done():
            waiting.set_result(answer)

    def next_id(self) -> int:
        """Return a command number that was not used before."""
        self._last_id += 1
        return self._last_id

    async def _command(self, request: Request, connection: Connection) -> None:
        text = request.arguments.get(request_words.WAIT, "0")
        wait_ms = request_words.number(text)
        if wait_ms is None or wait_ms >= ANSWER_DEADLINE_MS:
            shown = request_words.shown(text)
            _usage(connection, f"cannot wait {shown} ms: expected a number below {ANSWER_DEADLINE_MS}")
            return
        command_id = self.next_id()
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = waiting
        user, arguments = connection.caller.user, request.arguments
        try:
            with self._listening(connection):
                if not self._give(CommandGiven(clock.now_ms(), command_id, request.verb, user, arguments)):
                    sentence = f"cannot {request.verb}: too much else waits to be handled; try again"
                    connection.done(Exit.FAILED, Code.COMMAND_REFUSED_BUSY, sentence)
                    return
                async with asyncio.timeout(ANSWER_DEADLINE_MS / 1_000):
                    answer = await waiting
            connection.done(answer.exit_code, answer.code, answer.sentence)
        except TimeoutError:
            sentence = f"cannot tell how {request.verb} ended: no answer within {ANSWER_DEADLINE_MS // 1_000} s"
            connection.done(Exit.TIMED_OUT, Code.COMMAND_TIMED_OUT, f"{sentence}; look with `aoeha status`")
        finally:
            self._waiting.pop(command_id, None)

    async def _start_anew(self, connection: Connection) -> None:
        try:
            await self._restart()
        except RestartRefusedError as refused:
            connection.done(refused.exit_code, refused.code, str(refused))
        else:
            sentence = "the daemon starts anew, and what runs goes on running"
            connection.done(Exit.DONE, Code.COMMAND_BEGUN, sentence)

    async def _events(self, request: Request, connection: Connection) -> None:
        """Show the newest sentences (argument `number`) and, with `follow` set to `true`, those still to come."""
        count = _number(request, connection, "events")
        if count is None:
            return
        ring = self._event_log.ring
        with self._listening(connection):
            for said in list(ring)[max(0, len(ring) - count) :]:
                _pass_on(connection, said)
            if request.arguments.get("follow") == "true":
                # Until the client goes away, which cancels us.
                await asyncio.Event().wait()
        connection.done(Exit.DONE, Code.COMMAND_DONE, "")

    def _fence_history(self, request: Request, connection: Connection) -> None:
        """Show the newest attempts to switch power (argument `number`), oldest first."""
        count = _number(request, connection, "attempts")
        if count is not None:
            document = {"schema": 1, "attempts": self._fences.attempts(count)}
            connection.done(Exit.DONE, Code.COMMAND_DONE, "", document)

    @contextmanager
    def _listening(self, connection: Connection) -> "Iterator[None]":
        def listener(said: Sentence) -> None:
            _pass_on(connection, said)

        self._event_log.listeners.add(listener)
        try:
            yield
        finally:
            self._event_log.listeners.discard(listener)


def _number(request: Request, connection: Connection, what: str) -> int | None:
    """Return how many are wanted, or None after a refusal was sent."""
    text = request.arguments.get("number", str(EVENTS_SHOWN))
    count = request_words.number(text)
    if count is None:
        _usage(connection, f"cannot show {request_words.shown(text)} {what}: expected a number")
    return count


def _usage(connection: Connection, sentence: str) -> None:
    connection.done(Exit.USAGE, Code.COMMAND_USAGE, sentence)


def _pass_on(connection: Connection, said: Sentence) -> None:
    told = said.condition
    subject = {"kind": told.subject.kind.value, "name": told.subject.name}
    connection.say(said.level.value, told.code.value, subject, told.sentence, ends=said.ends, wall_ms=said.wall_ms)
