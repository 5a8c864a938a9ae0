"""What is read after a drill: the end of md's check is seen, whatever the daemon orders next."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from aoeha.rack.evidence.checking import read_mismatches
from aoeha.rack.machines.guest_link import GuestLink, Switchboard

MDSTAT = "md127 : active raid1 etherd/e2.0[1] etherd/e1.0[0]\n"
HERE = "127.0.0.1"


async def gateway(port: int, actions: Iterator[str]) -> None:
    """Answer as a gateway's agent does; md/sync_action reads as one of `actions` after the other."""
    reader, writer = await asyncio.open_connection(HERE, port)
    writer.write(b'{"event": "hello", "name": "beta"}\n')
    while line := await reader.readline():
        request = json.loads(line)
        match request:
            case {"do": "run"}:
                result: object = {"code": 0, "out": "", "err": ""}
            case {"do": "read", "path": "/proc/mdstat"}:
                result = MDSTAT
            case {"do": "read", "path": path} if path.endswith("/sync_action"):
                result = next(actions)
            case {"do": "read", "path": path} if path.endswith("/mismatch_cnt"):
                result = "128\n"
            case _:
                result = None
        writer.write(json.dumps({"id": request["id"], "result": result}).encode() + b"\n")
    writer.close()


@pytest.mark.parametrize("after", ["idle", "frozen"])
def test_a_check_has_ended_when_md_is_idle_or_its_copying_is_held_back_again(after: str) -> None:
    async def scene() -> int:
        board = Switchboard(lambda _event: None)
        await board.open(HERE)
        arrival = board.expect("beta")
        agent = asyncio.create_task(gateway(board.port, iter(["check\n", "check\n", f"{after}\n"])))
        link: GuestLink = await arrival
        try:
            return await asyncio.wait_for(read_mismatches(link), 30)
        finally:
            link.close()
            await agent
            await board.close()

    assert asyncio.run(scene()) == 128
