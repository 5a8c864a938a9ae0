"""The record of clients on the shared volume: written when they change, and never in the way."""

import asyncio
import socket
from pathlib import Path

from patience import PATIENCE_S

from aoeha.agents.parts.tcp_tickles import ClientMemory
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost
from aoeha.io.tickle import Connection, established


async def until(condition: object, *, patience_s: float = PATIENCE_S) -> bool:
    assert callable(condition)
    for _ in range(int(patience_s / 0.01)):
        if condition():
            return True
        await asyncio.sleep(0.01)
    return False


def test_clients_are_remembered_and_forgotten_when_they_leave(tmp_path: Path) -> None:
    path = tmp_path / "connections.json"

    async def serve() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            memory = ClientMemory(ProcessHost(Place("test", "alpha")), path, port)
            memory.begin(wake=True)
            client = socket.create_connection(("127.0.0.1", port))
            accepted, _ = server.accept()
            known = Connection("127.0.0.1", port, "127.0.0.1", client.getsockname()[1])
            assert established(port) == (known,)
            assert await until(lambda: path.exists() and str(known.client_port) in path.read_text())
            client.close()
            accepted.close()
            assert await until(lambda: path.read_text() == "[]")
            memory.end()

    asyncio.run(serve())
    assert [entry.name for entry in tmp_path.iterdir()] == ["connections.json"]


def test_a_damaged_record_or_a_missing_volume_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "volume" / "connections.json"

    async def serve() -> bool:
        memory = ClientMemory(ProcessHost(Place("test", "alpha")), path, 1)
        memory.begin(wake=True)
        path.parent.mkdir(exist_ok=True)
        try:
            return await until(lambda: path.exists() and path.read_text() == "[]")
        finally:
            memory.end()

    assert asyncio.run(serve())
    for text in ("", "{", "[[1]]", '[["not an address", 1, "::1", 2]]', "[[[]]]", '[["::1", -1, "::1", 2]]'):
        path.write_text(text)
        assert asyncio.run(serve()), text
