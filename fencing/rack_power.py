#!/usr/bin/env python3
"""The power switch of aoeha's virtual rack. Executed, this file is a fence_* program.

The switch speaks lines over TCP: `status PLUG` is answered by `on` or `off`, `off PLUG` and `on PLUG` by `ok`,
anything else by `error SENTENCE`.
"""

import asyncio
import ipaddress
import re
import sys
from typing import Annotated, ClassVar

from msgspec import Meta

from aoeha.agents.duration_type import Duration
from aoeha.agents.fence_cli import fence_main
from aoeha.agents.interface import AgentError, FenceAgent, Parameters
from aoeha.core.model.task import PlugState
from aoeha.io.host import Host

REPLY_MAX_BYTES = 1024
PLUG_SHAPE = re.compile(r"[!-~]{1,64}", re.ASCII)


class RackPowerParameters(Parameters, frozen=True):
    """Where the switch listens, and how long one exchange with it may take, connecting included."""

    address: Annotated[str, Meta(description="IP address of the power switch")]
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the power switch")] = 7700
    deadline: Annotated[
        Duration, Meta(description='how long one exchange may take, connecting included, like "4s"')
    ] = 4_000

    def __post_init__(self) -> None:
        """Refuse names: fencing must not wait for a name server."""
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            raise ValueError(f'address: expected an IP address like "10.77.1.1", got "{self.address}"') from None


class RackPower(FenceAgent[RackPowerParameters]):
    """Switches guests of the virtual rack on and off, and reads which of them run."""

    parameters_type: ClassVar[type[Parameters]] = RackPowerParameters
    summary: ClassVar[str] = "Power switch of aoeha's virtual rack"

    def __init__(self, name: str, parameters: RackPowerParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self.fault = ""
        """Why the last status was UNKNOWN, as a sentence; empty when it was not."""

    async def power_off(self, plug: str) -> None:
        """Return when the switch said ok."""
        await self._order("off", plug)

    async def power_on(self, plug: str) -> None:
        """Return when the switch said ok."""
        await self._order("on", plug)

    async def status(self, plug: str) -> PlugState:
        """Read the plug. UNKNOWN for everything but the very words on and off; `fault` then says why."""
        try:
            reply = await self._exchange("status", plug)
        except AgentError as fault:
            self.fault = str(fault)
            return PlugState.UNKNOWN
        self.fault = "" if reply in ("on", "off") else f'cannot read plug {plug}: {self._switch} answered "{reply}"'
        return {"on": PlugState.ON, "off": PlugState.OFF}.get(reply, PlugState.UNKNOWN)

    async def monitor(self) -> None:
        """Return when the switch answers at all: a request that it can't know must be refused by `error`."""
        reply = await self._exchange("hello", self.name)
        if not reply.startswith("error"):
            raise AgentError(f'cannot trust {self._switch}: it answered "{reply}" to a request that it cannot know')

    @property
    def _switch(self) -> str:
        return f"the power switch at {self.parameters.address} port {self.parameters.port}"

    async def _order(self, verb: str, plug: str) -> None:
        reply = await self._exchange(verb, plug)
        if reply != "ok":
            raise AgentError(f'cannot switch plug {plug} {verb}: {self._switch} answered "{reply}"')

    async def _exchange(self, verb: str, plug: str) -> str:
        """One request on a connection of its own, so that a late answer can never be taken for that to a later one."""
        if not PLUG_SHAPE.fullmatch(plug):
            raise AgentError(f"cannot {verb} plug {plug!r}: a plug's name has no blanks and at most 64 characters")
        try:
            async with asyncio.timeout(self.parameters.deadline / 1000):
                return await self._ask(f"{verb} {plug}\n".encode("ascii"))
        except TimeoutError:
            why = f"no answer within {self.parameters.deadline} ms"
        except (OSError, EOFError, ValueError) as fault:
            why = str(fault)
        raise AgentError(f"cannot {verb} plug {plug}: {self._switch}: {why}; is the switch alive and cabled?")

    async def _ask(self, request: bytes) -> str:
        reader, writer = await asyncio.open_connection(
            self.parameters.address, self.parameters.port, limit=REPLY_MAX_BYTES
        )
        try:
            writer.write(request)
            line = await reader.readline()
        finally:
            writer.transport.abort()
        if not line.endswith(b"\n"):
            raise EOFError("it closed the connection without an answer")
        return line.decode("ascii", errors="backslashreplace").rstrip("\r\n")


if __name__ == "__main__":
    sys.exit(fence_main(RackPower))
