"""What is read after a drill: the end of md's check is seen, and a resync that is due is made before it counts."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from aoeha.rack.evidence.checking import read_mismatches
from aoeha.rack.machines.guest_link import GuestLink, Switchboard

MDSTAT = "md127 : active raid1 etherd/e2.0[1] etherd/e1.0[0]\n"
HERE = "127.0.0.1"


@dataclass
class Mirror:
    """A mirror as sysfs shows it: `due` resyncs are to be made, and each makes the legs equal."""

    after: str
    """What sync_action reads when a check or a resync has ended."""
    is_due: bool = False
    differs: int = 128
    asked: list[str] = field(default_factory=list)
    looks: int = 0

    def read(self, name: str) -> str:
        match name:
            case "sync_action":
                self.looks += 1
                return f"{self.asked[-1] if self.looks % 3 else self.after}\n"
            case "resync_start":
                return "0\n" if self.is_due else "none\n"
            case "mismatch_cnt":
                return f"{self.differs}\n"
        raise KeyError(name)

    def order(self, action: str) -> None:
        self.asked.append(action)
        if action == "resync" and self.is_due:
            self.is_due, self.differs = False, 0


async def gateway(port: int, mirror: Mirror) -> None:
    """Answer as a gateway's agent does."""
    reader, writer = await asyncio.open_connection(HERE, port)
    writer.write(b'{"event": "hello", "name": "beta"}\n')
    while line := await reader.readline():
        request = json.loads(line)
        result: object = None
        match request:
            case {"do": "run"}:
                result = {"code": 0, "out": "", "err": ""}
            case {"do": "read", "path": "/proc/mdstat"}:
                result = MDSTAT
            case {"do": "read", "path": path}:
                result = mirror.read(path.rpartition("/")[2])
            case {"do": "write", "path": path, "text": text} if path.endswith("/sync_action"):
                mirror.order(text)
        writer.write(json.dumps({"id": request["id"], "result": result}).encode() + b"\n")
    writer.close()


async def mismatches_of(mirror: Mirror) -> int:
    board = Switchboard(lambda _event: None)
    await board.open(HERE)
    arrival = board.expect("beta")
    agent = asyncio.create_task(gateway(board.port, mirror))
    link: GuestLink = await arrival
    try:
        return await asyncio.wait_for(read_mismatches(link), 30)
    finally:
        link.close()
        await agent
        await board.close()


@pytest.mark.parametrize("after", ["idle", "frozen"])
def test_a_check_has_ended_when_md_is_idle_or_its_copying_is_held_back_again(after: str) -> None:
    mirror = Mirror(after)
    assert asyncio.run(mismatches_of(mirror)) == 128
    assert mirror.asked == ["check"]


def test_legs_that_differ_while_a_resync_is_due_are_compared_again_after_it() -> None:
    mirror = Mirror("idle", is_due=True)
    assert asyncio.run(mismatches_of(mirror)) == 0
    assert mirror.asked == ["check", "resync", "check"]
