"""The command against the daemon's own socket code: both ends of the protocol as they are."""

import asyncio
import os
from pathlib import Path

import pytest
from daemon_double import aoeha
from goldens import document, screen

from aoeha.core.model.conditions import Code
from aoeha.core.model.exits import Exit
from aoeha.io.control_socket import Connection, ControlSocket, Request


async def exchange(path: Path, *words: str) -> tuple[list[Request], int, str, str]:
    """Serve while the command runs; return what was asked and how the command ended."""
    requests: list[Request] = []

    async def answer(request: Request, connection: Connection) -> None:
        requests.append(request)
        if request.verb == "status":
            connection.done(Exit.DONE, Code.COMMAND_DONE, "", document("nobody-serves"))
        else:
            connection.say(
                "warning", "x.y", {"kind": "group", "name": "storage"}, "stopping exports", wall_ms=1_700_000_000_000
            )
            connection.done(Exit.UNSAFE, Code.COMMAND_REFUSED_PEER_NOT_HEARD, "cannot move storage: beta is silent")

    server = ControlSocket(path, answer)
    await server.open()
    try:
        ran = await asyncio.to_thread(aoeha, *words, "--socket", str(path), environment={"TZ": "UTC"})
    finally:
        await server.close()
    return requests, ran.returncode, ran.stdout, ran.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="the socket serves root")
def test_status_comes_through_the_real_socket(tmp_path: Path) -> None:
    requests, code, out, err = asyncio.run(exchange(tmp_path / "control.sock", "status"))
    assert (code, err) == (0, "")
    assert out == screen("nobody-serves")
    assert requests == [Request("status", {})]


@pytest.mark.skipif(os.geteuid() != 0, reason="the socket serves root")
def test_a_refusal_comes_through_the_real_socket(tmp_path: Path) -> None:
    requests, code, out, err = asyncio.run(exchange(tmp_path / "control.sock", "switchover", "storage", "--wait"))
    assert (code, err) == (107, "aoeha: cannot move storage: beta is silent\n")
    assert out == "2023-11-14 22:13:20.000  warning  group storage: stopping exports\n"
    assert requests == [Request("switchover", {"group": "storage", "wait_ms": "60000"})]
