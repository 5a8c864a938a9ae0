"""Every task ends in exactly one TaskDone, whatever its agent does."""

import asyncio
import contextlib
import os
import resource
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aoeha.agents.capabilities import SharedAddress
from aoeha.agents.interface import AgentError, FenceAgent, Observation, Parameters, ResourceAgent
from aoeha.core.model.events import TaskDone
from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.task import (
    AddressRenewal,
    Answered,
    ConflictTask,
    LegTask,
    Observed,
    PathFailover,
    PathTask,
    PlugRead,
    PlugState,
    PowerPurpose,
    PowerTask,
    RecordTask,
    ReservationsRead,
    ReservationTask,
    ResourceStatus,
    ResourceTask,
    Task,
    TaskKind,
    TaskResult,
)
from aoeha.daemon.performers import Agents, Device
from aoeha.daemon.tasks import ABANDONED_MAX, TaskRunner
from aoeha.fabric.aoe.reservations import Found, Hosts, LegHolds
from aoeha.io.host import Host, Place
from aoeha.io.processes import ProcessHost

Behaviour = Callable[[], Awaitable[Any]]


class ScriptedAgent(ResourceAgent[Parameters]):
    """Does in every method what the test says."""

    parameters_type = Parameters
    summary = "scripted"

    def __init__(self, behaviour: Behaviour, host: Host) -> None:
        super().__init__("thing", Parameters(), host)
        self.behaviour = behaviour

    async def start(self) -> None:
        await self.behaviour()

    async def stop(self) -> None:
        await self.behaviour()

    async def monitor(self) -> Observation:
        await self.behaviour()
        return Observation(ResourceStatus.DEGRADED, "one leg")

    async def validate(self) -> None:
        await self.behaviour()


class ScriptedDevice(FenceAgent[Parameters]):
    """A power switch of one plug."""

    parameters_type = Parameters
    summary = "scripted"
    state = PlugState.ON
    fault = ""

    async def power_off(self, plug: str) -> None:
        assert plug == "7"
        self.state = PlugState.OFF

    async def power_on(self, plug: str) -> None:
        assert plug == "7"
        self.state = PlugState.ON

    async def status(self, plug: str) -> PlugState:
        assert plug == "7"
        return self.state


class Bench:
    """A task runner, what it reported, and a way to wait for it."""

    def __init__(self, behaviour: Behaviour, directory: Path) -> None:
        host = ProcessHost(Place("gw", "alpha", directory, directory))
        self.done: list[TaskDone] = []
        self.arrived = asyncio.Event()
        self.switch = ScriptedDevice("pdu", Parameters(), host)
        device = Device({"beta": self.switch}, {"beta": "7"})
        self.host = host
        self.agent = ScriptedAgent(behaviour, host)
        self.runner = TaskRunner(Agents({("storage", "thing"): self.agent}, {"pdu": device}), self.take)

    def take(self, done: TaskDone) -> None:
        self.done.append(done)
        self.arrived.set()

    async def one(self, kind: TaskKind, deadline_ms: int = 5_000, task_id: int = 1) -> TaskDone:
        self.runner.start(ResourceTask(task_id, deadline_ms, "a test", kind, "storage", "thing"))
        return await self.next()

    async def next(self) -> TaskDone:
        async with asyncio.timeout(10):
            await self.arrived.wait()
        self.arrived.clear()
        return self.done[-1]


async def nothing() -> None:
    """Succeed."""


async def refuse() -> None:
    raise AgentError("cannot start thing: it is broken; mend it")


HOSTILE = "cannot start thing: \x1b]0;pwned\x07\x1b[2J\u202eevil\x9b31m\n<2>a forged line"
AS_TEXT = r"cannot start thing: \x1b]0;pwned\x07\x1b[2J\u202eevil\x9b31m <2>a forged line"


async def refuse_with_escapes() -> None:
    raise AgentError(HOSTILE)


async def break_down_with_escapes() -> None:
    raise ZeroDivisionError(HOSTILE)


async def break_down() -> None:
    raise ZeroDivisionError("a bug of the agent")


async def sleep_for_ever() -> None:
    await asyncio.Event().wait()


async def ignore_cancelling() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


def test_a_task_that_works_is_ok_and_a_probe_tells_what_it_saw(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        for number, kind in enumerate((TaskKind.START, TaskKind.STOP, TaskKind.VALIDATE), start=1):
            done = await bench.one(kind, task_id=number)
            assert (done.task_id, done.result, done.outcome) == (number, TaskResult.OK, None)
        done = await bench.one(TaskKind.PROBE, task_id=4)
        assert (done.result, done.detail) == (TaskResult.OK, "one leg")
        assert done.outcome == Observed(ResourceStatus.DEGRADED)

    asyncio.run(run())


def test_a_refusal_is_the_agents_own_sentence(tmp_path: Path) -> None:
    async def run() -> None:
        done = await Bench(refuse, tmp_path).one(TaskKind.START)
        assert (done.result, done.detail) == (TaskResult.FAILED, "cannot start thing: it is broken; mend it")

    asyncio.run(run())


def test_a_bug_of_an_agent_is_its_tasks_failure_with_a_traceback_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        done = await Bench(break_down, tmp_path).one(TaskKind.MONITOR)
        assert done.result is TaskResult.FAILED
        assert "ZeroDivisionError: a bug of the agent" in done.detail

    asyncio.run(run())
    assert "Traceback" in capfd.readouterr().err


def test_what_steers_a_terminal_comes_from_no_agent_into_a_sentence_or_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        assert str(AgentError(HOSTILE)) == AS_TEXT
        assert (await Bench(refuse_with_escapes, tmp_path).one(TaskKind.START)).detail == AS_TEXT
        assert AS_TEXT in (await Bench(break_down_with_escapes, tmp_path).one(TaskKind.START)).detail

    asyncio.run(run())
    log = capfd.readouterr().err
    assert r"\x1b[2J" in log
    assert not {"\x1b", "\x9b", "\u202e"} & set(log)


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """As when something has used up all that this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


async def open_something() -> None:
    os.close(os.open("/dev/null", os.O_RDONLY))


async def open_something_and_put_it_in_words() -> None:
    try:
        await open_something()
    except OSError as error:
        raise AgentError(f"cannot look at thing: {error}") from None


async def misunderstand() -> None:
    with contextlib.suppress(OSError):
        await open_something()
    raise AgentError("thing is not there")


@pytest.mark.parametrize("behaviour", [open_something, open_something_and_put_it_in_words, misunderstand])
@pytest.mark.parametrize("kind", [TaskKind.PROBE, TaskKind.MONITOR, TaskKind.STOP])
def test_what_was_not_looked_at_for_lack_of_descriptors_is_no_failure(
    tmp_path: Path, behaviour: Behaviour, kind: TaskKind, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        bench = Bench(behaviour, tmp_path)
        with no_descriptors():
            done = await bench.one(kind)
            assert (done.result, done.detail) == (
                TaskResult.UNABLE, f"cannot {kind.value} thing: Too many open files",
            )  # fmt: skip
            assert (await bench.one(TaskKind.START, task_id=2)).result is TaskResult.FAILED

    asyncio.run(run())
    assert "Traceback" not in capfd.readouterr().err


async def find_no_thread() -> None:
    raise RuntimeError("can't start new thread")


async def find_no_memory() -> None:
    raise MemoryError


@pytest.mark.parametrize(
    ("behaviour", "lack"),
    [(find_no_thread, "no thread can be started"), (find_no_memory, "Cannot allocate memory")],
)
def test_what_was_not_looked_at_for_lack_of_threads_or_memory_is_no_failure(
    tmp_path: Path, behaviour: Behaviour, lack: str
) -> None:
    async def run() -> None:
        done = await Bench(behaviour, tmp_path).one(TaskKind.MONITOR)
        assert (done.result, done.detail) == (TaskResult.UNABLE, f"cannot monitor thing: {lack}")

    asyncio.run(run())


def test_a_finding_of_an_agent_counts_while_there_are_descriptors(tmp_path: Path) -> None:
    async def run() -> None:
        assert (await Bench(refuse, tmp_path).one(TaskKind.MONITOR)).result is TaskResult.FAILED
        with no_descriptors():
            assert (await Bench(nothing, tmp_path).one(TaskKind.MONITOR)).result is TaskResult.OK

    asyncio.run(run())


def test_an_agent_that_never_ends_is_timed_out_at_its_deadline(tmp_path: Path) -> None:
    async def run() -> None:
        begun = asyncio.get_running_loop().time()
        done = await Bench(sleep_for_ever, tmp_path).one(TaskKind.START, deadline_ms=100)
        assert done.result is TaskResult.TIMED_OUT
        assert "100 ms" in done.detail
        assert 0.09 < asyncio.get_running_loop().time() - begun < 0.6

    asyncio.run(run())


def test_a_cancelled_task_ends_as_cancelled_and_only_once(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(sleep_for_ever, tmp_path)
        bench.runner.start(ResourceTask(1, 5_000, "a test", TaskKind.START, "storage", "thing"))
        bench.runner.cancel(1)
        bench.runner.cancel(1)
        assert (await bench.next()).result is TaskResult.CANCELLED
        bench.runner.cancel(1)
        await bench.runner.close()
        assert len(bench.done) == 1

    asyncio.run(run())


def test_what_a_start_leaves_behind_ends_with_the_stop_and_a_monitor_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        pids: list[int] = []

        async def leave() -> None:
            program = "setsid sleep 60 >/dev/null 2>&1 & echo $!"
            pids.append(int((await bench.host.run("sh", "-c", program, deadline_ms=5_000)).stdout))

        bench.agent.behaviour = leave
        for number, kind in enumerate((TaskKind.START, TaskKind.MONITOR), start=1):
            assert (await bench.one(kind, task_id=number)).result is TaskResult.OK
        started, forgotten = pids
        assert is_alive(started)
        assert not is_alive(forgotten)
        bench.agent.behaviour = nothing
        assert (await bench.one(TaskKind.STOP, task_id=3)).result is TaskResult.OK
        assert not is_alive(started)

    asyncio.run(run())


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_agent_that_ignores_its_deadline_is_left_behind_as_timed_out(tmp_path: Path) -> None:
    async def run() -> None:
        done = await Bench(ignore_cancelling, tmp_path).one(TaskKind.STOP, deadline_ms=50)
        assert done.result is TaskResult.TIMED_OUT
        assert "ignores being cancelled" in done.detail

    with asyncio.Runner() as runner:
        runner.run(run())
        # The stubborn coroutine is still there and would keep the runner from closing its loop.
        abandon_stubborn(runner)


def test_stubborn_agents_do_not_pile_up(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(ignore_cancelling, tmp_path)
        for number in range(ABANDONED_MAX):
            bench.runner.start(ResourceTask(number, 10, "a test", TaskKind.STOP, "storage", "thing"))
        while len(bench.done) < ABANDONED_MAX:
            await bench.next()
        done = await bench.one(TaskKind.STOP, task_id=99)
        assert done.result is TaskResult.FAILED
        assert "hang" in done.detail

    with asyncio.Runner() as runner:
        runner.run(run())
        abandon_stubborn(runner)


def test_a_program_of_a_timed_out_task_is_killed(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        trace = tmp_path / "still-here"

        async def program() -> None:
            await bench.host.run("sh", "-c", f"sleep 0.6; touch {trace}", deadline_ms=9_000)

        bench = Bench(program, tmp_path)
        assert (await bench.one(TaskKind.START, deadline_ms=100)).result is TaskResult.TIMED_OUT
        await asyncio.sleep(0.8)
        assert not trace.exists()

    asyncio.run(run())


def test_power_tasks_use_the_plug_of_the_node_that_is_meant(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        seen = []
        for number, kind in enumerate((TaskKind.POWER_STATUS, TaskKind.POWER_OFF, TaskKind.POWER_STATUS), start=1):
            bench.runner.start(PowerTask(number, 1_000, "a test", kind, "pdu", "beta", PowerPurpose.FENCE))
            seen.append(await bench.next())
        assert [done.result for done in seen] == [TaskResult.OK] * 3
        assert [done.outcome for done in seen] == [PlugRead(PlugState.ON), None, PlugRead(PlugState.OFF)]

    asyncio.run(run())


@pytest.mark.parametrize("fault", ["", "the broker refused us"])
def test_plug_that_cannot_be_read_is_told_in_the_devices_own_words(tmp_path: Path, fault: str) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        bench.switch.state, bench.switch.fault = PlugState.UNKNOWN, fault
        bench.runner.start(PowerTask(1, 1_000, "a test", TaskKind.POWER_STATUS, "pdu", "beta", PowerPurpose.READING))
        done = await bench.next()
        assert done.outcome == PlugRead(PlugState.UNKNOWN)
        assert done.detail == (fault or "pdu does not say whether plug 7 is on or off")

    asyncio.run(run())


class ScriptedAddress(ScriptedAgent, SharedAddress):
    """An address that somebody else answers for, and whose life is prolonged as the test sees."""

    lives_ms = -1

    async def detect_conflict(self) -> str:
        await self.behaviour()
        return "02:00:00:00:00:03"

    async def renew(self, lifetime_ms: int) -> None:
        self.lives_ms = lifetime_ms


@pytest.mark.parametrize(
    "task",
    [
        ConflictTask(1, 1_000, "a test", "storage", "thing"),
        LegTask(1, 1_000, "a test", TaskKind.EVICT_LEG, "storage", "thing", "e1.0"),
        PathTask(1, 1_000, "a test", "storage", "thing", ("e1.0",), PathFailover(1, 2, 3)),
    ],
)
def test_what_an_agent_does_not_declare_is_not_asked_of_it(task: Task, tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        bench.runner.start(task)
        done = await bench.next()
        assert done.result is TaskResult.FAILED
        assert "thing is no " in done.detail

    asyncio.run(run())


def test_a_shared_address_tells_of_a_conflict(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        address = ScriptedAddress(nothing, bench.host)
        bench.runner = TaskRunner(Agents({("storage", "thing"): address}, {}), bench.take)
        bench.runner.start(ConflictTask(1, 1_000, "a test", "storage", "thing"))
        done = await bench.next()
        assert (done.result, done.outcome) == (TaskResult.OK, Answered("02:00:00:00:00:03"))

    asyncio.run(run())


class ScriptedHolds(LegHolds):
    """Every leg shows what the test says."""

    def __init__(self, *shown: Reservation) -> None:
        super().__init__((), Hosts(frozenset(), frozenset()), {})
        self.shown = shown

    async def perform(self, task: ReservationTask, found: Found | None = None) -> tuple[Reservation, ...]:
        del task
        assert found is not None
        for hold in self.shown:
            await found(hold)
        return self.shown


@pytest.mark.parametrize(
    ("vouching", "shown", "renewed"),
    [
        (None, Holder.SILENT, True),
        (("e1.0",), Holder.US, True),
        (("e2.0",), Holder.US, False),
        (("e1.0",), Holder.PEER, False),
        ((), Holder.US, False),
    ],
)
def test_an_address_lives_on_when_a_leg_vouches_for_us_or_nothing_needs_to(
    vouching: tuple[str, ...] | None, shown: Holder, renewed: bool, tmp_path: Path
) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        address = ScriptedAddress(nothing, bench.host)
        holds = ScriptedHolds(Reservation("e1.0", "one", shown))
        bench.runner = TaskRunner(Agents({("storage", "thing"): address}, {}, holds), bench.take)
        renewal = AddressRenewal(("thing", "gone"), 3_000, vouching)
        bench.runner.start(
            ReservationTask(1, 1_000, "a test", TaskKind.READ_RESERVATIONS, "storage", "storage", renewal=renewal)
        )
        done = await bench.next()
        assert done.outcome == ReservationsRead(holds.shown)
        assert address.lives_ms == (3_000 if renewed else -1)

    asyncio.run(run())


class GoneAddress(ScriptedAddress):
    """The kernel has dropped it."""

    async def renew(self, lifetime_ms: int) -> None:
        del lifetime_ms
        await self.behaviour()
        raise AgentError("it is not there any more")


@pytest.mark.parametrize(("vouching", "shown"), [(None, Holder.SILENT), (("e1.0",), Holder.US)])
def test_a_reading_tells_which_address_could_not_be_renewed(
    vouching: tuple[str, ...] | None, shown: Holder, tmp_path: Path
) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        holds = ScriptedHolds(Reservation("e1.0", "one", shown))
        agents = {
            ("storage", "gone"): GoneAddress(nothing, bench.host),
            ("storage", "thing"): ScriptedAddress(nothing, bench.host),
        }
        bench.runner = TaskRunner(Agents(agents, {}, holds), bench.take)
        renewal = AddressRenewal(("gone", "thing"), 3_000, vouching)
        bench.runner.start(
            ReservationTask(1, 1_000, "a test", TaskKind.READ_RESERVATIONS, "storage", "storage", renewal=renewal)
        )
        done = await bench.next()
        assert done.outcome == ReservationsRead(holds.shown, ("gone",))

    asyncio.run(run())


@pytest.mark.parametrize(
    "task",
    [
        ResourceTask(1, 1_000, "a test", TaskKind.START, "storage", "stranger"),
        PowerTask(1, 1_000, "a test", TaskKind.POWER_OFF, "stranger", "beta", PowerPurpose.FENCE),
        PowerTask(1, 1_000, "a test", TaskKind.POWER_OFF, "pdu", "gamma", PowerPurpose.FENCE),
        ReservationTask(1, 1_000, "a test", TaskKind.RESERVE, "storage", "e1.0"),
        RecordTask(1, 1_000, "a test", "storage", None),
    ],
)
def test_a_task_for_something_that_is_not_configured_fails_with_a_sentence(task: Task, tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(nothing, tmp_path)
        bench.runner.start(task)
        done = await bench.next()
        assert done.result is TaskResult.FAILED
        assert "configuration" in done.detail

    asyncio.run(run())


def abandon_stubborn(runner: asyncio.Runner) -> None:
    """End coroutines that refuse to be cancelled, by closing them from outside."""
    loop = runner.get_loop()
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # its destruction is what this test is about
        asyncio.tasks._unregister_task(task)
