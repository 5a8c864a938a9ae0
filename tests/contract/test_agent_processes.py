"""Programs run for agents, against the real kernel: what ends, what is killed, what is left alone."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from patience import PATIENCE_S

from aoeha.io.host import Completed, Place
from aoeha.io.processes import MARKER_NAME, OUTPUT_LIMIT_BYTES, ProcessHost, kill_leftovers, task_marker


@pytest.fixture
def host(tmp_path: Path) -> ProcessHost:
    return ProcessHost(Place("test", "alpha", run_directory=tmp_path))


def run(host: ProcessHost, *argv: str, deadline_ms: int = 10_000, stdin: str = "") -> Completed:
    return asyncio.run(host.run(*argv, deadline_ms=deadline_ms, stdin=stdin))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_written(path: Path) -> bool:
    return path.exists() and bool(path.read_text())


def open_descriptors() -> int:
    return len(tuple(Path("/proc/self/fd").iterdir()))


async def until_written(path: Path) -> None:
    for _ in range(int(PATIENCE_S / 0.01)):
        if is_written(path):
            return
        await asyncio.sleep(0.01)


def wait_until_dead(pid: int) -> bool:
    end = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_output_and_exit_code_are_returned(host: ProcessHost) -> None:
    completed = run(host, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (completed.returncode, completed.stdout, completed.stderr) == (7, "out\n", "err\n")


def test_standard_input_is_given_and_ends(host: ProcessHost) -> None:
    assert run(host, "cat", stdin="secret\n" * 50_000).stdout.startswith("secret\nsecret\n")
    assert run(host, "cat").stdout == ""


def test_environment_is_built_from_scratch(host: ProcessHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    names = {line.split("=")[0] for line in run(host, "env").stdout.splitlines()}
    assert names == {"PATH", "LC_ALL", MARKER_NAME}


def test_added_environment_is_passed(host: ProcessHost) -> None:
    completed = asyncio.run(host.run("env", deadline_ms=5_000, environment={"OCF_ROOT": "/x y"}))
    assert "OCF_ROOT=/x y" in completed.stdout.splitlines()


def test_output_beyond_the_limit_is_dropped_without_blocking_the_program(host: ProcessHost) -> None:
    completed = run(host, "sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; echo done >&2")
    assert completed.returncode == 0
    assert len(completed.stdout) == OUTPUT_LIMIT_BYTES
    assert completed.stderr == "done\n"


def test_a_missing_program_is_told_by_its_error(host: ProcessHost) -> None:
    with pytest.raises(FileNotFoundError):
        run(host, "no-such-program-here")


def test_a_signal_is_a_negative_code(host: ProcessHost) -> None:
    assert run(host, "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM


def test_the_whole_group_is_killed_at_the_deadline(host: ProcessHost, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"sh did not end within 300 ms"):
        run(host, "sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; trap '' TERM; wait", deadline_ms=300)
    assert time.monotonic() - begun < 2
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def test_a_cancelled_run_kills_its_program(host: ProcessHost, tmp_path: Path) -> None:
    async def cancelled() -> None:
        running = asyncio.create_task(
            host.run("sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60", deadline_ms=60_000)
        )
        await until_written(tmp_path / "pid")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def test_a_service_that_keeps_the_pipe_open_does_not_delay_the_result(host: ProcessHost, tmp_path: Path) -> None:
    begun = time.monotonic()
    completed = run(host, "sh", "-c", f"setsid sleep 60 & echo $! > {tmp_path}/pid; echo started")
    assert completed.stdout == "started\n"
    assert time.monotonic() - begun < 5
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_nothing_is_left_open_or_unreaped(host: ProcessHost) -> None:
    async def many() -> int:
        await host.run("true", deadline_ms=5_000)
        before = open_descriptors()
        await asyncio.gather(*(host.run("echo", str(number), deadline_ms=5_000) for number in range(20)))
        with pytest.raises(TimeoutError):
            await host.run("sleep", "60", deadline_ms=50)
        return open_descriptors() - before

    assert asyncio.run(many()) == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_second_loop_can_run_programs_too(host: ProcessHost) -> None:
    assert run(host, "echo", "one").stdout == "one\n"
    assert run(host, "echo", "two").stdout == "two\n"
    assert host.started == 2


def test_leftovers_of_an_earlier_daemon_are_killed_and_its_services_spared(host: ProcessHost, tmp_path: Path) -> None:
    """A daemon killed by -9 leaves a hanging task; the service that an earlier task started must go on."""
    script = f"""
import asyncio, os, sys
from pathlib import Path
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost
async def daemon():
    host = ProcessHost(Place("test", "alpha", run_directory=Path({str(tmp_path)!r})))
    service = "setsid sh -c 'echo $$ > {tmp_path}/service; exec sleep 60' >/dev/null 2>&1 &"
    await host.run("sh", "-c", service, deadline_ms=5000)
    await host.run("sh", "-c", "echo $$ > {tmp_path}/task; exec sleep 60", deadline_ms=60000)
asyncio.run(daemon())
"""

    async def kill_daemon() -> None:
        daemon = await asyncio.create_subprocess_exec(".venv/bin/python", "-c", script)
        await until_written(tmp_path / "task")
        await until_written(tmp_path / "service")
        daemon.kill()
        await daemon.wait()

    asyncio.run(kill_daemon())
    task, service = (int((tmp_path / name).read_text()) for name in ("task", "service"))
    assert is_alive(task)
    assert kill_leftovers("another/daemon@/run") == ()
    assert kill_leftovers(task_marker(host.place)) == (task,)
    assert wait_until_dead(task)
    assert is_alive(service)
    os.kill(service, signal.SIGKILL)
