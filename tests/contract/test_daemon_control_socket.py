"""The control socket with real clients: who may ask, and that no client can hurt."""

import asyncio
import contextlib
import grp
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aoeha.core.model.conditions import Code
from aoeha.core.model.exits import Exit
from aoeha.io import control_socket
from aoeha.io.control_seats import EACH_USER_MAX, LOOKERS_MAX, ROOT_MAX
from aoeha.io.control_socket import TURNED_AWAY_MAX, Connection, ControlSocket, Request

Line = dict[str, Any]

by_root = pytest.mark.skipif(os.geteuid() != 0, reason="asks as root, whom the socket lets in")


class Answering:
    """Answers at once, or, for `hang`, never; remembers what was asked and what was cancelled."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, request: Request, connection: Connection) -> None:
        self.requests.append(request)
        self.asked.set()
        if request.verb == "break":
            raise ZeroDivisionError
        if request.verb == "hang":
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        connection.say("info", "x", {}, "on the way")
        connection.done(Exit.DONE, Code.COMMAND_DONE, f"done for {connection.caller.user}", {"x": 1})


def test_a_socket_that_was_removed_or_replaced_is_lost_until_it_is_opened_again(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "run" / "control.sock"
        server = ControlSocket(path, Answering())
        assert not server.is_lost(), "nobody asked for it yet"
        await server.open()
        assert not server.is_lost()
        for spoil in (path.unlink, lambda: path.rename(tmp_path / "elsewhere")):
            spoil()
            assert server.is_lost()
            await server.open()
            assert not server.is_lost()
        server.stop_listening()
        assert not server.is_lost(), "it is not wanted any more"
        await server.close()

    asyncio.run(run())


@contextlib.asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[Path, Answering]]:
    path, answering = directory / "control.sock", Answering()
    server = ControlSocket(path, answering)
    await server.open()
    try:
        yield path, answering
    finally:
        await server.close()
    assert not path.exists()


async def ask(path: Path, content: bytes, *, half_close: bool = False) -> list[Line]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(content)
    if half_close:
        writer.write_eof()
    async with asyncio.timeout(10):
        lines = []
        while line := await reader.readline():
            lines.append(json.loads(line))
    writer.close()
    return lines


@pytest.mark.root
@by_root
def test_a_request_is_answered_with_what_happened_and_one_done(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (path, answering):
            for half_close in (False, True):
                lines = await ask(path, b'{"verb": "standby", "arguments": {"node": "a"}}\n', half_close=half_close)
                assert lines == [
                    {"kind": "say", "level": "info", "code": "x", "subject": {}, "sentence": "on the way"},
                    {
                        "kind": "done",
                        "exit_code": 0,
                        "code": "command.done",
                        "sentence": "done for root",
                        "document": {"x": 1},
                    },
                ]
            assert answering.requests == [Request("standby", {"node": "a"})] * 2

    asyncio.run(run())


@pytest.mark.parametrize(
    "content",
    [b"\n", b"not json\n", b"[]\n", b'{"verb": 5}\n', b'{"arguments": {}}\n', b'{"verb":"x","arguments":{"n":1}}\n',
     b"x" * (65 * 1024) + b"\n", b"\xff\xfe\n", b'{"verb":"x","argument":{"node":"beta"}}\n',
     b'{"verb":"x","arguments":' + b"[" * 30_000 + b"]" * 30_000 + b"}\n"],
)  # fmt: skip
def test_what_is_no_request_is_refused_with_code_64(tmp_path: Path, content: bytes) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (path, answering):
            (line,) = await ask(path, content)
            assert (line["kind"], line["code"], line["exit_code"]) == ("done", "command.usage", 64)
            assert line["sentence"].startswith("cannot ")
            assert answering.requests == []

    asyncio.run(run())


def test_a_client_that_says_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "REQUEST_DEADLINE_MS", 100)

    async def run() -> None:
        async with serving(tmp_path) as (path, _):
            (line,) = await ask(path, b'{"verb": "sta')
            assert (line["code"], line["exit_code"]) == ("command.usage", 64)
            assert "100 ms" in line["sentence"]

    asyncio.run(run())


@pytest.mark.root
@by_root
@pytest.mark.parametrize("half_close", [False, True])
def test_a_client_that_goes_away_ends_its_request(tmp_path: Path, half_close: bool) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (path, answering):
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(b'{"verb": "hang"}\n')
            if half_close:
                writer.write_eof()
            async with asyncio.timeout(5):
                await answering.asked.wait()
                writer.close()
                await answering.cancelled.wait()
            assert [request.verb for request in answering.requests] == ["hang"]

    asyncio.run(run())


@pytest.mark.root
@by_root
def test_too_many_clients_are_turned_away_and_served_when_others_have_gone(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (path, _):
            idle = [await asyncio.open_unix_connection(path) for _ in range(ROOT_MAX)]
            (line,) = await ask(path, b'{"verb": "status"}\n')
            assert (line["exit_code"], line["code"]) == (1, "command.refused.busy")
            assert f"{ROOT_MAX} clients of root are connected" in line["sentence"]
            for _, writer in idle:
                writer.close()
            async with asyncio.timeout(5):
                while (await ask(path, b'{"verb": "status"}\n'))[-1]["exit_code"] != 0:
                    continue

    asyncio.run(run())


@pytest.mark.root
@by_root
def test_a_bug_behind_a_request_is_told_to_its_client_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (path, _):
            (line,) = await ask(path, b'{"verb": "break"}\n')
            assert line["exit_code"] == 1
            assert "ZeroDivisionError" in line["sentence"]
            assert (await ask(path, b'{"verb": "status"}\n'))[-1]["exit_code"] == 0

    asyncio.run(run())
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.root
@by_root
def test_a_socket_file_left_over_is_replaced(tmp_path: Path) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "control.sock"))
    stale.close()

    async def run() -> None:
        async with serving(tmp_path) as (path, _):
            assert (await ask(path, b'{"verb": "status"}\n'))[-1]["exit_code"] == 0

    asyncio.run(run())


CLIENT = """
import json, os, socket, sys
path, user, groups, verb = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4]
os.setgroups(groups)
os.setgid(user)
os.setuid(user)
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
connection.sendall(json.dumps({"verb": verb}).encode() + b"\\n")
sys.stdout.write(connection.makefile().readlines()[-1])
"""


async def ask_as(path: Path, user: int, groups: list[int], verb: str) -> Line:
    def run() -> bytes:
        argv = [sys.executable, "-I", "-c", CLIENT, str(path), str(user), json.dumps(groups), verb]
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=20).stdout

    line: Line = json.loads(await asyncio.to_thread(run))
    return line


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="changes users")
def test_the_group_may_look_and_only_root_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = grp.getgrall()[-1].gr_gid
    monkeypatch.setattr(control_socket, "_group_id", lambda: group)

    async def run() -> None:
        async with serving(tmp_path) as (path, answering):
            assert path.stat().st_mode & 0o777 == 0o660
            assert path.stat().st_gid == group
            # Whoever gets past the file's mode is judged by the kernel's word all the same.
            path.chmod(0o666)
            below = [place for place in (tmp_path, *tmp_path.parents) if place.stat().st_mode & 0o055 != 0o055]
            for place in below:
                place.chmod(0o755)
            assert (await ask_as(path, 4_711, [group], "status"))["exit_code"] == 0
            assert (await ask_as(path, 4_711, [group], "events"))["exit_code"] == 0
            refused = await ask_as(path, 4_711, [group], "standby")
            assert refused["exit_code"] == 4
            assert "uid 4711" in refused["sentence"]
            assert (await ask_as(path, 4_711, [], "status"))["exit_code"] == 4
            assert (await ask_as(path, 0, [], "standby"))["exit_code"] == 0
            assert [request.verb for request in answering.requests] == ["status", "events", "standby"]

    asyncio.run(run())


CROWD = """
import os, socket, sys
path, user, group, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
os.setgroups([group])
os.setgid(user)
os.setuid(user)
connections = []
for _ in range(number):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connections.append(connection)
sys.stdout.write("connected\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@contextlib.asynccontextmanager
async def crowd(path: Path, user: int, group: int, number: int) -> AsyncIterator[None]:
    """A user that may look opens connections, and asks for nothing on any of them."""
    argv = [sys.executable, "-I", "-c", CROWD, str(path), str(user), str(group), str(number)]
    process = await asyncio.create_subprocess_exec(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"connected\n"
        yield
    finally:
        process.stdin.close()
        await process.wait()


def descriptors() -> int:
    return len(tuple(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    number = grp.getgrall()[-1].gr_gid
    monkeypatch.setattr(control_socket, "_group_id", lambda: number)
    # A crowd that says nothing must stay, however slow this machine is.
    monkeypatch.setattr(control_socket, "REQUEST_DEADLINE_MS", 600_000)
    for place in (tmp_path, *tmp_path.parents):
        if place.stat().st_mode & 0o055 != 0o055:
            place.chmod(0o755)
    return number


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="changes users")
def test_a_crowd_of_one_user_takes_the_seats_of_that_user_and_no_others(tmp_path: Path, group: int) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (path, _):
            before = descriptors()
            async with crowd(path, 4_711, group, 1_200):
                assert descriptors() - before <= EACH_USER_MAX + TURNED_AWAY_MAX + 3
                refused = await ask_as(path, 4_711, [group], "status")
                assert refused["code"] == "command.refused.busy"
                assert f"{EACH_USER_MAX} clients of uid 4711 are connected" in refused["sentence"]
                assert (await ask_as(path, 4_712, [group], "status"))["exit_code"] == 0
                assert (await ask(path, b'{"verb": "standby"}\n'))[-1]["exit_code"] == 0

    asyncio.run(run())


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="changes users")
def test_crowds_of_many_users_leave_root_its_seats(tmp_path: Path, group: int) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (path, _), contextlib.AsyncExitStack() as crowds:
            for user in range(4_711, 4_711 + LOOKERS_MAX // EACH_USER_MAX):
                await crowds.enter_async_context(crowd(path, user, group, EACH_USER_MAX))
            refused = await ask_as(path, 5_000, [group], "status")
            assert refused["code"] == "command.refused.busy"
            assert (await ask(path, b'{"verb": "standby"}\n'))[-1]["exit_code"] == 0

    asyncio.run(run())


@pytest.mark.root
@by_root
def test_whatever_a_client_asks_its_connection_ends(tmp_path: Path) -> None:
    deep = b'{"verb":"status","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}\n"

    async def run() -> None:
        async with serving(tmp_path) as (path, _):
            before = descriptors()
            for _ in range(40):
                assert (await ask(path, deep))[-1]["exit_code"] == Exit.USAGE
            async with asyncio.timeout(5):
                # What asks just now is open itself.
                while descriptors() > before + 4:
                    assert (await ask(path, b"\n"))[-1]["exit_code"] == Exit.USAGE

    asyncio.run(run())


def test_without_the_group_only_root_can_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_group_id", lambda: None)

    async def run() -> None:
        server = ControlSocket(tmp_path / "s", Answering())
        assert "groupadd" in await server.open()
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
        await server.close()

    asyncio.run(run())
