"""The power switch: a line protocol on the LAN that kills and boots guests.

`status PLUG` answers `on` or `off`, `off PLUG` and `on PLUG` answer `ok` when it is done, all else `error SENTENCE`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aoeha.rack.machines.guest import Guest
from aoeha.rack.machines.host import RackError

__all__ = ["PowerSwitch", "Switched"]

LINE_MAX = 256


@dataclass(frozen=True, slots=True)
class Switched:
    """One request, for the power log: who asked, the line, the answer."""

    client: str
    request: str
    answer: str


class PowerSwitch:
    """Serves plugs by name; each feeds the guest of that name until it is rewired.

    `dead` drops every connection, as a switch without power would. `delay_ms` is how long it takes for everything.
    `lies` is a planted failure: it answers as asked and does nothing.
    """

    def __init__(
        self,
        plugs: dict[str, Guest],
        log: Callable[[Switched], None],
        power_on: Callable[[str], Awaitable[None]],
        power_off: Callable[[str], Awaitable[None]],
    ) -> None:
        self.dead = False
        self.lies = False
        self.delay_ms = 0
        self._claimed: dict[str, str] = {}
        self._plugs: dict[str, Guest | None] = dict(plugs)
        self._log = log
        self._power_on = power_on
        self._power_off = power_off
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def open(self, address: str, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, address, port, limit=LINE_MAX)

    def die(self) -> None:
        """Take the switch itself away: connections break, new ones get no answer."""
        self.dead = True
        for client in self._clients:
            client.transport.abort()

    def rewire(self, plug: str, guest: Guest | None) -> None:
        """Have a plug feed another guest from now on, or none: such a plug switches without effect."""
        self._plugs[plug] = guest
        self._claimed.pop(plug, None)
        if guest is None:
            self._claimed[plug] = "on"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = str(writer.get_extra_info("peername")[0])
        self._clients.add(writer)
        try:
            while not self.dead and (line := await reader.readline()):
                request = line.decode(errors="replace").strip()
                await asyncio.sleep(self.delay_ms / 1_000)
                answer = await self._obey(request)
                self._log(Switched(client, request, answer))
                writer.write(answer.encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    async def _obey(self, request: str) -> str:
        match request.split():
            case [("status" | "off" | "on"), plug] if plug not in self._plugs:
                return f"error there is no plug {plug}"
            case [("off" | "on") as state, plug] if self.lies or self._plugs[plug] is None:
                self._claimed[plug] = state
                return "ok"
            case ["status", plug] if plug in self._claimed:
                return self._claimed[plug]
            case [("status" | "off" | "on") as verb, plug] if (guest := self._plugs[plug]) is not None:
                return await self._switch(verb, guest)
            case _:
                return "error say status, off or on and the name of a plug"

    async def _switch(self, verb: str, guest: Guest) -> str:
        match verb:
            case "status":
                return "on" if guest.is_on else "off"
            case "off":
                try:
                    await self._power_off(guest.name)
                except RackError as error:
                    return f"error {error}"
            case _:
                await self._power_on(guest.name)
        return "ok"

    async def close(self) -> None:
        """Stop serving."""
        self.die()
        if self._server is not None:
            self._server.close()
