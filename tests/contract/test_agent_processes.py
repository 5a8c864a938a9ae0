"""Programs run for agents, against the real kernel: what ends, what is killed, what is left alone."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S

from aoeha.io import containment
from aoeha.io.containment import MARKER_NAME, kill_leftovers
from aoeha.io.host import Completed, Place
from aoeha.io.processes import OUTPUT_LIMIT_BYTES, ProcessHost, leaving_services

SERVICES = ("storage.exports", "storage.shares")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("test", "alpha", run_directory=tmp_path)


@pytest.fixture(params=["cgroup", "mark"])
def host(place: Place, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHost]:
    """Programs are held together by cgroups, or by a mark as in a unit that was given none."""
    if request.param == "mark":
        # A systemd that leaves us nothing.
        monkeypatch.setattr(containment, "SYSTEMD_RUNS", Path("/"))
    elif (root := containment.cgroup_of(place)) is None or not is_writable(root.parent):
        pytest.skip("no cgroup of version 2 can be made here")
    made = ProcessHost(place)
    yield made
    kill_leftovers(place)
    for service in SERVICES:
        asyncio.run(made.end_service(service))


def is_writable(cgroup: Path) -> bool:
    try:
        (cgroup / "aoeha-test").mkdir()
        (cgroup / "aoeha-test").rmdir()
    except OSError:
        return False
    return True


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


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="lowers its own score")
def test_when_memory_runs_out_only_the_daemon_is_spared(place: Place) -> None:
    if (root := containment.cgroup_of(place)) is None or not is_writable(root.parent):
        pytest.skip("no cgroup of version 2 can be made here")
    score = Path("/proc/self/oom_score_adj")
    usual = score.read_text()
    try:
        score.write_text("-900")
    except PermissionError:
        pytest.skip("only CAP_SYS_RESOURCE lowers a score")
    try:
        assert run(ProcessHost(place), "cat", str(score)).stdout == "0\n"
        assert score.read_text() == "-900\n"
    finally:
        score.write_text(usual)


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
        run(host, "sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; trap '' TERM; wait", deadline_ms=300)
    assert time.monotonic() - begun < 2
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def test_a_cancelled_run_kills_its_program(host: ProcessHost, tmp_path: Path) -> None:
    async def cancelled() -> None:
        running = asyncio.create_task(
            host.run("sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600", deadline_ms=60_000)
        )
        await until_written(tmp_path / "pid")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    "escape",
    [
        "timeout 600 sh -c '{}'",
        "set -m; sh -c '{}' & wait",
        "setsid -w sh -c '{}'",
        "setsid sh -c '{} &' & wait; sleep 600",
        "env -i sh -c '{}'",
    ],
)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_nothing_of_a_program_outlives_its_deadline(host: ProcessHost, tmp_path: Path, escape: str, shell: str) -> None:
    """What goes on would switch a plug off that nobody wants off any more."""
    pid = tmp_path / "pid"
    script = escape.format(f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600")
    with pytest.raises(TimeoutError, match=f"{shell} did not end within 1500 ms"):
        run(host, shell, "-c", script, deadline_ms=1_500)
    assert wait_until_dead(int(pid.read_text()))


def test_a_program_that_leaves_its_cgroup_is_killed_at_the_deadline(place: Place, tmp_path: Path) -> None:
    """As one does for which pam_systemd opens a session."""
    root = containment.cgroup_of(place)
    if root is None or not is_writable(root.parent):
        pytest.skip("no cgroup of version 2 can be made here")
    script = f"echo $$ > {root.parent}/cgroup.procs; setsid sleep 600 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(TimeoutError):
        run(ProcessHost(place), "sh", "-c", script, deadline_ms=1_500)
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def test_a_program_that_cannot_enter_its_cgroup_runs_all_the_same(tmp_path: Path) -> None:
    argv = containment.Container("1", "", tmp_path / "gone").entering(("sh", "-c", "echo fine; exit 7"))
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "fine\n", "")


def test_a_program_that_leaves_its_group_is_killed_at_the_deadline(host: ProcessHost, tmp_path: Path) -> None:
    script = (
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'], process_group=0)\n"
        "os.setpgid(0, child.pid)\n"
        f"open('{tmp_path}/pids', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)\n"
    )
    before = open_descriptors()
    with pytest.raises(TimeoutError, match="did not end within 2000 ms"):
        run(host, sys.executable, "-c", script, deadline_ms=2_000)
    assert all(wait_until_dead(int(pid)) for pid in (tmp_path / "pids").read_text().split())
    assert open_descriptors() == before


def test_what_a_program_leaves_behind_ends_with_it(host: ProcessHost, tmp_path: Path) -> None:
    """A monitor runs each ten seconds, so what it forgets would pile up."""
    completed = run(host, "sh", "-c", f"setsid sleep 600 & echo $! > {tmp_path}/pid; echo fine")
    assert completed.stdout == "fine\n"
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def started_service(host: ProcessHost, tmp_path: Path, service: str) -> int:
    with leaving_services(service):
        run(host, "sh", "-c", f"setsid sleep 600 & echo $! > {tmp_path}/{service}; echo started")
    return int((tmp_path / service).read_text())


def test_a_service_that_keeps_the_pipe_open_does_not_delay_the_result(host: ProcessHost, tmp_path: Path) -> None:
    begun = time.monotonic()
    service = started_service(host, tmp_path, "storage.exports")
    assert time.monotonic() - begun < 5
    assert is_alive(service)


def test_a_service_ends_with_its_own_resource_also_under_a_later_daemon(
    host: ProcessHost, place: Place, tmp_path: Path
) -> None:
    ours, other = (started_service(host, tmp_path, name) for name in SERVICES)
    run(host, "true")
    assert kill_leftovers(place) == ()
    asyncio.run(ProcessHost(place).end_service("storage.exports"))
    assert wait_until_dead(ours)
    assert is_alive(other)


def test_calls_of_a_daemon_that_started_anew_end_nothing_of_those_before(
    host: ProcessHost, place: Place, tmp_path: Path
) -> None:
    """`aoeha restart` keeps the number of the process, and counts its calls from one again."""
    service = started_service(host, tmp_path, "storage.exports")
    anew = ProcessHost(place)
    run(anew, "true")
    with leaving_services("storage.exports"), pytest.raises(TimeoutError):
        run(ProcessHost(place), "sleep", "600", deadline_ms=500)
    assert is_alive(service)


def test_a_start_that_was_given_up_leaves_nothing(host: ProcessHost, tmp_path: Path) -> None:
    with leaving_services("storage.exports"), pytest.raises(TimeoutError):
        run(host, "sh", "-c", f"setsid sleep 600 & echo $! > {tmp_path}/pid; sleep 600", deadline_ms=1_000)
    assert wait_until_dead(int((tmp_path / "pid").read_text()))


def test_nothing_is_left_open_or_unreaped(host: ProcessHost) -> None:
    async def many() -> int:
        await host.run("true", deadline_ms=5_000)
        before = open_descriptors()
        await asyncio.gather(*(host.run("echo", str(number), deadline_ms=5_000) for number in range(20)))
        with pytest.raises(TimeoutError):
            await host.run("sleep", "600", deadline_ms=50)
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
from aoeha.io.processes import ProcessHost, leaving_services
async def daemon():
    host = ProcessHost(Place("test", "alpha", run_directory=Path({str(tmp_path)!r})))
    service = "setsid sh -c 'echo $$ > {tmp_path}/service; exec sleep 600' >/dev/null 2>&1 &"
    with leaving_services("storage.exports"):
        await host.run("sh", "-c", service, deadline_ms=5000)
    await host.run("sh", "-c", "echo $$ > {tmp_path}/task; exec sleep 600", deadline_ms=60000)
asyncio.run(daemon())
"""

    async def kill_daemon() -> None:
        daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
        await until_written(tmp_path / "task")
        await until_written(tmp_path / "service")
        daemon.kill()
        await daemon.wait()

    asyncio.run(kill_daemon())
    task, service = (int((tmp_path / name).read_text()) for name in ("task", "service"))
    assert is_alive(task)
    assert kill_leftovers(Place("another", "daemon")) == ()
    assert kill_leftovers(host.place) == (task,)
    assert wait_until_dead(task)
    assert is_alive(service)
    os.kill(service, signal.SIGKILL)


def test_a_program_with_a_cgroup_of_its_own_below_ours_ends_at_the_deadline_and_nothing_of_it_is_left(
    place: Place, tmp_path: Path
) -> None:
    """As programs do that run their work in containers. It has cleared its mark, and its parent is gone."""
    root = containment.cgroup_of(place)
    if root is None or not is_writable(root.parent):
        pytest.skip("no cgroup of version 2 can be made here")
    script = (
        f"own=$(dirname $(grep -lx $$ {root}/tasks/*/cgroup.procs))/own/inner; mkdir -p $own; "
        f"echo $$ > $own/cgroup.procs; env -i setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' & wait"
    )
    host = ProcessHost(place)
    with pytest.raises(TimeoutError):
        run(host, "sh", "-c", script, deadline_ms=1_000)
    assert is_written(tmp_path / "pid")
    assert wait_until_dead(int((tmp_path / "pid").read_text()))
    wait_for_empty(root / "tasks")


def wait_for_empty(directory: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while left := [path.name for path in directory.iterdir() if path.is_dir()]:
        assert time.monotonic() < end, left
        time.sleep(0.01)


def test_the_path_of_whoever_started_us_is_not_asked_for_programs(
    host: ProcessHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = tmp_path / "true"
    evil.write_text("#!/bin/sh\necho evil\n")
    evil.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert run(host, "true").stdout == ""
    assert run(host, "sh", "-c", "true").stdout == ""
