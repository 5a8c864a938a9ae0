"""Which clients a server has, remembered on the shared volume, so that the next owner can wake them.

Without it a client's outage is set by its TCP back-off: 0.2 x (2^n - 1) seconds, 3.0 or 6.2 for a takeover of two.
Everything here only shortens an outage: no failure of it is a failure of the resource.
"""

import asyncio
import json
from pathlib import Path

from aoeha.agents.interface import AgentError
from aoeha.agents.parts.hanging_files import read_file, replace_file
from aoeha.io.host import Host
from aoeha.io.tickle import Connection, established, tickle

__all__ = ["ClientMemory"]

LOOK_EVERY_S = 1.0
ADDRESS_LOOK_EVERY_S = 0.02
ADDRESS_PATIENCE_S = 30.0
AGAIN_AFTER_S = (0.2, 0.6)
DISK_DEADLINE_MS = 5_000


class ClientMemory:
    """Remembers the clients of one port in a file; wakes those that the previous owner remembered."""

    def __init__(self, host: Host, path: Path, port: int) -> None:
        self._host = host
        self._path = path
        self._port = port
        self._task: asyncio.Task[None] | None = None
        self._written: tuple[Connection, ...] | None = None

    def begin(self, *, wake: bool) -> None:
        """Go on in the background until `end`: with `wake`, first wake whom the file names, once the address is up."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(wake=wake), name=f"remember clients of port {self._port}")

    def end(self) -> None:
        """Stop; the file stays for the next owner."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, *, wake: bool) -> None:
        if wake:
            await self._wake()
        while True:
            await self._remember()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _wake(self) -> None:
        """Wake the remembered clients as soon as their address is here, and again in case a frame was lost."""
        try:
            clients = _parse(await read_file(self._host, self._path, deadline_ms=DISK_DEADLINE_MS))
            for _ in range(int(ADDRESS_PATIENCE_S / ADDRESS_LOOK_EVERY_S)):
                if not (waiting := tickle(clients)):
                    break
                await asyncio.sleep(ADDRESS_LOOK_EVERY_S)
            else:
                clients = tuple(client for client in clients if client not in waiting)
            for pause_s in AGAIN_AFTER_S:
                await asyncio.sleep(pause_s)
                # One that has dialled again must be left alone: its connection is a good one now.
                tickle(tuple(client for client in clients if client not in established(self._port)))
        except (OSError, AgentError):
            return

    async def _remember(self) -> None:
        """Write the file when the clients have changed; it must survive a power loss, so it is synced."""
        clients = established(self._port)
        if clients == self._written:
            return
        rows = [[one.local, one.port, one.client, one.client_port] for one in clients]
        try:
            await replace_file(self._host, self._path, json.dumps(rows), deadline_ms=DISK_DEADLINE_MS)
            self._written = clients
        except AgentError:
            return


def _parse(text: str) -> tuple[Connection, ...]:
    try:
        return tuple(Connection(*row) for row in json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return ()
