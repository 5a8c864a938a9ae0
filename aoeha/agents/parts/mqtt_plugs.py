"""The three families of plugs that speak MQTT: how each is asked, and what of its words is an answer.

Rules. Retained messages tell nothing about now; of them only "offline" is believed, because it can only make us refuse.
An answer counts when it follows our own request and nothing earlier can pass for it:
- Shelly (Gen2 and later) repeats the request's random id on the topic that the request names.
- Tasmota has no ids, but carries out commands in order and publishes what it did in that order on one connection. So a
  random word is put into its variable Var16 first; what is published after Var16's own answer is new.
- Zigbee2MQTT's bridge answers with the random number of a health check, which proves the bridge and not the plug. The
  answer to /get cannot be told from any other publication of the plug's state, and those repeat what the bridge
  remembers (Zigbee2MQTT issue 31220). So all that is published for a while after /get must agree, and a bridge that
  restarts (it then publishes everything that it remembers) makes the conversation void.

Sources: Tasmota's documentation (MQTT.md, Commands.md, Rules.md), Shelly's Gen2 API documentation (RPCProtocol,
RPCChannels, Switch, Mqtt), Zigbee2MQTT's documentation (mqtt_topics_and_messages.md, device-availability.md).

What this file does not know: how many answers make a proof, and how long one may take.
"""

import asyncio
import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from aoeha.io.mqtt import Heard, Session

__all__ = ["FAMILIES", "Outlet", "OutletName", "PlugError", "Reading", "Topics"]

SETTLE_MS = 500
"""How long a Zigbee2MQTT plug's publications are listened to after its first one."""

T = TypeVar("T")


class PlugError(Exception):
    """The plug cannot be relied on. The message says why, without a leading "cannot"."""


@dataclass(frozen=True, slots=True)
class OutletName:
    """A plug as its owner writes it: `topic`, or `topic:channel` for one outlet of several."""

    topic: str
    channel: str = ""

    def __str__(self) -> str:
        return f"{self.topic}:{self.channel}" if self.channel else self.topic


@dataclass(frozen=True, slots=True)
class Topics:
    """How the owner has laid out topics: Tasmota's FullTopic, Zigbee2MQTT's base, and where Shellys answer to us."""

    full: str
    base: str
    reply: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer of a plug. `on` None: it contradicted itself. `watts` None: it has no meter."""

    on: bool | None
    watts: float | None


class Outlet(ABC):
    """One plug on an open session. Its methods wait until the plug answers; the caller bounds them.

    All raise PlugError when the plug is offline or refuses, and MqttError when the broker is gone.
    """

    def __init__(self, session: Session, name: OutletName, topics: Topics, lifetime_s: int) -> None:
        self.session = session
        self.name = name
        self.topics = topics
        self.online = False
        """Whether the broker has called it online since the conversation began."""
        self.awaited = ""
        """What was asked last, in words."""
        self._lifetime_s = lifetime_s

    @property
    @abstractmethod
    def heard_on(self) -> tuple[str, ...]:
        """The topics to subscribe to."""

    @abstractmethod
    async def greet(self) -> None:
        """Return when it is there now, which only its own answer to a request of now shows."""

    @abstractmethod
    async def order(self, *, on: bool) -> None:
        """Return when it said that it did so."""

    @abstractmethod
    async def read(self) -> Reading:
        """Ask for its state and return its answer."""

    @abstractmethod
    def availability(self, message: Heard) -> bool | None:
        """Whether this message calls it online or offline; None for messages about something else."""

    async def ask(self, what: str, topic: str, payload: str) -> None:
        """Publish a request; `what` are words for it."""
        self.awaited = what
        await self.session.publish(topic, payload, lifetime_s=self._lifetime_s)

    async def hear(self, wanted: Callable[[str, Any], T | None]) -> T:
        """Return what `wanted` makes of the first message (its topic, its JSON) that it makes something of."""
        while True:
            message = await self.session.next()
            match self.availability(message):
                case True:
                    self.online = True
                case False:
                    raise PlugError("the broker calls it offline: is it powered, and is its network?")
                case None if not message.retained:
                    found = wanted(message.topic, _json(message.payload))
                    if found is not None:
                        return found


class Tasmota(Outlet):
    """A relay of a Tasmota device; `channel` is its number from 1."""

    VARIABLE = "Var16"

    @property
    def heard_on(self) -> tuple[str, ...]:
        """Answers come as RESULT, STATUS10, or under their command's name (SetOption4)."""
        return self._topic("tele", "LWT"), self._topic("stat", "+")

    def availability(self, message: Heard) -> bool | None:
        """Its last will is retained: Online or Offline."""
        if message.topic != self._topic("tele", "LWT"):
            return None
        return message.payload == b"Online"

    async def greet(self) -> None:
        """Let it keep a word of ours. Var is lost at its restart and does not wear its flash."""
        word = f"a{secrets.token_hex(4)}"
        await self.ask("an answer to Var16", self._topic("cmnd", self.VARIABLE), word)

        def repeated(_topic: str, said: Any) -> bool | None:
            if _entry(said, "Command") == "Unknown":
                raise PlugError("it does not know Var16: its firmware is built without rules; use Tasmota's own builds")
            return True if isinstance(said, dict) and word in said.values() else None

        await self.hear(repeated)

    async def order(self, *, on: bool) -> None:
        """Its answer names the relay's new state."""
        command = f"Power{self._relay}"
        await self.ask(f"an answer to {command}", self._topic("cmnd", command), "ON" if on else "OFF")
        await self.hear(lambda _topic, said: self._power(said) is on or None)

    async def read(self) -> Reading:
        """An empty command asks; Status 10 tells the meter's reading."""
        await self.greet()
        command = f"Power{self._relay}"
        await self.ask(f"an answer to {command}", self._topic("cmnd", command), "")
        on = await self.hear(lambda _topic, said: self._power(said))
        await self.ask("an answer to Status 10", self._topic("cmnd", "Status"), "10")
        sensors = await self.hear(lambda _topic, said: _entry(said, "StatusSNS"))
        power = _entry(_entry(sensors, "ENERGY"), "Power")
        if isinstance(power, list):
            power = power[self._relay - 1] if self._relay <= len(power) else None
        return Reading(on, _number(power))

    @property
    def _relay(self) -> int:
        return _channel(self.name, default=1)

    def _topic(self, prefix: str, last: str) -> str:
        return f"{self.topics.full.replace('%prefix%', prefix).replace('%topic%', self.name.topic)}{last}"

    def _power(self, said: Any) -> bool | None:
        """A device with one relay says POWER, one with several POWER1 and so on (SetOption26)."""
        names = (f"POWER{self._relay}", *(("POWER",) if self._relay == 1 else ()))
        words = [_entry(said, name) for name in names]
        return next(({"ON": True, "OFF": False}[word] for word in words if word in ("ON", "OFF")), None)


class Shelly(Outlet):
    """A switch of a Shelly device of the second generation or later; `channel` is its id from 0."""

    @property
    def heard_on(self) -> tuple[str, ...]:
        """Whether it is connected, and the topic that our requests name for answers."""
        return f"{self.name.topic}/online", f"{self.topics.reply}/rpc"

    def availability(self, message: Heard) -> bool | None:
        """Its last will is retained: true or false."""
        if message.topic != f"{self.name.topic}/online":
            return None
        return message.payload == b"true"

    async def greet(self) -> None:
        """Any call shows that it is there."""
        await self._call("Switch.GetStatus", {})

    async def order(self, *, on: bool) -> None:
        """Its answer tells what was before: it has taken the order."""
        await self._call("Switch.Set", {"on": on})

    async def read(self) -> Reading:
        """One answer holds both output and power."""
        status = await self._call("Switch.GetStatus", {})
        output = _entry(status, "output")
        if not isinstance(output, bool):
            raise PlugError(f'its answer to Switch.GetStatus holds no "output": {json.dumps(status)[:100]}')
        return Reading(output, _number(_entry(status, "apower")))

    async def _call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        number = secrets.randbelow(2**31)
        switch = {"id": _channel(self.name, default=0), **parameters}
        request = {"id": number, "src": self.topics.reply, "method": method, "params": switch}
        await self.ask(f"an answer to {method}", f"{self.name.topic}/rpc", json.dumps(request))
        reply = await self.hear(lambda _topic, said: said if _entry(said, "id") == number else None)
        if (error := _entry(reply, "error")) is not None:
            raise PlugError(f"it refused {method}: {_entry(error, 'message')}; is the plug's number right?")
        return _entry(reply, "result")


class Zigbee2Mqtt(Outlet):
    """A plug behind Zigbee2MQTT; `channel` is its endpoint's name where it has several (state_l1)."""

    @property
    def heard_on(self) -> tuple[str, ...]:
        """The plug's state and availability, the bridge's state and its answers."""
        return self._device, f"{self._device}/availability", f"{self._bridge}/state", self._health

    def availability(self, message: Heard) -> bool | None:
        """The bridge's own state is retained; any later word about it means that it restarted."""
        if message.topic == f"{self._bridge}/state":
            if not message.retained:
                raise PlugError("Zigbee2MQTT restarted meanwhile, and tells what it remembers; ask again")
            if not _says_online(message.payload):
                raise PlugError("Zigbee2MQTT is not running")
            return True
        if message.topic == f"{self._device}/availability" and not _says_online(message.payload):
            return False
        return None

    async def greet(self) -> None:
        """Let the bridge repeat a number of ours."""
        number = secrets.randbelow(2**31)
        request = json.dumps({"transaction": number})
        await self.ask("Zigbee2MQTT's health", f"{self._bridge}/request/health_check", request)
        reply = await self.hear(lambda topic, said: self._answer(number, topic, said))
        if _entry(_entry(reply, "data"), "healthy") is not True:
            raise PlugError("Zigbee2MQTT says that it is not healthy; see its log")

    async def order(self, *, on: bool) -> None:
        """What follows /set may be what the bridge hopes for, so the plug is asked as well; the proof is read later."""
        word = "ON" if on else "OFF"
        await self.ask("an answer to /set", f"{self._device}/set", json.dumps({self._state: word}))
        await self._get(self._state)
        await self.hear(lambda topic, said: (self._on(topic, said) is on) or None)

    async def read(self) -> Reading:
        """Listen to all that follows /get for a while; a remembered power that is not zero is asked for again."""
        await self.greet()
        await self._get(self._state)
        readings = [await self.hear(self._reading)]
        await self._go_on_hearing(readings)
        if readings[-1].watts and not readings[-1].on:
            await self._get("power")
            await self._go_on_hearing(readings)
        states = {reading.on for reading in readings}
        return Reading(states.pop() if len(states) == 1 else None, readings[-1].watts)

    async def _get(self, attribute: str) -> None:
        await self.ask("an answer to /get", f"{self._device}/get", json.dumps({attribute: ""}))

    async def _go_on_hearing(self, readings: list[Reading]) -> None:
        try:
            async with asyncio.timeout(SETTLE_MS / 1000):
                while True:
                    readings.append(await self.hear(self._reading))
        except TimeoutError:
            return

    def _reading(self, topic: str, said: Any) -> Reading | None:
        on = self._on(topic, said)
        return None if on is None else Reading(on, _number(_entry(said, "power")))

    def _on(self, topic: str, said: Any) -> bool | None:
        if topic != self._device:
            return None
        return {"ON": True, "OFF": False}.get(str(_entry(said, self._state)))

    def _answer(self, number: int, topic: str, said: Any) -> Any:
        return said if topic == self._health and _entry(said, "transaction") == number else None

    @property
    def _state(self) -> str:
        return f"state_{self.name.channel}" if self.name.channel else "state"

    @property
    def _device(self) -> str:
        return f"{self.topics.base}/{self.name.topic}"

    @property
    def _bridge(self) -> str:
        return f"{self.topics.base}/bridge"

    @property
    def _health(self) -> str:
        return f"{self._bridge}/response/health_check"


FAMILIES: Mapping[str, type[Outlet]] = {"tasmota": Tasmota, "shelly": Shelly, "zigbee2mqtt": Zigbee2Mqtt}


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    """NaN is less than no limit, and more than none."""
    raise ValueError(f"{constant} is no JSON")


def _entry(said: Any, name: str) -> Any:
    return said.get(name) if isinstance(said, dict) else None


def _number(value: Any) -> float | None:
    """A number that no meter shows is too much in any case: it must not count as no meter."""
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except OverflowError:
        return inf


def _says_online(payload: bytes) -> bool:
    """Zigbee2MQTT 2 says {"state":"online"}, earlier ones the bare word."""
    return payload == b"online" or _entry(_json(payload), "state") == "online"


def _channel(name: OutletName, *, default: int) -> int:
    if not name.channel:
        return default
    if not (name.channel.isascii() and name.channel.isdigit()):
        raise PlugError(f'expected a number after the colon, got "{name.channel}"')
    return int(name.channel)
