"""The null-modem of the rack: carries, can be cut, and never waits for an end that does not read."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aoeha.rack.machines.namespaces import mount_terminals, unmount_terminals
from aoeha.rack.machines.serial_cable import SerialCable

PATIENCE_S = 5

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a devpts")]


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "pts"
    mount_terminals(folder)
    yield folder
    unmount_terminals(folder)


async def read(path: str, count: int) -> bytes:
    """Read so many bytes from a terminal, however they come."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    arrived = asyncio.Event()
    data = b""
    asyncio.get_running_loop().add_reader(descriptor, arrived.set)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len(data) < count:
                await arrived.wait()
                arrived.clear()
                data += os.read(descriptor, count - len(data))
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
    return data


def write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        with contextlib.suppress(BlockingIOError):
            os.write(descriptor, data)
    finally:
        os.close(descriptor)


def test_bytes_cross_unchanged_both_ways(terminals: Path) -> None:
    async def play() -> None:
        cable = SerialCable()
        cable.open(terminals)
        every = bytes(range(256))
        write(cable.ends[0], every)
        assert await read(cable.ends[1], 256) == every
        write(cable.ends[1], every[::-1])
        assert await read(cable.ends[0], 256) == every[::-1]
        cable.close()

    asyncio.run(play())


def test_a_cut_cable_loses_what_is_sent_and_nothing_later(terminals: Path) -> None:
    async def play() -> None:
        cable = SerialCable()
        cable.open(terminals)
        cable.connected = False
        write(cable.ends[0], b"lost")
        write(cable.ends[1], b"lost")
        await asyncio.sleep(0.05)
        cable.connected = True
        write(cable.ends[0], b"kept")
        assert await read(cable.ends[1], 4) == b"kept"
        cable.close()

    asyncio.run(play())


def test_an_end_that_does_not_read_holds_nobody_up(terminals: Path) -> None:
    async def play() -> None:
        cable = SerialCable()
        cable.open(terminals)
        for _ in range(100):
            write(cable.ends[0], bytes(1000))
            await asyncio.sleep(0)
        cable.flush(1)
        await asyncio.sleep(0.05)
        write(cable.ends[1], b"alive")
        assert await read(cable.ends[0], 5) == b"alive"
        cable.close()

    asyncio.run(play())


def test_an_end_that_did_not_read_for_long_gets_what_is_sent_now(terminals: Path) -> None:
    async def play() -> None:
        cable = SerialCable()
        cable.open(terminals)
        for _ in range(100):
            write(cable.ends[0], bytes(1000))
            await asyncio.sleep(0.002)
        write(cable.ends[0], b"now")
        heard = b""
        while not heard.endswith(b"now"):
            heard += await read(cable.ends[1], 1)
        assert len(heard) < 100 * 1000, "nothing was thrown away, so nothing is shown"
        cable.close()

    asyncio.run(play())
