"""A power switch for tests: the rack's line protocol over TCP, with the ways in which real switches fail."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum


class Manner(Enum):
    """How the switch behaves."""

    HONEST = "does what it says"
    LIAR = "says ok and does nothing"
    DEAD = "takes connections and never answers"
    HANGING_UP = "closes the connection at once"
    GARBAGE = "answers bytes that mean nothing"
    ENDLESS = "answers a line without an end"
    LATE = "answers after `delay_s`"


@dataclass
class PowerSwitch:
    """State of the plugs and of the switch itself; `requests` is what it was asked, in order."""

    plugs: dict[str, str]
    manner: Manner = Manner.HONEST
    delay_s: float = 0.0
    requests: list[str] = field(default_factory=list)
    port: int = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Listen on a free port of the loopback interface while the context lasts; yields the port."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self.port
        finally:
            server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(10):
                while line := await reader.readline():
                    if not await self._respond(line.decode().strip(), writer):
                        break
        writer.close()

    async def _respond(self, request: str, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(request)
        match self.manner:
            case Manner.DEAD:
                return True
            case Manner.HANGING_UP:
                return False
            case Manner.GARBAGE:
                writer.write(b"\xff\x00off\xfe\n")
            case Manner.ENDLESS:
                writer.write(b"off " * 10_000)
            case Manner.LATE:
                await asyncio.sleep(self.delay_s)
                writer.write(self._answer(request))
            case _:
                writer.write(self._answer(request))
        await writer.drain()
        return True

    def _answer(self, request: str) -> bytes:
        verb, _, plug = request.partition(" ")
        if verb not in ("on", "off", "status") or plug not in self.plugs:
            return b"error no such request or plug\n"
        if verb == "status":
            return f"{self.plugs[plug]}\n".encode()
        if self.manner is not Manner.LIAR:
            self.plugs[plug] = verb
        return b"ok\n"
