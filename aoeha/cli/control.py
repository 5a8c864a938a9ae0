"""The client side of the control socket: one request, then lines until `done`. Every wait has a deadline."""

import errno
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from aoeha.core.model.exits import Exit
from aoeha.core.model.text import shown

__all__ = ["DEFAULT_SOCKET", "ControlError", "Reply", "Saying", "ask", "how_to_start"]

DEFAULT_SOCKET = "/run/aoeha/control.sock"
CONFIGURATION = "/etc/aoeha/aoeha.toml"
CONNECT_SECONDS = 3
LINE_BYTES_MAX = 4 << 20

Saying = Callable[[dict[str, Any]], None]
"""Called with each `say` line as it comes."""


class ControlError(Exception):
    """The daemon could not be asked, or did not answer. The message is a sentence; `code` the exit code."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Reply(NamedTuple):
    """The `done` line. No dataclass: importing those costs a tenth of the time that `aoeha status` may take."""

    exit_code: int
    code: str
    sentence: str
    document: dict[str, Any] | None = None


def ask(
    path: str,
    verb: str,
    arguments: dict[str, str] | None = None,
    *,
    deadline_seconds: float | None = 10.0,
    saying: Saying | None = None,
) -> Reply:
    """Send one request and return its `done`. A deadline of None waits for as long as the daemon runs.

    Raises ControlError when the daemon does not run, may not be asked, goes away or takes too long.
    """
    until = None if deadline_seconds is None else time.monotonic() + deadline_seconds
    request = json.dumps({"verb": verb, "arguments": arguments or {}}) + "\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _connect(connection, path)
        lines = _Lines(connection, until)
        try:
            lines.send(request.encode())
            while True:
                line = lines.next()
                if line.get("kind") == "done":
                    return _done(line)
                if line.get("kind") == "say" and saying is not None:
                    saying(line)
        except TimeoutError as error:
            raise ControlError(
                Exit.TIMED_OUT,
                f"cannot wait longer for {verb}: no answer within {deadline_seconds:g} s; "
                "`aoeha status` shows its progress",
            ) from error


def _connect(connection: socket.socket, path: str) -> None:
    # While many others connect there is a queue, in which only a socket that blocks waits (unix(7)).
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", CONNECT_SECONDS, 0))
    try:
        connection.connect(path)
    except PermissionError as error:
        raise ControlError(
            Exit.NO_PRIVILEGE,
            f"cannot open {path}: permission denied; reading needs the group aoeha (`usermod -aG aoeha USER`, then log "
            "in again), changes need root (sudo)",
        ) from error
    except (BlockingIOError, TimeoutError) as error:
        raise ControlError(
            Exit.TIMED_OUT,
            f"cannot reach the daemon: it does not accept connections on {path}; `journalctl -u aoeha` may say why",
        ) from error
    except OSError as error:
        absent = error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR)
        why = "it is not running" if absent else str(error.strerror or error)
        raise ControlError(
            Exit.NOT_RUNNING,
            f"cannot reach the daemon: {why} (nothing answers at {path}); {how_to_start()}",
        ) from error


def how_to_start(configuration: str = CONFIGURATION, kernel_command_line: str = "/proc/cmdline") -> str:
    """Return what to type. systemd skips a unit whose conditions fail, and `systemctl start` then ends with 0."""
    if not os.path.exists(configuration):  # noqa: PTH110 - pathlib would cost `aoeha status` its start-up time
        return (
            f"there is no {configuration}, and the service does not start without it: copy etc/aoeha.toml there, "
            "edit it for this pair, run `aoeha check`, then: systemctl start aoeha"
        )
    if "nocluster" in _words_of(kernel_command_line):
        return (
            "this machine was booted with `nocluster`, and the service does not start on such a boot: reboot without it"
        )
    return "start it: systemctl start aoeha"


def _words_of(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="replace") as text:  # noqa: PTH123 - as above
            return text.read().split()
    except OSError:
        return []


class _Lines:
    """The connection as lines. Raises TimeoutError past the deadline and ControlError for every other fault."""

    def __init__(self, connection: socket.socket, until: float | None) -> None:
        self._connection = connection
        self._until = until
        self._gathered = bytearray()

    def send(self, request: bytes) -> None:
        try:
            self._connection.settimeout(self._remaining())
            self._connection.sendall(request)
        except TimeoutError:
            raise
        except BrokenPipeError:
            # Turned away before the request was sent; the reason can be read all the same.
            return
        except OSError as error:
            raise ControlError(Exit.CANNOT_DETERMINE, _lost(error.strerror or str(error))) from error

    def next(self) -> dict[str, Any]:
        end = self._gathered.find(b"\n")
        while end < 0:
            searched = len(self._gathered)
            self._gathered += self._receive()
            end = self._gathered.find(b"\n", searched)
            if end < 0 and len(self._gathered) > LINE_BYTES_MAX:
                raise ControlError(
                    Exit.FAILED, f"cannot read the daemon's answer: a line is longer than {LINE_BYTES_MAX} bytes"
                )
        line = _parsed(bytes(self._gathered[:end]))
        del self._gathered[: end + 1]
        return line

    def _receive(self) -> bytes:
        try:
            self._connection.settimeout(self._remaining())
            chunk = self._connection.recv(65_536)
        except TimeoutError:
            raise
        except OSError as error:
            raise ControlError(Exit.CANNOT_DETERMINE, _lost(error.strerror or str(error))) from error
        if not chunk:
            raise ControlError(Exit.CANNOT_DETERMINE, _lost("it closed the connection"))
        return chunk

    def _remaining(self) -> float | None:
        if self._until is None:
            return None
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError as error:
        raise ControlError(Exit.FAILED, _foreign()) from error
    if not isinstance(parsed, dict):
        raise ControlError(Exit.FAILED, _foreign())
    plain: dict[str, Any] = _plain(parsed)
    return plain


def _plain(value: Any) -> Any:
    """Return what the daemon said with all text as text. It tells what devices, programs and the peer told it."""
    match value:
        case str():
            return shown(value)
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {shown(name): _plain(each) for name, each in value.items()}
        case _:
            return value


def _done(line: dict[str, Any]) -> Reply:
    exit_code, document = line.get("exit_code"), line.get("document")
    if not isinstance(exit_code, int) or not (document is None or isinstance(document, dict)):
        raise ControlError(Exit.FAILED, _foreign())
    return Reply(exit_code, str(line.get("code", "")), str(line.get("sentence", "")), document)


def _lost(why: str) -> str:
    return (
        f"cannot tell how this ended: the daemon closed the connection before it answered ({why}); "
        "`aoeha status` shows the present state"
    )


def _foreign() -> str:
    return "cannot read the daemon's answer: its format is of another version; restart the daemon after an update"
