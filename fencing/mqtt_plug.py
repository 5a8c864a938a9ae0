#!/usr/bin/env python3
"""Plugs that speak MQTT: Tasmota, Shelly (Gen2 and later), Zigbee2MQTT. Executed, this file is a fence_* program.

A plug is named by its topic (Tasmota's Topic, Shelly's topic prefix, Zigbee2MQTT's friendly name), or `topic:channel`
for one outlet of several.

OFF is what a plug says twice, `second_look` apart, each time asked by us and each answer newer than the question, while
the broker calls it online and its meter, where it has one, reads next to nothing. Everything else is UNKNOWN or ON.
"""

import asyncio
import contextlib
import ipaddress
import re
import secrets
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, ClassVar, Literal, TypeVar

from msgspec import Meta

from aoeha.agents.duration_type import Duration
from aoeha.agents.fence_cli import fence_main
from aoeha.agents.interface import AgentError, FenceAgent, Parameters
from aoeha.agents.parts.mqtt_plugs import FAMILIES, Outlet, OutletName, PlugError, Reading, Topics
from aoeha.agents.secret_file import SecretFile, SecretFileError, read_secret
from aoeha.core.model.task import PlugState
from aoeha.io.blocking import shared_call
from aoeha.io.host import Host
from aoeha.io.mqtt import Broker, MqttError, Session, require_library, session

LOOKS = 2
"""How many answers in a row must say off."""
FILE_LIMIT_MS = 2_000
NO_LAST_WILL = "the broker does not call it online: is the topic right?"
PLUG_SHAPE = re.compile(r"([^\x00-\x1f\x7f$+#:/][^\x00-\x1f\x7f+#:]{0,199})(?::([A-Za-z0-9_]{1,32}))?")
T = TypeVar("T")
TOPIC_SHAPE = re.compile(r"[^\x00-\x20\x7f$+#/][^\x00-\x20\x7f+#]{0,199}")


def note(text: str) -> Meta:
    """A parameter's description."""
    return Meta(description=text)


class MqttPlugParameters(Parameters, frozen=True):
    """The broker, the family of its plugs, and what is believed of them."""

    address: Annotated[str, note("IP address of the broker")]
    family: Annotated[
        Literal["tasmota", "shelly", "zigbee2mqtt"], note("tasmota, shelly (Gen2 and later) or zigbee2mqtt")
    ]
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the broker; with TLS usually 8883")] = 1883
    user: Annotated[str, note("user at the broker")] = ""
    password: Annotated[SecretFile | None, note("file with the user's password, readable by its owner only")] = None
    tls: Annotated[bool, note("encrypt, and check that the broker's certificate names the address")] = False
    ca_file: Annotated[str, note("certificates that may have signed the broker's; empty: the system's")] = ""
    full_topic: Annotated[str, note("Tasmota: the device's FullTopic")] = "%prefix%/%topic%/"
    base_topic: Annotated[str, note("Zigbee2MQTT: its base_topic")] = "zigbee2mqtt"
    reply_topic: Annotated[str, note("Shelly: our name (src); answers come to NAME/rpc")] = "aoeha"
    metered: Annotated[bool, note("refuse to call a plug off that tells no power reading")] = False
    off_watts_max: Annotated[int, Meta(ge=0, le=100, description="a plug that draws more is not off")] = 2
    second_look: Annotated[Duration, note('pause between the two answers that must say off, like "1s"')] = 1_000
    deadline: Annotated[Duration, note('how long one order or reading may take, connecting included, like "8s"')] = (
        8_000
    )

    def __post_init__(self) -> None:
        """Refuse names (fencing must not wait for a name server), and what contradicts itself."""
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            raise ValueError(f'address: expected an IP address like "10.77.1.1", got "{self.address}"') from None
        if bool(self.user) != bool(self.password):
            raise ValueError("password: user and password belong together")
        if self.ca_file and not self.tls:
            raise ValueError("ca_file: it does nothing without tls = true")
        if not ("%prefix%" in self.full_topic and "%topic%" in self.full_topic and self.full_topic.endswith("/")):
            raise ValueError('full_topic: expected something like "%prefix%/%topic%/"')
        for key, topic in (("base_topic", self.base_topic), ("reply_topic", self.reply_topic)):
            if not TOPIC_SHAPE.fullmatch(topic):
                raise ValueError(f'{key}: expected a topic without blanks, + and #, got "{topic}"')
        if self.second_look * 2 > self.deadline:
            raise ValueError("second_look: expected at most half of the deadline")


class MqttPlug(FenceAgent[MqttPlugParameters]):
    """Switches plugs that speak MQTT: Tasmota, Shelly (Gen2 and later), Zigbee2MQTT.

    Each call opens a connection of its own, so that nothing heard in one can be taken for an answer in another.
    """

    parameters_type: ClassVar[type[Parameters]] = MqttPlugParameters
    summary: ClassVar[str] = "Smart plugs over MQTT (Tasmota, Shelly Gen2+, Zigbee2MQTT)"

    def __init__(self, name: str, parameters: MqttPlugParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self.fault = ""
        """Why the last status was UNKNOWN, as a sentence; empty when it was not."""
        self._password = ""
        self._encryption: ssl.SSLContext | None = None

    async def power_off(self, plug: str) -> None:
        """Return when the plug said that it is off. The order is given only to a plug that has just answered."""
        await self._order(plug, on=False)

    async def power_on(self, plug: str) -> None:
        """Return when the plug said that it is on."""
        await self._order(plug, on=True)

    async def status(self, plug: str) -> PlugState:
        """Read the plug. UNKNOWN unless it clearly says on, or off twice; `fault` then says why."""
        self.fault, doubt, looks = "", "", 0
        try:
            async with self._conversation(f"read plug {plug}", plug) as outlet:
                while looks < LOOKS:
                    if looks or doubt:
                        await asyncio.sleep(self.parameters.second_look / 1000)
                    reading = await outlet.read()
                    if reading.on:
                        return PlugState.ON
                    doubt = self._doubt(outlet, reading)
                    looks = 0 if doubt else looks + 1
        except AgentError as fault:
            self.fault = f"cannot call plug {plug} off: {doubt}" if doubt else str(fault)
            return PlugState.UNKNOWN
        return PlugState.OFF

    async def monitor(self) -> None:
        """Return when the broker lets us in. Whether a plug answers is what `status` tells."""
        with self._sentences("reach plugs"):
            async with asyncio.timeout(self.parameters.deadline / 1000), self._session():
                pass

    async def validate(self, plug: str) -> None:
        """Raise AgentError when the plug can't be called so, or a file or aiomqtt is missing. No device is asked."""
        if plug:
            _named(f"use plug {plug}", plug)
        with self._sentences("use plugs"):
            require_library()
            await self._secret()
            await self._certificates()

    async def _order(self, plug: str, *, on: bool) -> None:
        to = f"switch plug {plug} {'on' if on else 'off'}"
        async with self._conversation(to, plug) as outlet:
            await outlet.greet()
            if not outlet.online:
                raise AgentError(f"cannot {to}: {NO_LAST_WILL}")
            await outlet.order(on=on)

    def _doubt(self, outlet: Outlet, reading: Reading) -> str:
        """Why an answer that does not say on does not count as off; empty when it does."""
        if reading.on is None:
            return "it says on and off in one breath; does somebody else switch it?"
        if not outlet.online:
            return NO_LAST_WILL
        if reading.watts is None:
            return "it tells no power reading, and metered is set" if self.parameters.metered else ""
        if abs(reading.watts) > self.parameters.off_watts_max:
            return f"it says off and draws {reading.watts:g} W; has its relay welded, or does something else feed it?"
        return ""

    @contextlib.asynccontextmanager
    async def _conversation(self, to: str, plug: str) -> AsyncIterator[Outlet]:
        """Yield the plug on a connection of its own. The deadline is that of all that is said on it."""
        name = _named(to, plug)
        outlet: Outlet | None = None
        with self._sentences(to):
            try:
                async with asyncio.timeout(self.parameters.deadline / 1000), self._session() as opened:
                    outlet = self._outlet(opened, name)
                    await opened.subscribe(*outlet.heard_on)
                    yield outlet
            except TimeoutError:
                if outlet is None or not outlet.awaited:
                    raise
                raise PlugError(_silence(outlet)) from None

    @contextlib.contextmanager
    def _sentences(self, to: str) -> Iterator[None]:
        """Turn what went wrong into a sentence that names broker and work."""
        at = f"the broker at {self.parameters.address} port {self.parameters.port}"
        try:
            yield
        except (PlugError, MqttError) as fault:
            raise AgentError(f"cannot {to} by {at}: {fault}") from None
        except TimeoutError:
            raise AgentError(f"cannot {to} by {at}: no answer within {self.parameters.deadline} ms") from None

    def _outlet(self, opened: Session, name: OutletName) -> Outlet:
        topics = Topics(self.parameters.full_topic, self.parameters.base_topic, self.parameters.reply_topic)
        lifetime_s = max(1, self.parameters.deadline // 1000)
        return FAMILIES[self.parameters.family](opened, name, topics, lifetime_s)

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        """Connect as a client with a unique name: brokers drop the older of two with one name."""
        broker = Broker(
            self.parameters.address,
            self.parameters.port,
            self.parameters.user,
            await self._secret(),
            await self._certificates(),
        )
        name = f"aoeha-{secrets.token_hex(6)}"
        async with session(broker, name, deadline_ms=self.parameters.deadline) as opened:
            yield opened

    async def _secret(self) -> str:
        """The password, read at the first use, so that a later reading needs no disk."""
        source = self.parameters.password
        if source is not None and not self._password:
            try:
                self._password = await self._from_disk("password", lambda: read_secret(source))
            except SecretFileError as fault:
                raise MqttError(str(fault)) from None
        return self._password

    async def _certificates(self) -> ssl.SSLContext | None:
        """What checks the broker's certificate, made at the first use."""
        if self.parameters.tls and self._encryption is None:
            file = self.parameters.ca_file or None
            try:
                self._encryption = await self._from_disk(
                    "certificates", lambda: ssl.create_default_context(cafile=file)
                )
            except OSError as fault:
                raise MqttError(f"the certificates in {file} cannot be used: {fault}") from None
        return self._encryption

    async def _from_disk(self, what: str, read: Callable[[], T]) -> T:
        try:
            return await shared_call(f"{what} of fence {self.name}", read, deadline_ms=FILE_LIMIT_MS)
        except TimeoutError as fault:
            raise MqttError(f"a disk hangs: {fault}") from None


def _named(to: str, plug: str) -> OutletName:
    found = PLUG_SHAPE.fullmatch(plug)
    if found is None:
        raise AgentError(f"cannot {to}: expected a topic without + and #, or topic:channel")
    return OutletName(found[1], found[2] or "")


def _silence(outlet: Outlet) -> str:
    if outlet.online:
        return f"{outlet.awaited} did not come in time, although the broker calls it online"
    return f"nobody answers as {outlet.name}: is the topic right, and is the plug connected to this broker?"


if __name__ == "__main__":
    sys.exit(fence_main(MqttPlug))
