"""How the rack talks with its guests."""

import asyncio
from typing import Any

import pytest

from aoeha.rack.machines.guest_link import Switchboard
from aoeha.rack.machines.host import RackError

HERE = "127.0.0.1"


def test_a_guest_that_loses_its_power_in_the_middle_of_a_line_is_gone_and_nothing_else() -> None:
    troubles: list[dict[str, Any]] = []

    async def scene() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: troubles.append(context))
        board = Switchboard(lambda _event: None)
        await board.open(HERE)
        arrival = board.expect("beta")
        _, writer = await asyncio.open_connection(HERE, board.port)
        writer.write(b'{"event": "hello", "name": "beta"}\n')
        link = await asyncio.wait_for(arrival, 10)
        writer.write(b'{"event": "stalled", "stall')
        writer.close()
        await asyncio.wait_for(link.lost.wait(), 10)
        with pytest.raises(RackError, match="guest beta is not running"):
            board.link("beta")
        await board.close()

    asyncio.run(scene())
    assert troubles == []
