"""The client's end of the control socket: one request, lines until `done`, a deadline on everything."""

import errno
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aoeha.cli.exits import Exit

__all__ = ["DEFAULT_SOCKET", "ControlError", "Reply", "Saying", "ask"]

DEFAULT_SOCKET = "/run/aoeha/control.sock"
CONNECT_SECONDS = 3.0
LINE_BYTES_MAX = 4 << 20

Saying = Callable[[dict[str, Any]], None]
"""Called with each `say` line as it comes."""


class ControlError(Exception):
    """The daemon could not be asked, or did not answer. The message is a sentence; `code` the exit code."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """The `done` line."""

    code: int
    sentence: str
    document: dict[str, Any] | None = field(default=None)


def ask(
    path: str,
    verb: str,
    arguments: dict[str, str] | None = None,
    *,
    deadline_seconds: float | None = 10.0,
    saying: Saying | None = None,
) -> Reply:
    """Send one request and return its `done`. A deadline of None waits as long as the daemon lives.

    Raises ControlError when the daemon does not run, may not be asked, goes away or takes too long.
    """
    until = None if deadline_seconds is None else time.monotonic() + deadline_seconds
    request = json.dumps({"verb": verb, "arguments": arguments or {}}) + "\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _connect(connection, path)
        try:
            connection.sendall(request.encode())
            return _read_reply(connection, until, saying)
        except TimeoutError as error:
            raise ControlError(
                Exit.TIMED_OUT,
                f"cannot wait any longer for {verb}: no answer within {deadline_seconds:g} s; "
                "`aoeha status` shows how far it is",
            ) from error
        except OSError as error:
            raise ControlError(Exit.CANNOT_DETERMINE, _lost(error.strerror or str(error))) from error


def _connect(connection: socket.socket, path: str) -> None:
    connection.settimeout(CONNECT_SECONDS)
    try:
        connection.connect(path)
    except PermissionError as error:
        raise ControlError(
            Exit.NO_PRIVILEGE,
            f"cannot open {path}: permission denied; looking needs the group aoeha (`usermod -aG aoeha USER`, then log "
            "in again), changing needs root (sudo)",
        ) from error
    except TimeoutError as error:
        raise ControlError(
            Exit.TIMED_OUT,
            f"cannot reach the daemon: it does not accept connections on {path}; `journalctl -u aoeha` may say why",
        ) from error
    except OSError as error:
        absent = error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR)
        why = "it is not running" if absent else str(error.strerror or error)
        raise ControlError(
            Exit.NOT_RUNNING,
            f"cannot reach the daemon: {why} (nothing answers at {path}); start it: systemctl start aoeha",
        ) from error


def _read_reply(connection: socket.socket, until: float | None, saying: Saying | None) -> Reply:
    gathered = bytearray()
    while True:
        end = gathered.find(b"\n")
        while end < 0:
            _receive(connection, gathered, until)
            end = gathered.find(b"\n")
        line = _parsed(bytes(gathered[:end]))
        del gathered[: end + 1]
        if line.get("kind") == "done":
            return _done(line)
        if line.get("kind") == "say" and saying is not None:
            saying(line)


def _receive(connection: socket.socket, gathered: bytearray, until: float | None) -> None:
    remaining = None if until is None else until - time.monotonic()
    if remaining is not None and remaining <= 0:
        raise TimeoutError
    connection.settimeout(remaining)
    chunk = connection.recv(65_536)
    if not chunk:
        raise ControlError(Exit.CANNOT_DETERMINE, _lost("it closed the connection"))
    gathered += chunk
    if len(gathered) > LINE_BYTES_MAX:
        raise ControlError(
            Exit.FAILED, f"cannot read the daemon's answer: a line is longer than {LINE_BYTES_MAX} bytes"
        )


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError as error:
        raise ControlError(Exit.FAILED, _foreign()) from error
    if not isinstance(parsed, dict):
        raise ControlError(Exit.FAILED, _foreign())
    return parsed


def _done(line: dict[str, Any]) -> Reply:
    code, document = line.get("code"), line.get("document")
    if not isinstance(code, int) or not (document is None or isinstance(document, dict)):
        raise ControlError(Exit.FAILED, _foreign())
    return Reply(code, str(line.get("sentence", "")), document)


def _lost(why: str) -> str:
    return (
        f"cannot tell how this ended: the daemon went away before it answered ({why}); "
        "`aoeha status` shows how things are now"
    )


def _foreign() -> str:
    return "cannot read the daemon's answer: it is not in the form of this version; restart the daemon after an update"
