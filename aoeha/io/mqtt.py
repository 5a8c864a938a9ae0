"""Talks to an MQTT broker. This is the only file that imports aiomqtt, which only MQTT needs (`aoeha[mqtt]`).

A session ends with the work that it was opened for. A negative answer of the broker itself (CONNACK, SUBACK, PUBACK)
is an error. A positive one means nothing: it never says that another client received a message.

MQTT 5 (mosquitto 1.6 or later), because messages expire there: an order that a broker keeps for an absent receiver is
not carried out an hour later.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

try:
    import aiomqtt
    from aiomqtt.exceptions import MqttConnectError
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
except ImportError:
    aiomqtt = None  # type: ignore[assignment]  # an extra: `session` says so to callers that need it

__all__ = ["Broker", "Heard", "MqttError", "Session", "require_library", "session"]

PACKET_MAX_BYTES = 65_536
WAITING_MAX = 256
"""Messages that may wait to be read."""
QOS_AT_LEAST_ONCE = 1
REFUSED = 128
"""Reason codes from here on are refusals (MQTT 5, 2.4)."""

BROKEN = "the connection to the broker broke"

T = TypeVar("T")


class MqttError(Exception):
    """The broker cannot be talked to. The message says why, without a leading "cannot"."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The address and credentials of a broker. `address` is an IP address. `tls` None means plain TCP."""

    address: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One message. `retained`: the broker kept it from before the subscription, so it says nothing about now."""

    topic: str
    payload: bytes
    retained: bool


class Session:
    """An open connection. Its methods wait until they are cancelled, and raise MqttError when it breaks."""

    def __init__(self, client: "aiomqtt.Client") -> None:
        self._client = client
        self._heard: deque[Heard] = deque()
        self._news = asyncio.Event()
        self._listener = asyncio.create_task(self._listen())

    async def subscribe(self, *topics: str) -> None:
        """Return when the broker granted every one of these topics."""
        codes = await self._unless_broken(self._client.subscribe([(topic, QOS_AT_LEAST_ONCE) for topic in topics]))
        for topic, code in zip(topics, codes, strict=True):
            if getattr(code, "value", code) >= REFUSED:  # type: ignore[operator]  # MQTT 5: it has a value
                raise MqttError(f"the broker does not let us subscribe to {topic}; correct its access list")

    async def publish(self, topic: str, payload: str, *, lifetime_s: int) -> None:
        """Hand a message over, not to be retained; for an absent receiver the broker keeps it `lifetime_s` at most."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = lifetime_s
        work = self._client.publish(topic, payload, qos=QOS_AT_LEAST_ONCE, retain=False, properties=properties)
        await self._unless_broken(work)

    async def next(self) -> Heard:
        """Return the next message, in the order of arrival. Cancelling loses none."""
        while not self._heard:
            self._news.clear()
            await self._unless_broken(self._news.wait())
        return self._heard.popleft()

    def end(self) -> None:
        """Stop listening."""
        self._listener.cancel()
        self._listener.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def _listen(self) -> None:
        async for message in self._client.messages:
            if len(self._heard) >= WAITING_MAX:
                raise MqttError(
                    f"more than {WAITING_MAX} messages wait to be read; find the client that publishes them"
                )
            payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
            self._heard.append(Heard(str(message.topic), payload, message.retain))
            self._news.set()

    async def _unless_broken(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` returns; MqttError at once when the connection breaks, for which aiomqtt would wait."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task, self._listener}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        except aiomqtt.MqttError as fault:
            raise MqttError(f"{BROKEN}: {fault}") from None
        finally:
            task.cancel()
        end = None if self._listener.cancelled() else self._listener.exception()
        raise end if isinstance(end, MqttError) else MqttError(BROKEN)


def require_library() -> None:
    """Raise MqttError unless aiomqtt is installed."""
    if aiomqtt is None:
        raise MqttError(
            'the Python package aiomqtt is not installed; pip install "aiomqtt>=2.4,<3" where aoeha is installed'
        )


@contextlib.asynccontextmanager
async def session(broker: Broker, name: str, *, deadline_ms: int) -> AsyncIterator[Session]:
    """Connect as the client `name` within the deadline and yield the session; the connection is closed afterwards.

    Raises MqttError, also when aiomqtt is not installed.
    """
    require_library()
    client = _client(broker, name, deadline_ms)
    await _connect(client, broker, deadline_ms)
    _write_at_once(client)
    opened = Session(client)
    try:
        yield opened
    finally:
        opened.end()
        _hang_up(client)


def _client(broker: Broker, name: str, deadline_ms: int) -> "aiomqtt.Client":
    limit = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    limit.MaximumPacketSize = PACKET_MAX_BYTES
    silent = logging.getLogger("aoeha.io.mqtt")
    silent.propagate = False
    silent.addHandler(logging.NullHandler())
    client = aiomqtt.Client(
        broker.address,
        broker.port,
        username=broker.user or None,
        password=broker.password or None,
        tls_context=broker.tls,
        identifier=name,
        protocol=aiomqtt.ProtocolVersion.V5,
        properties=limit,
        clean_start=True,
        timeout=deadline_ms / 1000,
        keepalive=max(2, deadline_ms // 1000),
        max_queued_incoming_messages=WAITING_MAX,
        socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        logger=silent,
    )
    client._client.connect_timeout = deadline_ms / 1000  # noqa: SLF001  # aiomqtt leaves paho's 5 s
    return client


async def _connect(client: "aiomqtt.Client", broker: Broker, deadline_ms: int) -> None:
    """Connect, or leave nothing behind.

    aiomqtt connects in a thread that cannot be stopped; it ends by itself (paho waits one deadline for TCP and one for
    TLS). So it is waited for here as long as the deadline says, and whatever it brings later is closed.
    """
    where = f"{broker.address} port {broker.port}"
    connecting = asyncio.create_task(client.__aenter__())
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await asyncio.shield(connecting)
    except BaseException as fault:
        connecting.add_done_callback(lambda task: _discard(client, task))
        if isinstance(fault, MqttConnectError):
            raise MqttError(f"the broker at {where} refused us: {fault}; correct user and password") from None
        if isinstance(fault, TimeoutError):
            raise MqttError(f"the broker at {where} did not answer within {deadline_ms} ms") from None
        if isinstance(fault, aiomqtt.MqttError | OSError | ValueError):
            raise MqttError(f"no connection to the broker at {where}: {fault}") from None
        raise


def _discard(client: "aiomqtt.Client", connecting: "asyncio.Task[aiomqtt.Client]") -> None:
    if not connecting.cancelled():
        connecting.exception()
    _hang_up(client)


def _write_at_once(client: "aiomqtt.Client") -> None:
    """Let the loop watch the socket from the moment that there is something to write.

    aiomqtt lets it do so one turn later, by when the socket may be closed and its number another socket's: that one
    would be watched for ever. One turn later is right only while its thread connects.
    """
    loop, paho = asyncio.get_running_loop(), client._client  # noqa: SLF001  # aiomqtt offers no way in

    def watch(_client: object, _data: object, watched: Any) -> None:
        def write() -> None:
            if paho.loop_write():
                loop.remove_writer(watched)

        loop.add_writer(watched, write)

    paho.on_socket_register_write = watch


def _hang_up(client: "aiomqtt.Client") -> None:
    """Send DISCONNECT if the socket takes it, and close the connection in any state.

    aiomqtt's own way waits for the broker, and leaves the socket of an attempt that failed open.
    """
    paho = client._client  # noqa: SLF001  # aiomqtt offers no way to hang up
    paho.on_socket_register_write = None  # so that paho writes at once and not one turn later
    paho.disconnect()
    paho.reinitialise()
