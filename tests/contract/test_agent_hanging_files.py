"""A volume hangs: the loop goes on, the call is given up at its deadline, and no thread of the daemon hangs with it."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hung_volume import hung_volume
from patience import PATIENCE_S

from aoeha.agents.interface import AgentError, LateError
from aoeha.agents.parts import hanging_files
from aoeha.agents.parts.tcp_tickles import ClientMemory
from aoeha.agents.time_left import ending_in
from aoeha.io.host import Host, Place
from aoeha.io.processes import ProcessHost

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and FUSE"),
]

Call = Callable[[Host, Path], Awaitable[object]]
CALLS: dict[str, Call] = {
    "make a directory": lambda host, volume: hanging_files.make_directory(host, str(volume / "state")),
    "look for directories": lambda host, volume: hanging_files.missing_of(host, (str(volume / "export"),)),
    "ask the file system": lambda host, volume: hanging_files.ask_figures(host, str(volume)),
    "read a file": lambda host, volume: hanging_files.read_file(host, volume / "clients", deadline_ms=300),
    "replace a file": lambda host, volume: hanging_files.replace_file(host, volume / "clients", "x", deadline_ms=300),
    "tell the kernel": lambda host, volume: hanging_files.tell_kernel(host, (volume / "action", "frozen")),
}


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    with hung_volume(tmp_path / "volume"):
        yield tmp_path / "volume"


@pytest.fixture
def host(tmp_path: Path) -> ProcessHost:
    return ProcessHost(Place("test", "alpha", run_directory=tmp_path))


async def beating(work: Awaitable[object]) -> int:
    """Do something, and count how often the loop came round meanwhile. No thread that was begun for it hangs."""
    beats, task = 0, asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0.01)
        beats += 1
    for thread in set(threading.enumerate()) - {threading.main_thread()}:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"a thread of the daemon hangs with the volume: {thread.name}"
    await task
    return beats


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_call_is_given_up_at_its_deadline_and_not_made_twice(call: Call, host: ProcessHost, volume: Path) -> None:
    async def story() -> None:
        with ending_in(300), pytest.raises(LateError, match="and was killed"):
            await beating(call(host, volume))
        with ending_in(300_000), pytest.raises(LateError, match="with the same words hangs in the kernel still"):
            await asyncio.wait_for(call(host, volume), PATIENCE_S)

    asyncio.run(story())


def test_a_call_is_made_again_when_the_volume_has_answered(host: ProcessHost, tmp_path: Path) -> None:
    async def story() -> None:
        directory = str(tmp_path / "volume")
        with hung_volume(tmp_path / "volume"), ending_in(300), pytest.raises(LateError):
            await hanging_files.ask_figures(host, directory)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await hanging_files.ask_figures(host, directory)
                except LateError:
                    await asyncio.sleep(0.01)

    asyncio.run(story())


def test_the_record_of_clients_hangs_nothing_but_its_own_child(host: ProcessHost, volume: Path) -> None:
    async def story() -> None:
        started, memory = host.started, ClientMemory(host, volume / "connections.json", 1)
        memory.begin(wake=False)
        try:
            for _ in range(int(PATIENCE_S / 0.01)):
                if host.started > started:
                    break
                await asyncio.sleep(0.01)
            assert host.started == started + 1
            assert await beating(asyncio.sleep(0.3))
        finally:
            memory.end()

    asyncio.run(story())


def test_what_a_volume_refuses_is_told_in_words(host: ProcessHost, tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(AgentError, match=r"cannot make the directory .*/file/state: .*Not a directory"):
            await hanging_files.make_directory(host, f"{tmp_path}/file/state")
        with pytest.raises(AgentError, match="No such file or directory"):
            await hanging_files.ask_figures(host, f"{tmp_path}/none")
        await hanging_files.make_directory(host, f"{tmp_path}/one/two", mode=0o700)
        assert await hanging_files.missing_of(host, (f"{tmp_path}/one/two", f"{tmp_path}/file")) == f"{tmp_path}/file"
        assert await hanging_files.missing_of(host, (f"{tmp_path}/one", f"{tmp_path}/one/two")) == ""
        orders = ((tmp_path / "first", "1"), (tmp_path / "second", "idle"))
        await hanging_files.tell_kernel(host, *orders)
        assert [path.read_text() for path, _ in orders] == ["1", "idle"]

    asyncio.run(story())
    assert (tmp_path / "one/two").stat().st_mode & 0o777 == 0o700
