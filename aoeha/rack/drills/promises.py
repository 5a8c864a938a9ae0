"""What must never be while a drill is played, looked at again and again in the rack (`never`, aoeha.scenario)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aoeha.rack.machines.guest_link import GuestEvent, now_ms
from aoeha.rack.machines.host import RackError
from aoeha.rack.machines.rack import GATEWAYS, Rack
from aoeha.scenario.grammar import Statement

__all__ = ["Nevers"]

LOOK_S = 0.25
SERVED_BY_NOBODY_MS = 3_000
"""A client writes fifty records a second: after so long without an acknowledged one no node serves it."""
Ask = Callable[[Rack, str], Awaitable[dict[str, Any]]]


class Nevers:
    """The promises that are watched. `broken` says which one was broken and how, empty as long as none was.

    `never writes lost` is not watched: every verdict reads each acknowledged record back.
    """

    def __init__(self, rack: Rack, status: Ask) -> None:
        self.broken = ""
        self._rack = rack
        self._status = status
        self._watched: list[tuple[Statement, Counter[str]]] = []
        self._served_ms = 0

    def begin(self, statement: Statement) -> None:
        """Watch from now on."""
        if statement.kind == "never lost":
            return
        if not self._watched:
            self._served_ms = now_ms()
            self._rack.listen(self._take)
            self._rack.spawn(self._watch())
        self._watched.append((statement, Counter(self._rack.boots)))

    def _take(self, event: GuestEvent) -> None:
        if event.kind == "acknowledged":
            self._served_ms = now_ms()

    async def _watch(self) -> None:
        while not self.broken:
            for statement, boots in self._watched:
                complaint = await self._complaint(statement, boots)
                if complaint:
                    self.broken = f"{statement.source}: {complaint}"
            await asyncio.sleep(LOOK_S)

    async def _complaint(self, statement: Statement, boots: Counter[str]) -> str:
        node = statement.node
        match statement.kind:
            case "never off":
                again = self._rack.boots[node] != boots[node]
                return f"a new kernel of {node} has come up" if again else ""
            case "never served" if node == "nobody":
                silent_ms = now_ms() - self._served_ms
                return f"no record was acknowledged for {silent_ms} ms" if silent_ms > SERVED_BY_NOBODY_MS else ""
            case "never served":
                return "it is so" if await self._serves(node, statement.group) else ""
            case _:
                serving = [gateway for gateway in GATEWAYS if await self._serves(gateway, statement.group)]
                return f"{' and '.join(serving)} do" if len(serving) > 1 else ""

    async def _serves(self, gateway: str, group: str) -> bool:
        try:
            document = await self._status(self._rack, gateway)
        except (RackError, OSError):
            return False
        return any(
            known["name"] == group and known["phase"] == "running" and known["owner"] == gateway
            for known in document["groups"]
        )
