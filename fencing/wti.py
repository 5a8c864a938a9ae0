#!/usr/bin/env python3
"""A WTI network power switch (NPS, IPS, TPS, RSM ...) by telnet or at its console. Executed, it is a fence_* program.

The switch talks to people: a password prompt, a prompt `NPS>` that comes back when a command is done, `/ON n`, `/OFF n`
and a table of plugs for `/S` (NPS Series user's guide, chapter 5). It takes one telnet session at a time and refuses
others meanwhile, so this agent never stays. What the switch says to an order is ignored: only the table tells.
"""

import ipaddress
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, TypeVar

from msgspec import Meta

from aoeha.agents.duration_type import Duration
from aoeha.agents.fence_cli import fence_main
from aoeha.agents.fence_dialogue import UnclearError, exchange, steady
from aoeha.agents.interface import AgentError, FenceAgent, Parameters
from aoeha.agents.secret_file import SecretFile, SecretFileError, read_secret
from aoeha.core.model.task import PlugState
from aoeha.io.blocking import bounded_call
from aoeha.io.dialogue import BusyError, Dialogue, DialogueEndedError, StalledError
from aoeha.io.host import Host
from aoeha.io.serial_dialogue import open_serial_dialogue
from aoeha.io.telnet_dialogue import open_telnet_dialogue

PLUG_SHAPE = re.compile(r"[!-~]{1,32}", re.ASCII)
PROMPT = rb"(?P<prompt>(?:\A|[\r\n\0])[A-Z][A-Z0-9+-]{1,15}> *\Z)"
CONFIRM = rb"(?P<confirm>\(Y/N\)[ :?]*\Z)"
MORE = rb"(?P<more>Enter: ?\Z)"
USER = rb"(?P<user>(?:login|user ?name|login name) ?: *\Z)"
PASSWORD = rb"(?P<password>password: *\Z)"
REFUSED = rb"(?P<refused>(?:invalid|incorrect) (?:password|login)|access denied|locked out)"
AT_THE_DOOR = re.compile(rb"|".join((REFUSED, PASSWORD, USER, CONFIRM, PROMPT)), re.IGNORECASE)
AT_WORK = re.compile(rb"|".join((CONFIRM, MORE, PROMPT)))
DOOR_STEPS_MAX = 8
CONSOLE_QUIET_MS = 150
# A screen may pause where it happens to look like a prompt.
SETTLE_MS = 40
STALL_MS = 1_000
SECRET_LIMIT_MS = 2_000

T = TypeVar("T")


class WtiParameters(Parameters, frozen=True):
    """Where the switch is, on the network or at a serial port, and how it knows us."""

    address: Annotated[str, Meta(description="IP address of the switch, when it is reached by telnet")] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the switch")] = 23
    device: Annotated[str, Meta(description='serial port that leads to its console, like "/dev/ttyS1"')] = ""
    baud: Annotated[int, Meta(ge=300, le=115_200, description="speed of its console")] = 9_600
    user: Annotated[str, Meta(description="login name, where the switch asks for one")] = ""
    password: Annotated[SecretFile | None, Meta(description="file that holds its password alone")] = None
    deadline: Annotated[
        Duration, Meta(description='how long one visit may take, connecting and logging in included, like "8s"')
    ] = 8_000

    def __post_init__(self) -> None:
        """Refuse two ways or none, and names: fencing must not wait for a name server."""
        if bool(self.address) == bool(self.device):
            raise ValueError(
                "address: expected either the switch's IP address or, as `device`, the port of its console"
            )
        if self.device and not self.device.startswith("/"):
            raise ValueError(f'device: expected a path like "/dev/ttyS1", got "{self.device}"')
        if not self.user.isprintable():
            raise ValueError("user: expected one line of printable text")
        try:
            ipaddress.ip_address(self.address or "127.0.0.1")
        except ValueError:
            raise ValueError(f'address: expected an IP address like "10.77.1.1", got "{self.address}"') from None


@dataclass(frozen=True, slots=True)
class Outlet:
    """One line of the switch's table."""

    number: str
    name: str
    state: PlugState

    def answers_to(self, plug: str) -> bool:
        """Tell whether this is its number or its name. The switch doesn't mind the case either."""
        return bool(plug) and plug.casefold() in (self.number.casefold(), self.name.casefold())


class Wti(FenceAgent[WtiParameters]):
    """Switches plugs of a WTI power switch, and reads its table of plugs.

    A plug is named by its number or its name. off and on return when the switch took the order; whether it did as told
    is what the table says to a new session.
    """

    parameters_type: ClassVar[type[Parameters]] = WtiParameters
    summary: ClassVar[str] = "WTI network power switch, by telnet or serial console"

    def __init__(self, name: str, parameters: WtiParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self.fault = ""
        """Why the last status was UNKNOWN, as a sentence; empty when it was not."""
        self._password = ""

    async def power_off(self, plug: str) -> None:
        """Return when the switch is ready for the next command."""
        await self._order("OFF", plug)

    async def power_on(self, plug: str) -> None:
        """Return when the switch is ready for the next command."""
        await self._order("ON", plug)

    async def status(self, plug: str) -> PlugState:
        """Read the plug. UNKNOWN for everything but a line of its own that says on or off; `fault` then says why."""
        self.fault = ""
        try:
            outlets = await self._visit(f"read plug {plug}", partial(_outlets, plug=plug))
            return the_one(outlets, plug, f"read plug {plug}: {self._switch}").state
        except AgentError as fault:
            self.fault = str(fault)
            return PlugState.UNKNOWN

    async def monitor(self) -> None:
        """Return when the switch let us in and showed its table."""
        await self._visit("read the plugs", _outlets)

    async def plugs(self) -> dict[str, str]:
        """Return each plug's number with the name that the switch has for it."""
        return {outlet.number: outlet.name for outlet in await self._visit("read the plugs", _outlets)}

    async def validate(self, plug: str) -> None:
        """Raise AgentError when the password can't be read, or no plug can be called so. The switch is not asked."""
        if plug and not PLUG_SHAPE.fullmatch(plug):
            raise AgentError(f"cannot use plug {plug!r}: a plug's name has no blanks and at most 32 characters")
        try:
            await self._load_password()
        except BusyError as fault:
            raise AgentError(f"cannot log in to {self._switch}: {fault}") from None

    @property
    def _switch(self) -> str:
        way = self.parameters
        return f"the WTI switch at {way.device or f'{way.address} port {way.port}'}"

    async def _order(self, verb: str, plug: str) -> None:
        to = f"switch plug {plug} {verb.lower()}"

        async def order(console: "Console") -> None:
            outlets = await _outlets(console)
            # Its number as the table has it: nothing of the caller's text is ever typed into the switch.
            await console.command(f"/{verb} {the_one(outlets, plug, f'{to}: {self._switch}').number},Y")

        await self._visit(to, order)

    async def _visit(self, to: str, act: Callable[["Console"], Awaitable[T]]) -> T:
        """Log in, do what is to be done, log out. AgentError "cannot `to`: ...". A session for each, and none stays."""
        way = self.parameters

        async def begin() -> Dialogue:
            await self._load_password()
            if way.device:
                return await open_serial_dialogue(way.device, way.baud)
            return await open_telnet_dialogue(way.address, way.port)

        async def visit(dialogue: Dialogue) -> T:
            console = Console(dialogue, noisy=bool(way.device))
            await self._enter(console, f"cannot {to}: {self._switch}")
            try:
                done = await act(console)
            except AgentError:
                await console.leave()
                raise
            await console.leave()
            return done

        return await exchange(begin, visit, to=to, device=self._switch, deadline_ms=way.deadline)

    async def _enter(self, console: "Console", refusal: str) -> None:
        """Come to the prompt. A console may stand anywhere: at the login, at the prompt, at another user's question."""
        if self.parameters.device:
            await console.dialogue.hush(CONSOLE_QUIET_MS)
            await console.type("")
        named, tried = not (self.parameters.device and self.parameters.user), False
        for _ in range(DOOR_STEPS_MAX):
            try:
                said = await console.hear(AT_THE_DOOR)
            except DialogueEndedError as fault:
                if tried:
                    raise AgentError(
                        f"{refusal}: {fault} when it was given the password; is it the right one?"
                    ) from None
                raise BusyError(str(fault)) from None
            match said.lastgroup:
                case "prompt":
                    return
                case "confirm":
                    await console.type("N")
                case "user" if not self.parameters.user:
                    raise AgentError(f"{refusal}: it asks for a login name; set `user`")
                case "password" if not self._password:
                    raise AgentError(f"{refusal}: it asks for a password; set `password`")
                case _ if tried:
                    raise AgentError(f"{refusal}: it refuses the password or the login name")
                case "user":
                    named = True
                    await console.type(self.parameters.user)
                case "password" if not named:
                    # Another name may have been given at the console: back to the question for it, if there is one.
                    named = True
                    await console.type("")
                case "password":
                    tried = True
                    await console.type(self._password)
        raise AgentError(f"{refusal}: it asks again and again and lets nobody in")

    async def _load_password(self) -> None:
        """Read the password once, so that a later use needs no disk. BusyError while another task reads it."""
        source = self.parameters.password
        if source is None or self._password:
            return
        try:
            key, reading = f"reading {source.file}", partial(read_secret, source)
            self._password = await bounded_call(key, reading, deadline_ms=SECRET_LIMIT_MS)
        except TimeoutError as fault:
            raise BusyError(str(fault)) from None
        except SecretFileError as fault:
            raise AgentError(f"cannot log in to {self._switch}: {fault}") from None


class Console:
    """The switch's side of a terminal. On a `noisy` line a prompt that was garbled is asked for again by Enter."""

    def __init__(self, dialogue: Dialogue, *, noisy: bool) -> None:
        self.dialogue = dialogue
        self._noisy = noisy

    async def type(self, line: str) -> None:
        """Type a line and Enter."""
        await self.dialogue.say(line.encode() + (b"\r" if self._noisy else b"\r\n"))

    async def hear(self, wanted: re.Pattern[bytes]) -> re.Match[bytes]:
        """Return what the switch waits with."""
        while True:
            try:
                return await self.dialogue.hear(wanted, settle_ms=SETTLE_MS, stall_ms=STALL_MS if self._noisy else 0)
            except StalledError:
                await self.type("")

    async def leave(self) -> None:
        """Log out. While we are logged in, no other telnet session is let in, and the console is open to anybody."""
        await self.type("/X,Y")
        if self._noisy:
            await self.dialogue.hush(CONSOLE_QUIET_MS)

    async def command(self, line: str) -> str:
        """Type a command; return what was said until the prompt came back. Questions whether we are sure: yes."""
        await self.type(line)
        text = ""
        while True:
            said = await self.hear(AT_WORK)
            text += said.string[: said.start()].decode("ascii", errors="replace")
            match said.lastgroup:
                case "confirm":
                    await self.type("Y")
                case "more":
                    await self.type("")
                case _:
                    return text


async def _outlets(console: Console, plug: str = "") -> tuple[Outlet, ...]:
    """Read the table until two agree; where a plug is named, until it is not being switched any more."""

    async def read() -> tuple[Outlet, ...]:
        outlets = outlets_in(await console.command("/S"))
        if any(outlet.answers_to(plug) and outlet.state is PlugState.UNKNOWN for outlet in outlets):
            raise UnclearError(f"plug {plug} is neither on nor off: it is being switched, or its line is garbled")
        return outlets

    return await steady(console.dialogue, read)


def outlets_in(screen: str) -> tuple[Outlet, ...]:
    """Read the plug table. UnclearError when there is none, or any line of it may be cut or garbled."""
    rows = [[cell.strip() for cell in line.split("|")] for line in screen.splitlines() if "|" in line]
    headings = [cell.lower() for cell in rows[0]] if rows else []
    if not {"plug", "name", "status"} <= set(headings):
        raise UnclearError("its answer has no table of plugs")
    number, name, status = (headings.index(heading) for heading in ("plug", "name", "status"))
    outlets: dict[str, Outlet] = {}
    for row in rows[1:]:
        if len(row) != len(headings) or not PLUG_SHAPE.fullmatch(row[number]) or row[number] in outlets:
            raise UnclearError("its table of plugs is garbled")
        state = {"ON": PlugState.ON, "OFF": PlugState.OFF}.get(row[status].upper(), PlugState.UNKNOWN)
        outlets[row[number]] = Outlet(row[number], row[name], state)
    if not outlets:
        raise UnclearError("its table of plugs is empty")
    return tuple(outlets.values())


def the_one(outlets: tuple[Outlet, ...], plug: str, where: str) -> Outlet:
    """Return the plug of this number or name. AgentError "cannot `where` ..." unless there is exactly one."""
    found = [outlet for outlet in outlets if outlet.answers_to(plug)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{outlet.number} {outlet.name}".strip() for outlet in outlets)
    why = f"{len(found)} plugs are called so; use a number" if found else "there is no such plug"
    raise AgentError(f"cannot {where}: {why}; it has {known}")


if __name__ == "__main__":
    sys.exit(fence_main(Wti))
