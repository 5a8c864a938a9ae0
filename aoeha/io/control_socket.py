"""The control socket: one request for each connection, from users that the kernel identifies.

A client sends one JSON line and reads lines until the server closes (`say` any number of times, then one `done`).
Root may ask for everything, the group `aoeha` may look. Every client is bounded: in number, in what it sends, in how
long it takes to send it and in how much it leaves unread. One for whom there is no seat is turned away as it is
accepted, before it costs anything: whoever looks cannot hurt what protects.
"""

import asyncio
import contextlib
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from aoeha.core.model.conditions import Code
from aoeha.core.model.exits import Exit
from aoeha.io.control_seats import ROOT, Seats
from aoeha.io.tracebacks import print_traceback

__all__ = ["READ_ONLY_VERBS", "Caller", "Connection", "ControlSocket", "Request", "read_request"]

READ_ONLY_VERBS = frozenset({"status", "events", "why", "fence-history"})
GROUP_NAME = "aoeha"
GROUP_FILE = Path("/etc/group")
REQUEST_BYTES_MAX = 64 * 1024
ACCEPTED_A_TURN = 32
"""Then the loop has other work, and the next clients wait for ACCEPT_PAUSE_MS."""
ACCEPT_PAUSE_MS = 50
BACKLOG = 64
TURNED_AWAY_MAX = 8
REQUEST_DEADLINE_MS = 5_000
DEPARTURE_POLL_MS = 500
UNREAD_BYTES_MAX = 1 << 20
SO_PEERGROUPS = 59
"""asm-generic/socket.h, Linux 4.13; the socket module of Python 3.11 does not name it."""
PEERGROUPS_BYTES = 1_024
"""256 groups: what socket.getsockopt can return. A user in more of them is not seen as a member by these."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client asks for. A key that is not known is refused, like one of aoeha.toml: it may be a mistyped one."""

    verb: str
    arguments: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """The user at the other end, as the kernel reports it."""

    user: str
    may_change: bool
    may_look: bool

    def may(self, verb: str) -> bool:
        """Tell whether this caller may use the verb."""
        return self.may_change or (verb in READ_ONLY_VERBS and self.may_look)


class Connection:
    """The connection of one client, through which its request is answered."""

    def __init__(self, writer: asyncio.StreamWriter, caller: Caller) -> None:
        self._writer = writer
        self.caller = caller
        self.closed = False

    def say(self, level: str, code: str, subject: dict[str, str], sentence: str, **more: Any) -> None:
        """Send one `say` line. A client that does not read is dropped, never waited for."""
        self._send({"kind": "say", "level": level, "code": code, "subject": subject, "sentence": sentence, **more})

    def done(self, exit_code: Exit, code: Code, sentence: str, document: Any = None) -> None:
        """Send the one `done` line; what comes after it is not sent."""
        self._send(_done(exit_code, code, sentence, document))
        self.closed = True

    def _send(self, line: dict[str, Any]) -> None:
        if self.closed:
            return
        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._writer.transport.abort()
            self.closed = True
            return
        self._writer.write(_encoded(line))


Handler = Callable[[Request, Connection], Awaitable[None]]
"""Answers one request and returns when `done` was sent. It is cancelled when the client disconnects."""


class ControlSocket:
    """Listens on a unix stream socket that root and the group may open."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._group: int | None = None
        self._listener: socket.socket | None = None
        self._file: tuple[int, int] | None = None
        self._is_wanted = False
        self._pause: asyncio.TimerHandle | None = None
        self._seats = Seats()
        self._connections: set[asyncio.Task[None]] = set()
        self._turned_away: deque[socket.socket] = deque()

    async def open(self) -> str:
        """Listen; return an empty string or a warning sentence. Raises OSError when the socket cannot be made.

        Only one daemon may call this for a path: a socket file that is there is taken to be left over. It may be called
        again where the socket is lost; connections that are open go on.
        """
        self.stop_listening()
        self._is_wanted = True
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            listener.bind(str(self._path))
            self._group = _group_id()
            warning = _let_group_in(self._path, self._group)
            listener.listen(BACKLOG)
            self._file = _identity(self._path)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        self._accept_again(listener)
        return warning

    def is_lost(self) -> bool:
        """Tell whether nobody can reach the socket any more, because its file was removed or could not be made."""
        return self._is_wanted and (self._listener is None or _identity(self._path) != self._file)

    def stop_listening(self) -> None:
        """Take no new connections, and remove the socket; those that are open go on."""
        self._is_wanted = False
        if self._pause:
            self._pause.cancel()
        if self._listener:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        with contextlib.suppress(OSError):
            self._path.unlink()

    async def close(self) -> None:
        """Stop listening, end all connections and remove the socket."""
        self.stop_listening()
        for client in self._turned_away:
            client.close()
        for connection in tuple(self._connections):
            connection.cancel()
        if self._connections:
            await asyncio.wait(tuple(self._connections), timeout=1)

    def _accept_again(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Seat those that wait, or turn them away. Many at once, or a lack of descriptors, must not fill the loop."""
        for _ in range(ACCEPTED_A_TURN):
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError:
                break
            self._seat(client)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        self._pause = loop.call_later(ACCEPT_PAUSE_MS / 1_000, self._accept_again, listener)

    def _seat(self, client: socket.socket) -> None:
        client.setblocking(False)
        caller = _caller(client, self._group)
        refusal = self._seats.take(caller.user)
        if refusal:
            self._turn_away(client, f"cannot serve you: {refusal}")
            return
        connection = asyncio.create_task(self._connected(client, caller), name=f"client-{caller.user}")
        self._connections.add(connection)
        connection.add_done_callback(lambda ended: self._ended(ended, client, caller.user))

    def _turn_away(self, client: socket.socket, sentence: str) -> None:
        """Say why. The last few stay open unread, so that a client which is still sending can read the reason."""
        with contextlib.suppress(OSError):
            client.send(_encoded(_done(Exit.FAILED, Code.COMMAND_REFUSED_BUSY, sentence, None)))
            client.shutdown(socket.SHUT_WR)
        self._turned_away.append(client)
        if len(self._turned_away) > TURNED_AWAY_MAX:
            self._turned_away.popleft().close()

    def _ended(self, connection: asyncio.Task[None], client: socket.socket, user: str) -> None:
        """Whatever ended it, even before it began: the seat is free and the descriptor is closed."""
        client.close()
        self._connections.discard(connection)
        self._seats.leave(user)

    async def _connected(self, client: socket.socket, caller: Caller) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=REQUEST_BYTES_MAX)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._serve(reader, writer, caller)
        except (OSError, asyncio.CancelledError):
            # The client disconnected, or the daemon ends: no client waits for an answer.
            return
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caller: Caller) -> None:
        connection = Connection(writer, caller)
        request = await _read_request(reader, connection)
        if request:
            try:
                await self._until_gone(reader, writer, self._handler(request, connection))
            except Exception as error:  # noqa: BLE001 - our bug; the client is told, and the daemon continues
                print_traceback()
                sentence = f"cannot {request.verb}: the daemon broke over it: {error!r}; see its log"
                connection.done(Exit.FAILED, Code.COMMAND_FAILED, sentence)
        writer.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REQUEST_DEADLINE_MS / 1_000):
                await writer.wait_closed()

    async def _until_gone(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Awaitable[None]
    ) -> None:
        """Await the answer, or cancel it when the client is gone."""
        answering = asyncio.ensure_future(answer)
        leaving = asyncio.ensure_future(_departure(reader, writer))
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not answering.done():
                answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering


def _done(exit_code: Exit, code: Code, sentence: str, document: Any) -> dict[str, Any]:
    return {"kind": "done", "exit_code": exit_code, "code": code.value, "sentence": sentence, "document": document}


def _encoded(line: dict[str, Any]) -> bytes:
    return msgspec.json.encode(line) + b"\n"


async def _departure(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Return when the client has closed its socket; one that only stopped sending still wants its answer."""
    while await reader.read(4_096):
        pass
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), 0)
    while not poll.poll(0):  # noqa: ASYNC110 - once reading has ended, no event tells that the far end closed
        await asyncio.sleep(DEPARTURE_POLL_MS / 1_000)


def read_request(line: bytes) -> Request:
    """Return the request that a line holds. Raises ValueError, and nothing else, where it holds none."""
    try:
        return msgspec.json.decode(line, type=Request)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


async def _read_request(reader: asyncio.StreamReader, connection: Connection) -> Request | None:
    """Return the request, or None after telling the client why not."""
    try:
        async with asyncio.timeout(REQUEST_DEADLINE_MS / 1_000):
            request = read_request(await reader.readline())
    except TimeoutError:
        sentence = f"cannot serve you: no request came within {REQUEST_DEADLINE_MS} ms"
        connection.done(Exit.USAGE, Code.COMMAND_USAGE, sentence)
        return None
    except ValueError as error:
        # StreamReader raises ValueError for a line beyond its limit; msgspec's errors are ValueErrors too.
        sentence = f"cannot read the request: {error}; send one JSON line with verb and arguments"
        connection.done(Exit.USAGE, Code.COMMAND_USAGE, sentence)
        return None
    if not connection.caller.may(request.verb):
        sentence = f"cannot {request.verb} as {connection.caller.user}: root may, and for a look the group {GROUP_NAME}"
        connection.done(Exit.NO_PRIVILEGE, Code.COMMAND_REFUSED_NO_PRIVILEGE, sentence)
        return None
    return request


def _caller(connection: socket.socket, group: int | None) -> Caller:
    """Return the connected user, by SO_PEERCRED and SO_PEERGROUPS (unix(7))."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, user_id, group_id = struct.unpack("3i", credentials)
    packed = b""
    with contextlib.suppress(OSError):
        packed = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, PEERGROUPS_BYTES)
    groups = {group_id, *struct.unpack(f"{len(packed) // 4}I", packed)}
    # No look-up by name: that may ask a directory server, and the loop must not wait.
    user = ROOT if user_id == 0 else f"uid {user_id}"
    return Caller(user, may_change=user_id == 0, may_look=user_id == 0 or group in groups)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file lies there, None for none."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def _group_id() -> int | None:
    """Return the group's number. Only /etc/group is read: a name service may hang when the network does."""
    with contextlib.suppress(OSError):
        for line in GROUP_FILE.read_text(encoding="utf-8", errors="replace").splitlines():
            match line.split(":"):
                case [name, _, number, *_] if name == GROUP_NAME and number.isdecimal():
                    return int(number)
    return None


def _let_group_in(path: Path, group: int | None) -> str:
    """Open the socket to the group; return a sentence when there is no such group."""
    if group is None:
        path.chmod(0o600)
        return f"only root can see the status: there is no group {GROUP_NAME}; make it with `groupadd --system aoeha`"
    if os.geteuid() == 0:
        os.chown(path, 0, group)
    path.chmod(0o660)
    return ""
