#!/usr/bin/env python3
"""Power switches that are asked over a serial line. Executed, this file is a fence_* program.

`rps10`: WTI's RPS-10 and what imitates it: up to ten modules of one outlet each, 9600 baud (RPS-10 user's guide,
chapter 4). `apcsmart`: APC's UPS-Link, 2400 baud, as Smart-UPS speak it: all that hangs on the UPS is one plug, `ups`
(register 1 and the commands Z and ^N of APC's UPS-Link specification, as apcupsd's manual tells them).
"""

import asyncio
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, ClassVar, Literal, TypeVar

from msgspec import Meta

from aoeha.agents.duration_type import Duration
from aoeha.agents.fence_cli import fence_main
from aoeha.agents.fence_dialogue import UnclearError, exchange, steady
from aoeha.agents.interface import AgentError, FenceAgent, Parameters
from aoeha.core.model.task import PlugState
from aoeha.io.dialogue import Dialogue, StalledError
from aoeha.io.host import Host
from aoeha.io.serial_dialogue import open_serial_dialogue

# Modules of a chain answer one after the other.
STALL_MS = 1_000

T = TypeVar("T")


class SerialSwitchParameters(Parameters, frozen=True):
    """Which port, and what is spoken there, at the speed that the protocol prescribes."""

    device: Annotated[str, Meta(description='serial port that leads to the switch, like "/dev/ttyS1"')]
    protocol: Annotated[Literal["rps10", "apcsmart"], Meta(description='"rps10" or "apcsmart"')]
    deadline: Annotated[
        Duration, Meta(description='how long one exchange may take, waiting for the port included, like "8s"')
    ] = 8_000

    def __post_init__(self) -> None:
        """Refuse what is no path."""
        if not self.device.startswith("/"):
            raise ValueError(f'device: expected a path like "/dev/ttyS1", got "{self.device}"')


class Protocol(ABC):
    """How a family of switches is asked."""

    baud: ClassVar[int]
    plug_shape: ClassVar[re.Pattern[str]]
    plugs_known: ClassVar[str]

    @abstractmethod
    async def order(self, dialogue: Dialogue, plug: str, wanted: PlugState) -> None:
        """Return when the switch took the order."""

    @abstractmethod
    async def read(self, dialogue: Dialogue, plug: str) -> PlugState:
        """Ask once. UnclearError unless the answer is whole and about this plug."""

    @abstractmethod
    async def read_all(self, dialogue: Dialogue) -> dict[str, PlugState]:
        """Ask once for every plug that there is. UnclearError unless the answer is whole."""


class Rps10(Protocol):
    """A fixed password, the module's address, one letter, Enter; answered by `Plug 0 Off` and `Complete`."""

    baud = 9_600
    plug_shape = re.compile(r"[0-9]", re.ASCII)
    plugs_known = "0 to 9, as its rotary switch says"

    password = b"\x02\x18\x18\x02\x18\x18"
    line = re.compile(rb"Plug ([0-9]) (On|Off)", re.IGNORECASE)
    # It says Ready a few seconds after the line DTR rose; what it was asked before that is lost.
    end = re.compile(rb"(?P<complete>Complete)[\r\n]+|(?P<ready>RPS-10 Ready)[\r\n]+", re.IGNORECASE)
    rest_ms = 500
    """The pause that the switch wants between two commands at 9600 baud."""

    async def order(self, dialogue: Dialogue, plug: str, wanted: PlugState) -> None:
        """Return when it said that the plug is so. That is what it was told, not what it measured."""
        said = await self._ask(dialogue, plug, b"1" if wanted is PlugState.ON else b"0")
        if said.get(plug) is not wanted:
            raise UnclearError(f"told to switch plug {plug} {wanted.value} it tells of {_told(said)}")

    async def read(self, dialogue: Dialogue, plug: str) -> PlugState:
        """Ask one module."""
        said = await self._ask(dialogue, plug, b"?")
        if set(said) != {plug}:
            raise UnclearError(f"asked about plug {plug} it tells of {_told(said)}")
        return said[plug]

    async def read_all(self, dialogue: Dialogue) -> dict[str, PlugState]:
        """Ask all modules at once."""
        said = await self._ask(dialogue, "*", b"?")
        if not said:
            raise UnclearError("it names no plug")
        return said

    async def _ask(self, dialogue: Dialogue, address: str, operation: bytes) -> dict[str, PlugState]:
        while True:
            await dialogue.hush(self.rest_ms)
            await dialogue.say(self.password + address.encode("ascii") + operation + b"\r")
            end = await _hear(dialogue, self.end)
            if end.lastgroup == "complete":
                return self._plugs(end.string[: end.start()])

    def _plugs(self, answer: bytes) -> dict[str, PlugState]:
        plugs: dict[str, PlugState] = {}
        for text in answer.replace(b"\r", b"\n").split(b"\n"):
            line = self.line.fullmatch(text)
            if line is not None:
                plug, state = line[1].decode(), PlugState.ON if line[2].lower() == b"on" else PlugState.OFF
                if plugs.setdefault(plug, state) is not state:
                    raise UnclearError(f"it says that plug {plug} is on and off")
            elif text.strip():
                raise UnclearError("its answer is garbled")
        return plugs


class ApcSmart(Protocol):
    """Single letters, answered by lines, between which the UPS drops alerts of one character."""

    baud = 2_400
    # The pair's two UPS need different names, though each is the only one on its line.
    plug_shape = re.compile(r"ups(-[!-~]{1,32})?", re.ASCII)
    plugs_known = '"ups", or "ups-NAME": everything that hangs on it'

    line_end = re.compile(rb"[\r\n]+")
    alerts = b"!$%+?=*#&|"
    quiet_ms = 300
    twice_ms = 2_000
    """Off and on must be said twice, more than 1.5 s apart."""
    lines_max = 16
    off_until_ordered, off_until_line_returns, waking, in_between = 0x40, 0x80, 0x01, 0x3F
    """Bits of register 1. `in_between`: waking up, or the load is fed past the inverter."""

    async def order(self, dialogue: Dialogue, plug: str, wanted: PlugState) -> None:
        """Return when it was said twice to a UPS that listens. It doesn't answer these commands."""
        del plug
        await dialogue.hush(self.quiet_ms)
        await self._greet(dialogue)
        letter = b"\x0e" if wanted is PlugState.ON else b"Z"
        await dialogue.say(letter)
        await asyncio.sleep(self.twice_ms / 1000)
        await dialogue.say(letter)
        # Closing the port would drop what an adapter has not sent yet.
        await dialogue.hush(self.quiet_ms)

    async def read(self, dialogue: Dialogue, plug: str) -> PlugState:
        """Read register 1. UnclearError while the output is neither plainly on nor off and staying so."""
        del plug
        await dialogue.hush(self.quiet_ms)
        await self._greet(dialogue)
        await dialogue.say(b"~")
        return self._state(await self._answer(dialogue))

    async def read_all(self, dialogue: Dialogue) -> dict[str, PlugState]:
        """Read the only plug."""
        return {"ups": await self.read(dialogue, "ups")}

    async def _greet(self, dialogue: Dialogue) -> None:
        """Ask for smart mode, and skip late answers to questions of others until it is granted."""
        await dialogue.say(b"Y")
        for _ in range(self.lines_max):
            if await self._answer(dialogue) == b"SM":
                return
        raise UnclearError("it does not go into smart mode")

    async def _answer(self, dialogue: Dialogue) -> bytes:
        while True:
            end = await _hear(dialogue, self.line_end)
            if text := end.string[: end.start()].strip().translate(None, self.alerts):
                return text

    def _state(self, answer: bytes) -> PlugState:
        if answer == b"NA":
            raise AgentError("cannot use this UPS: it does not tell whether its output is on; take another device")
        if not re.fullmatch(rb"[0-9A-F]{2}", answer):
            raise UnclearError("its register 1 is garbled")
        bits = int(answer, 16)
        if bits & self.off_until_ordered and not bits & self.in_between:
            return PlugState.OFF
        if not bits & (self.off_until_ordered | self.off_until_line_returns | self.waking):
            return PlugState.ON
        raise UnclearError(f"its output is neither on nor off for good: register 1 is {answer.decode()}")


async def _hear(dialogue: Dialogue, end: re.Pattern[bytes]) -> re.Match[bytes]:
    """Return the end of an answer. An answer that stops before is unclear; a question without one is not repeated.

    So at most one answer is due when the next question is asked, and two answers that agree are not both old.
    """
    try:
        return await dialogue.hear(end, stall_ms=STALL_MS)
    except StalledError as fault:
        raise UnclearError(str(fault)) from None


def _told(plugs: dict[str, PlugState]) -> str:
    return ", ".join(f"plug {plug} {state.value}" for plug, state in plugs.items()) or "no plug"


PROTOCOLS: dict[str, Protocol] = {"rps10": Rps10(), "apcsmart": ApcSmart()}


class SerialSwitch(FenceAgent[SerialSwitchParameters]):
    """Switches what hangs on an RPS-10 style power switch, or on an APC Smart-UPS, by a serial line.

    off and on return when the switch took the order; whether it did as told is what it says when it is asked anew,
    twice. A UPS has one plug, "ups": everything that hangs on it.
    """

    parameters_type: ClassVar[type[Parameters]] = SerialSwitchParameters
    summary: ClassVar[str] = "Serial power switch: RPS-10 style, or an APC Smart-UPS"

    def __init__(self, name: str, parameters: SerialSwitchParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self.fault = ""
        """Why the last status was UNKNOWN, as a sentence; empty when it was not."""
        self._protocol = PROTOCOLS[parameters.protocol]

    async def power_off(self, plug: str) -> None:
        """Return when the switch took the order."""
        await self._order(plug, PlugState.OFF)

    async def power_on(self, plug: str) -> None:
        """Return when the switch took the order."""
        await self._order(plug, PlugState.ON)

    async def status(self, plug: str) -> PlugState:
        """Read the plug. UNKNOWN for everything but two clear answers that agree; `fault` then says why."""
        self.fault = ""
        to = f"read plug {plug}"

        async def read(dialogue: Dialogue) -> PlugState:
            return await steady(dialogue, partial(self._protocol.read, dialogue, plug))

        try:
            self._must_know(plug, to)
            return await self._exchange(to, read)
        except AgentError as fault:
            self.fault = str(fault)
            return PlugState.UNKNOWN

    async def monitor(self) -> None:
        """Return when the switch told what it will be asked for as a proof: the state of its plugs."""
        await self.plugs()

    async def plugs(self) -> dict[str, str]:
        """Return the plugs that answer, each with no other name. Of RPS-10 modules only those that are there answer."""

        async def read(dialogue: Dialogue) -> dict[str, PlugState]:
            return await steady(dialogue, partial(self._protocol.read_all, dialogue))

        return dict.fromkeys(sorted(await self._exchange("read the plugs", read)), "")

    async def validate(self, plug: str) -> None:
        """Raise AgentError when no plug can be called so. The switch is not asked."""
        if plug:
            self._must_know(plug, f"use plug {plug}")

    async def _order(self, plug: str, wanted: PlugState) -> None:
        to = f"switch plug {plug} {wanted.value}"
        self._must_know(plug, to)
        await self._exchange(to, lambda dialogue: self._protocol.order(dialogue, plug, wanted))

    def _must_know(self, plug: str, to: str) -> None:
        if not self._protocol.plug_shape.fullmatch(plug):
            raise AgentError(f"cannot {to}: plugs of {self.parameters.protocol} are {self._protocol.plugs_known}")

    async def _exchange(self, to: str, act: Callable[[Dialogue], Awaitable[T]]) -> T:
        way = self.parameters
        begin = partial(open_serial_dialogue, way.device, self._protocol.baud)
        device = f"the {way.protocol} switch at {way.device}"
        try:
            return await exchange(begin, act, to=to, device=device, deadline_ms=way.deadline)
        except UnclearError as doubt:
            raise AgentError(f"cannot {to}: {device}: {doubt}") from None


if __name__ == "__main__":
    sys.exit(fence_main(SerialSwitch))
