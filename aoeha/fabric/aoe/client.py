"""Queries AoE targets from user space. It needs no kernel driver, and does not hang when a shelf does.

A question is sent again a few times until its deadline, always with the same tag; its answer is a response from the
asked MAC address and target with that tag. Tags have their top bit set, because the kernel's driver uses the others
and hears the same frames. `reserve` and `write_config` change a target, everything else only asks. MAC masks are never
sent: the commonest target breaks on them (measured).

Nothing is sent when the time of its question is over, nor when that of the whole client is: a machine that slept sends
no order on waking that was given before. It looks at the clock right before each frame. That clock counts a suspend,
and the pause of a virtual machine wherever the hypervisor lets the guest's clock go on. Where it stops that clock too,
as QEMU does by default, nothing in the machine can tell that it slept, and a frame that was about to leave does.
"""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aoeha.fabric.aoe.frames import (
    ANY_SHELF,
    ANY_SLOT,
    BROADCAST,
    Ata,
    Body,
    Config,
    ConfigCommand,
    Frame,
    FrameError,
    Reserve,
    ReserveCommand,
    Target,
    format_mac,
)
from aoeha.fabric.aoe.identity import IDENTIFY, SECTOR_BYTES, DiskIdentity, parse_identity
from aoeha.fabric.aoe.port import AoeError, Port
from aoeha.io import clock

__all__ = ["AoeClient", "NoAnswerError", "RefusedError", "TargetAddress", "TargetConfig", "payload_bytes"]

_FIRST_WAIT_SHARE, _WAIT_MAX_MS = 1 / 15, 500
"""Waits double from this share of the patience, up to the longest one: one lost frame costs little, a slow target is
not flooded, and a network that loses most frames still carries an answer."""
_DISCOVERIES = 3
_QUESTIONS_MAX = 1024
_DISCOVERED_MAX = 16_384
_OWN_TAGS = 0x8000_0000
_FRAME_OVERHEAD = 36
"""AoE and ATA headers within the interface's MTU: 24 + 12 bytes, of which Ethernet's own 14 don't count, but the
kernel's driver reckons so, and its payload is what we tell."""

ERROR_WORDS = {
    1: "it does not know this command",
    2: "it rejects an argument",
    3: "the disk behind it is unavailable",
    4: "a config string is set already",
    5: "it does not speak this version of AoE",
    6: "the target is reserved by another host",
}


class NoAnswerError(AoeError):
    """The target did not answer within the deadline. It may be down, cut off, or not support this command."""


class RefusedError(AoeError):
    """The target answered with the error flag. `code` is its error, `body` what came with it."""

    def __init__(self, sentence: str, code: int, body: Body) -> None:
        super().__init__(sentence)
        self.code = code
        self.body = body


@dataclass(frozen=True, slots=True, order=True)
class TargetAddress:
    """The location of a target. One disk may be reachable at several MAC addresses and through several interfaces."""

    target: Target
    mac: bytes
    interface: str

    def __str__(self) -> str:
        return f"{self.target} at {format_mac(self.mac)} on {self.interface}"


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """A target's answer to a config query. `buffers` frames may wait there; `sectors` x 512 bytes fit into a frame."""

    address: TargetAddress
    buffers: int
    firmware: int
    sectors: int
    string: bytes


Accept = Callable[[Port, Frame], None]


@dataclass(frozen=True, slots=True)
class _Question:
    """What an answer to an open query must look like. `mac` and `target` are None when any target may answer."""

    interface: str
    mac: bytes | None
    target: Target | None
    accept: Accept


class AoeClient:
    """Raw sockets on some interfaces, and the questions that are open on them. Use as `async with AoeClient([...])`.

    Nothing is asked after `by_ms`, by the clock of aoeha.io.clock.

    Opening raises AoeError with a sentence when an interface is missing or down, NoPrivilegeError without the right.
    """

    def __init__(self, interfaces: Iterable[str], by_ms: int | None = None) -> None:
        self._by_ms = by_ms
        self._ports: dict[str, Port] = {}
        self._open_questions: dict[int, _Question] = {}
        # A random first tag, because several programs of one host hear each other's answers.
        self._numbers = itertools.count(int.from_bytes(os.urandom(4), "big"))
        try:
            for interface in dict.fromkeys(interfaces):
                self._ports[interface] = Port(interface, self._received)
        except BaseException:
            self.close()
            raise

    async def __aenter__(self) -> Self:
        for port in self._ports.values():
            port.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all sockets."""
        for port in self._ports.values():
            port.close()

    def port(self, interface: str) -> Port:
        """Return the open port of an interface: its MAC address, MTU and counters."""
        return self._ports[interface]

    @property
    def ports(self) -> tuple[Port, ...]:
        """All open ports, in the order in which their interfaces were given."""
        return tuple(self._ports.values())

    async def discover(self, wait_ms: int) -> tuple[TargetConfig, ...]:
        """Broadcast a query on every interface, and collect answers for `wait_ms`.

        One entry for each target address, in order: a disk on two MAC addresses or two interfaces comes twice. The
        question is repeated a few times within the wait, because frames get lost.
        """
        found: dict[TargetAddress, TargetConfig] = {}

        def accept(port: Port, frame: Frame) -> None:
            complete = frame.target.shelf != ANY_SHELF and frame.target.slot != ANY_SLOT and frame.error is None
            if complete and isinstance(frame.body, Config) and len(found) < _DISCOVERED_MAX:
                config = _target_config(port, frame, frame.body)
                found[config.address] = config

        query = Config(ConfigCommand.READ)
        everybody = Target(ANY_SHELF, ANY_SLOT)
        tags = {name: self._register(_Question(name, None, None, accept)) for name in self._ports}
        try:
            for _ in range(_DISCOVERIES):
                for name, tag in tags.items():
                    port = self._ports[name]
                    port.send(Frame(BROADCAST, port.address, everybody, tag, query))
                await asyncio.sleep(wait_ms / 1000 / _DISCOVERIES)
        finally:
            for tag in tags.values():
                del self._open_questions[tag]
        return tuple(found[address] for address in sorted(found))

    async def read_config(self, address: TargetAddress, deadline_ms: int = 500) -> TargetConfig:
        """Ask one target address for its parameters and its config string."""
        port, frame = await self._ask(address, Config(ConfigCommand.READ), deadline_ms)
        if not isinstance(frame.body, Config):
            raise AoeError(f"cannot read the config of {address}: the answer is none")
        return _target_config(port, frame, frame.body)

    async def identify(self, address: TargetAddress, deadline_ms: int = 500) -> DiskIdentity:
        """Ask one target address for its disk's size and names. Reserved targets answer every host."""
        _port, frame = await self._ask(address, IDENTIFY, deadline_ms)
        if not isinstance(frame.body, Ata):
            raise AoeError(f"cannot identify {address}: the answer is none")
        try:
            return parse_identity(frame.body)
        except FrameError as fault:
            raise AoeError(f"cannot identify {address}: {fault}") from fault

    async def read_reservation(self, address: TargetAddress, deadline_ms: int = 500) -> tuple[bytes, ...]:
        """Ask one target address for the MAC addresses that it is reserved for; none means not reserved.

        RefusedError with code 1: this target knows no reservations. Some such targets do not answer: NoAnswerError.
        """
        _port, frame = await self._ask(address, Reserve(ReserveCommand.READ), deadline_ms)
        if not isinstance(frame.body, Reserve):
            raise AoeError(f"cannot read the reservation of {address}: the answer is none")
        return frame.body.owners

    async def reserve(
        self, address: TargetAddress, owners: tuple[bytes, ...], *, force: bool = False, deadline_ms: int = 500
    ) -> tuple[bytes, ...]:
        """Reserve one target address for these MAC addresses: no other can read and write. An empty list releases it.

        Returns the list as the target has it now. RefusedError with code 6 names in its body who holds it: without
        `force` only a holder may change it, or any host when it has no holder. The answer promises nothing about writes
        that the target took before.
        """
        command = ReserveCommand.FORCE_SET if force else ReserveCommand.SET
        _port, frame = await self._ask(address, Reserve(command, owners), deadline_ms)
        if not isinstance(frame.body, Reserve):
            raise AoeError(f"cannot reserve {address}: the answer is none")
        return frame.body.owners

    async def write_config(
        self, address: TargetAddress, string: bytes, *, force: bool = False, deadline_ms: int = 500
    ) -> TargetConfig:
        """Set the config string where there is none or this one; by force in any case. Anybody may, reserved or not.

        RefusedError with code 4 carries the string that is set. A string of more than 1024 bytes gets no answer.
        """
        command = ConfigCommand.FORCE_SET if force else ConfigCommand.SET_IF_EMPTY
        port, frame = await self._ask(address, Config(command, string=string), deadline_ms)
        if not isinstance(frame.body, Config):
            raise AoeError(f"cannot set the config of {address}: the answer is none")
        return _target_config(port, frame, frame.body)

    async def _ask(self, address: TargetAddress, body: Body, deadline_ms: int) -> tuple[Port, Frame]:
        """Send again and again within the deadline, first after a fifteenth of it. Return the first answer.

        An error frame is raised as RefusedError.
        """
        port = self._ports.get(address.interface)
        if port is None:
            raise AoeError(f"cannot ask {address}: that interface is not open")
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

        def accept(_port: Port, frame: Frame) -> None:
            if not answer.done():
                answer.set_result(frame)

        own_ms = clock.now_ms() + deadline_ms
        by_ms = own_ms if self._by_ms is None else min(own_ms, self._by_ms)
        tag = self._register(_Question(address.interface, address.mac, address.target, accept))
        try:
            for wait_ms in _waits_ms(deadline_ms):
                if clock.now_ms() > by_ms:
                    break
                port.send(Frame(address.mac, port.address, address.target, tag, body))
                done, _pending = await asyncio.wait((answer,), timeout=wait_ms / 1_000)
                if done:
                    break
        finally:
            del self._open_questions[tag]
        if not answer.done():
            raise NoAnswerError(f"cannot reach {address}: no answer within {deadline_ms} ms")
        frame = answer.result()
        if frame.error is not None:
            words = ERROR_WORDS.get(frame.error, f"error {frame.error}")
            raise RefusedError(f"cannot ask {address}: {words}", frame.error, frame.body)
        return port, frame

    def _register(self, question: _Question) -> int:
        if len(self._open_questions) >= _QUESTIONS_MAX:
            raise AoeError(f"cannot ask more: {_QUESTIONS_MAX} questions are open already")
        tag = next(number for number in self._tags() if number not in self._open_questions)
        self._open_questions[tag] = question
        return tag

    def _tags(self) -> Iterable[int]:
        for number in self._numbers:
            yield _OWN_TAGS | number & (_OWN_TAGS - 1)

    def _received(self, port: Port, frame: Frame) -> bool:
        question = self._open_questions.get(frame.tag) if frame.response else None
        if (
            question is None
            or question.interface != port.interface
            or question.mac not in (None, frame.source)
            or question.target not in (None, frame.target)
        ):
            return False
        question.accept(port, frame)
        return True


def _waits_ms(deadline_ms: int) -> Iterator[float]:
    """How long an answer is waited for after each time that a question is sent: the deadline, in all."""
    left_ms, wait_ms = float(deadline_ms), deadline_ms * _FIRST_WAIT_SHARE
    while left_ms > 1:
        yield min(wait_ms, left_ms)
        left_ms, wait_ms = left_ms - wait_ms, min(2 * wait_ms, _WAIT_MAX_MS)


def payload_bytes(config: TargetConfig, mtu: int) -> int:
    """How many bytes of data one frame carries: the least of what the target takes and this interface's MTU allows."""
    return min(config.sectors, (mtu - _FRAME_OVERHEAD) // SECTOR_BYTES) * SECTOR_BYTES


def _target_config(port: Port, frame: Frame, body: Config) -> TargetConfig:
    address = TargetAddress(frame.target, frame.source, port.interface)
    return TargetConfig(address, body.buffers, body.firmware, body.sectors, body.string)
