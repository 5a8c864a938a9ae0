"""The driver's side of a guest's resident agent: requests with answers, and events stamped on arrival."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aoeha.rack.machines.host import RackError

__all__ = ["Completed", "GuestEvent", "GuestLink", "Switchboard", "now_ms"]

LINE_MAX = 4 << 20


def now_ms() -> int:
    """The rack's one clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(frozen=True, slots=True)
class GuestEvent:
    """Something that a guest said by itself, at the driver's time."""

    at_ms: int
    guest: str
    kind: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ran in a guest. `code` is None when it was killed at its deadline."""

    code: int | None
    out: str
    err: str


class GuestLink:
    """One connection to one boot of a guest. Dead for ever when the guest dies."""

    def __init__(self, guest: str, writer: asyncio.StreamWriter) -> None:
        self.guest = guest
        self.lost = asyncio.Event()
        self._writer = writer
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._count = 0

    async def ask(self, do: str, *, deadline_ms: int = 30_000, **arguments: Any) -> Any:
        """Have the agent do something and return its result. RackError when it fails, hangs or the guest dies."""
        if self.lost.is_set():
            raise RackError(f"cannot reach guest {self.guest}: it is not running")
        self._count += 1
        number = self._count
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        request = {"id": number, "do": do, "deadline_ms": deadline_ms, **arguments}
        self._writer.write(json.dumps(request).encode() + b"\n")
        try:
            return await asyncio.wait_for(future, deadline_ms / 1000 + 2)
        except TimeoutError:
            raise RackError(f"guest {self.guest} did not answer {do!r} within {deadline_ms + 2000} ms") from None
        finally:
            self._answers.pop(number, None)

    async def run(self, *argv: str, deadline_ms: int = 30_000, stdin: str = "", **options: Any) -> Completed:
        """Run a program in the guest to its end."""
        result = await self.ask("run", deadline_ms=deadline_ms, argv=list(argv), stdin=stdin, **options)
        return Completed(result["code"], result["out"], result["err"])

    async def must(self, *argv: str, deadline_ms: int = 30_000, stdin: str = "") -> str:
        """Run a program and return its output; RackError unless it exits 0."""
        done = await self.run(*argv, deadline_ms=deadline_ms, stdin=stdin)
        if done.code != 0:
            raise RackError(
                f"{' '.join(argv)} on {self.guest} ended with {done.code}: {done.err.strip() or done.out.strip()}"
            )
        return done.out

    async def read(self, path: str) -> str:
        """Read a file in the guest without starting a process there."""
        return str(await self.ask("read", path=path, deadline_ms=10_000))

    def answer(self, message: dict[str, Any]) -> None:
        """Hand an answer to the caller that asked."""
        future = self._answers.get(message["id"])
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(RackError(f"guest {self.guest}: {message['error']}"))
        else:
            future.set_result(message["result"])

    def close(self) -> None:
        """The guest is gone: everybody who waits hears so."""
        self.lost.set()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(RackError(f"guest {self.guest} died while it was asked"))
        self._writer.close()


class Switchboard:
    """Where guests' agents dial in."""

    def __init__(self, on_event: Callable[[GuestEvent], None]) -> None:
        self._on_event = on_event
        self._links: dict[str, GuestLink] = {}
        self._arrivals: dict[str, asyncio.Future[GuestLink]] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self, address: str) -> None:
        """Listen, on whatever `port` is free."""
        self._server = await asyncio.start_server(self._serve, address, 0, limit=LINE_MAX)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def expect(self, guest: str) -> "asyncio.Future[GuestLink]":
        """A future that yields the guest's next connection."""
        future: asyncio.Future[GuestLink] = asyncio.get_running_loop().create_future()
        self._arrivals[guest] = future
        return future

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link: GuestLink | None = None
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                at_ms = now_ms()
                message = json.loads(line)
                if "id" in message:
                    if link is not None:
                        link.answer(message)
                    continue
                kind = message.pop("event")
                if kind == "hello":
                    link = GuestLink(message["name"], writer)
                    self._links[link.guest] = link
                    arrival = self._arrivals.pop(link.guest, None)
                    if arrival is not None and not arrival.done():
                        arrival.set_result(link)
                if link is not None:
                    self._on_event(GuestEvent(at_ms, link.guest, kind, message))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            if link is not None:
                link.close()
            else:
                writer.close()

    def link(self, guest: str) -> GuestLink:
        """The newest connection of a guest; one that rebooted by itself has a new one. RackError when none."""
        link = self._links.get(guest)
        if link is None or link.lost.is_set():
            raise RackError(f"guest {guest} is not running")
        return link

    def forget(self, guest: str) -> None:
        """The guest was powered off: its connection will never say so itself."""
        link = self._links.pop(guest, None)
        if link is not None:
            link.close()

    async def close(self) -> None:
        """Hang up on everybody."""
        for guest in list(self._links):
            self.forget(guest)
        if self._server is not None:
            self._server.close()
