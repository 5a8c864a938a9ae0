"""Plugs for tests: the documented topics of Tasmota, Shelly Gen2+ and Zigbee2MQTT, and the ways in which plugs fail."""

import asyncio
import contextlib
import json
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import aiomqtt
from mosquitto import ADDRESS, PORT

LOAD_W = 40.0


class Manner(Enum):
    """How a plug behaves."""

    HONEST = "does what it says"
    LIAR = "says that it did, and does nothing"
    WELDED = "believes that it did, but its contacts stick"
    MUTE = "takes requests and never answers"
    LATE = "keeps what it has to say about its state until it is asked the next time"
    DOUBLED = "says everything twice, and what it said before once more"
    ONCE = "answers one question about its state, twice, and no other"
    FLAPPING = "is off when it is asked first, and on afterwards"


@dataclass(frozen=True)
class Request:
    """What the plug was asked. `expiry_s` None: the broker would have kept it for ever."""

    topic: str
    payload: str
    retained: bool
    expiry_s: int | None


class EmulatedPlug(ABC):
    """One plug with one or more outlets; `channel` is the one under test.

    `says` is what its firmware takes for true, `draws` whether current flows. `metered`: it tells watts.
    """

    def __init__(self, manner: Manner = Manner.HONEST, *, on: bool = True, metered: bool = True) -> None:
        self.manner = manner
        self.says = self.draws = on
        self.metered = metered
        self.requests: list[Request] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens when it is asked about its state, before it answers; once, unless it says so again."""
        self._client: aiomqtt.Client | None = None
        self._kept: list[tuple[str, str]] = []
        self._said: list[tuple[str, str]] = []
        self._questions = 0

    name: str
    commands: tuple[str, ...]
    will: tuple[str, str, str]
    """The topic of its last will, what it says there when it lives, and what the broker says when it does not."""

    @abstractmethod
    async def respond(self, topic: str, payload: str) -> None:
        """Act on one request."""

    @abstractmethod
    def is_order(self, topic: str, payload: str) -> bool:
        """Whether this request would switch it."""

    @property
    def watts(self) -> float:
        return LOAD_W if self.draws else 0.0

    @contextlib.asynccontextmanager
    async def plugged_in(self) -> AsyncIterator[None]:
        """Be connected while the context lasts."""
        topic, alive, dead = self.will
        will = aiomqtt.Will(topic, dead, qos=1, retain=True)
        at_once = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
        version = aiomqtt.ProtocolVersion.V5
        client = aiomqtt.Client(ADDRESS, PORT, will=will, protocol=version, timeout=1, socket_options=at_once)
        async with client:
            self._client = client
            for command in self.commands:
                await client.subscribe(command, qos=1)
            await client.publish(topic, alive, qos=1, retain=True)
            await self.introduce()
            serving = asyncio.create_task(self._serve(client))
            try:
                yield
            finally:
                serving.cancel()
                with contextlib.suppress(aiomqtt.MqttError):
                    await client.publish(topic, dead, qos=1, retain=True)

    async def introduce(self) -> None:  # noqa: B027  # most say nothing
        """Say what it says when it has connected."""

    async def vanish(self) -> None:
        """Lose power: the connection breaks without a word."""
        assert self._client is not None
        self._client._client.reinitialise()

    async def say(self, topic: str, message: Any, *, retain: bool = False) -> None:
        assert self._client is not None
        text = message if isinstance(message, str) else json.dumps(message)
        await self._client.publish(topic, text, retain=retain)

    async def answer(self, topic: str, message: Any, *, about_state: bool) -> None:
        """Say it in this plug's manner."""
        text = json.dumps(message)
        if about_state:
            self._questions += 1
            if self.meanwhile is not None:
                happening, self.meanwhile = self.meanwhile, None
                await happening()
        match self.manner:
            case Manner.MUTE:
                return
            case Manner.ONCE if about_state and self._questions > 1:
                return
            case Manner.LATE if about_state:
                self._kept.append((topic, text))
                return
            case Manner.DOUBLED | Manner.ONCE:
                await self.say(topic, text)
        await self.say(topic, text)
        self._said.append((topic, text))

    async def say_kept(self) -> None:
        """Say what it kept, as one whose network stood still would."""
        kept, self._kept = self._kept, []
        for topic, text in kept:
            await self.say(topic, text)

    async def repeat(self, after: str = "") -> None:
        """Say again what it said before; not where the request before this one was about `after`."""
        greeted = bool(after) and len(self.requests) > 1 and after in self.requests[-2].topic
        if self.manner is Manner.DOUBLED and not greeted:
            for topic, text in self._said[-6:]:
                await self.say(topic, text)

    def switch(self, *, on: bool) -> bool:
        """Carry out an order; returns what it claims."""
        if self.manner is not Manner.LIAR:
            self.says = on
        if self.manner not in (Manner.LIAR, Manner.WELDED):
            self.draws = on
        return on

    def state(self) -> bool:
        """What it would answer now."""
        if self.manner is Manner.FLAPPING:
            self.says = self._questions > 0
        return self.says

    async def _serve(self, client: aiomqtt.Client) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                expiry = getattr(message.properties, "MessageExpiryInterval", None)
                self.requests.append(Request(str(message.topic), payload.decode(), message.retain, expiry))
                await self.respond(str(message.topic), payload.decode())


class TasmotaPlug(EmulatedPlug):
    """`rules` False: firmware built without them. `relays` 2: it numbers its relays."""

    name = "tasmota_AB12CD"
    commands = (f"cmnd/{name}/#",)
    will = (f"tele/{name}/LWT", "Online", "Offline")
    rules = True
    channel = ""
    strange_power = ""
    """What its meter says instead of a number."""

    def is_order(self, topic: str, payload: str) -> bool:
        return "power" in topic.lower() and bool(payload)

    async def respond(self, topic: str, payload: str) -> None:
        command = topic.rpartition("/")[2].upper()
        result = f"stat/{self.name}/RESULT"
        number = self.channel or "1"
        key = f"POWER{self.channel}"
        if command == "VAR16" and self.rules:
            await self.say_kept()
            await self.repeat()
            await self.answer(result, {"Var16": payload}, about_state=False)
        elif command == f"POWER{number}" and payload:
            claimed = self.switch(on=payload == "ON")
            await self.answer(result, {key: "ON" if claimed else "OFF"}, about_state=False)
            await self.answer(f"stat/{self.name}/{key}", "ON" if claimed else "OFF", about_state=False)
        elif command == f"POWER{number}":
            await self.say_kept()
            await self.repeat(after="Var16")
            await self.answer(result, {key: "ON" if self.state() else "OFF"}, about_state=True)
        elif command == "STATUS" and self.strange_power:
            await self.say(
                f"stat/{self.name}/STATUS10", f'{{"StatusSNS":{{"ENERGY":{{"Power":{self.strange_power}}}}}}}'
            )
        elif command == "STATUS" and payload == "10":
            meter = (
                {"ENERGY": {"Power": [0, self.watts] if self.channel == "2" else self.watts}} if self.metered else {}
            )
            sensors = {"StatusSNS": {"Time": "2026-11-21T12:00:00", **meter}}
            await self.answer(f"stat/{self.name}/STATUS10", sensors, about_state=False)
        else:
            await self.answer(result, {"Command": "Unknown"}, about_state=False)


class ShellyPlug(EmulatedPlug):
    name = "shellyplusplugs-a8032ab1c2d3"
    commands = (f"{name}/rpc",)
    will = (f"{name}/online", "true", "false")
    channel = ""

    def is_order(self, topic: str, payload: str) -> bool:
        return topic.endswith("/rpc") and "Switch.Set" in payload

    async def respond(self, topic: str, payload: str) -> None:
        del topic
        request = json.loads(payload)
        reply: dict[str, Any] = {"id": request["id"], "src": self.name, "dst": request["src"]}
        asked = request["params"]["id"]
        await self.say_kept()
        await self.repeat()
        if asked != int(self.channel or "0"):
            reply["error"] = {"code": -105, "message": f"Argument 'id', value {asked} not found!"}
        elif request["method"] == "Switch.Set":
            before = self.says
            self.switch(on=request["params"]["on"])
            reply["result"] = {"was_on": before}
        else:
            meter = {"apower": self.watts, "voltage": 230.1} if self.metered else {}
            reply["result"] = {"id": asked, "source": "MQTT", "output": self.state(), **meter}
        await self.answer(f"{request['src']}/rpc", reply, about_state=request["method"] == "Switch.GetStatus")


class ZigbeePlug(EmulatedPlug):
    """A plug and the bridge before it, which answers for itself and remembers what the plug said last."""

    name = "rack/alpha plug"
    device = f"zigbee2mqtt/{name}"
    bridge = "zigbee2mqtt/bridge"
    commands = (f"{device}/set", f"{device}/get", f"{bridge}/request/health_check")
    will = (f"{bridge}/state", '{"state":"online"}', '{"state":"offline"}')
    channel = ""
    healthy = True

    async def introduce(self) -> None:
        self.remembered = self.says
        await self.say(f"{self.device}/availability", {"state": "online"}, retain=True)

    def is_order(self, topic: str, payload: str) -> bool:
        return topic.endswith("/set") and bool(payload)

    async def respond(self, topic: str, payload: str) -> None:
        if topic == f"{self.bridge}/request/health_check":
            asked = json.loads(payload)
            await self.repeat()
            reply = {"data": {"healthy": self.healthy}, "status": "ok", "transaction": asked["transaction"]}
            await self.say(f"{self.bridge}/response/health_check", reply)
        elif topic == f"{self.device}/set":
            self.remembered = self.switch(on=json.loads(payload)[self._key] == "ON")
            await self.answer(self.device, self.publication(), about_state=False)
        else:
            await self.say_kept()
            await self.repeat(after="health_check")
            self.remembered = self.state()
            await self.answer(self.device, self.publication(), about_state=True)

    def publication(self) -> dict[str, Any]:
        """All that the bridge knows of the plug, as it publishes it whenever the plug says anything."""
        meter = {"power": self.watts} if self.metered else {}
        return {self._key: "ON" if self.remembered else "OFF", "linkquality": 120, **meter}

    @property
    def _key(self) -> str:
        return f"state_{self.channel}" if self.channel else "state"


PLUGS: dict[str, type[EmulatedPlug]] = {"tasmota": TasmotaPlug, "shelly": ShellyPlug, "zigbee2mqtt": ZigbeePlug}
