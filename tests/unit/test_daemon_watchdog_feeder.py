"""When the watchdog is fed and when never, on a pipe in the watchdog's place: a byte is a meal, "V" is the end."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field

import pytest

from aoeha.core.model.conditions import Level
from aoeha.daemon.watchdog_feeder import Mode, WatchdogFeeder
from aoeha.io.watchdog import Watchdog, WatchdogError

TIMEOUT_MS = 12_000
QUARTER_MS = TIMEOUT_MS // 4


@dataclass
class Kennel:
    """The other end of the pipe, and all that was said. `refusal` is what openings end with."""

    reader: int
    writer: int
    said: list[tuple[Level, str]] = field(default_factory=list)
    refusal: WatchdogError | None = None
    openings: int = 0
    granted_ms: int = TIMEOUT_MS
    caveats: tuple[str, ...] = ()

    def feeder(self, mode: Mode) -> WatchdogFeeder:
        return WatchdogFeeder(mode, TIMEOUT_MS, self.open, lambda level, sentence: self.said.append((level, sentence)))

    def open(self) -> Watchdog:
        self.openings += 1
        if self.refusal is not None:
            raise self.refusal
        return Watchdog(self.writer, "Pipe", self.granted_ms, self.caveats)

    def eaten(self) -> bytes:
        try:
            return os.read(self.reader, 1_000)
        except BlockingIOError:
            return b""


@pytest.fixture
def kennel() -> Iterator[Kennel]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield Kennel(reader, writer)
    os.close(reader)
    # A watchdog that was stopped has closed its own end.
    if os.path.exists(f"/proc/self/fd/{writer}"):  # noqa: PTH110 - a descriptor's name, no path
        os.close(writer)


def missing() -> WatchdogError:
    return WatchdogError("cannot open the watchdog: there is no such device", is_missing=True)


def busy() -> WatchdogError:
    return WatchdogError("cannot open the watchdog: another program has it")


def live(work: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(work())


async def turn(feeder: WatchdogFeeder, now_ms: int) -> None:
    """One good turn, and the meal that it may have asked for."""
    feeder.turned(now_ms)
    meals = [task for task in asyncio.all_tasks() if task.get_name() == "watchdog"]
    if meals:
        await asyncio.wait(meals, timeout=10)


def test_it_is_fed_each_quarter_of_its_time_while_the_loop_turns(kennel: Kennel) -> None:
    async def work() -> None:
        feeder = kennel.feeder("automatic")
        await feeder.begin(0, is_restart=False)
        assert (kennel.openings, kennel.eaten()) == (1, b"")
        for now_ms in range(0, QUARTER_MS, 100):
            await turn(feeder, now_ms)
        assert kennel.eaten() == b""
        for now_ms in range(QUARTER_MS, 3 * QUARTER_MS + 100, 100):
            await turn(feeder, now_ms)
        assert kennel.eaten() == b"\0\0\0"
        assert kennel.openings == 1

    live(work)
    assert [level for level, _ in kennel.said] == [Level.INFO]


def test_without_a_turn_nothing_feeds_it_however_long_the_loop_lives(kennel: Kennel) -> None:
    async def work() -> None:
        others = set(threading.enumerate())
        feeder = kennel.feeder("required")
        await feeder.begin(0, is_restart=False)
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        for thread in set(threading.enumerate()) - others:
            thread.join(timeout=10)
        assert set(threading.enumerate()) <= others

    live(work)
    assert kennel.eaten() == b""


def test_only_a_clean_leave_stops_it(kennel: Kennel) -> None:
    async def work() -> None:
        feeder = kennel.feeder("required")
        await feeder.begin(0, is_restart=False)
        await turn(feeder, QUARTER_MS)
        await feeder.leave()
        assert kennel.eaten() == b"\0V"
        await turn(feeder, 100 * QUARTER_MS)
        assert (kennel.openings, feeder.fault, feeder.sentence(0)) == (1, "", "")

    live(work)


def test_a_successor_opens_it_after_a_quarter_of_good_turns_and_not_before(kennel: Kennel) -> None:
    async def work() -> None:
        feeder = kennel.feeder("required")
        await feeder.begin(1_000, is_restart=True)
        await turn(feeder, 1_000 + QUARTER_MS - 1)
        assert kennel.openings == 0
        await turn(feeder, 1_000 + QUARTER_MS)
        await turn(feeder, 1_000 + 2 * QUARTER_MS)
        assert (kennel.openings, kennel.eaten()) == (1, b"\0")

    live(work)


def test_a_required_one_that_cannot_be_had_ends_the_start_with_a_mend(kennel: Kennel) -> None:
    async def work() -> None:
        kennel.refusal = busy()
        with pytest.raises(WatchdogError, match=r'another program has it; .* set mode = "automatic"'):
            await kennel.feeder("required").begin(0, is_restart=False)

    live(work)


def test_a_required_one_that_a_successor_cannot_have_is_an_alarm_until_it_can(kennel: Kennel) -> None:
    async def work() -> None:
        kennel.refusal = missing()
        feeder = kennel.feeder("required")
        await feeder.begin(0, is_restart=True)
        for meal in range(1, 5):
            await turn(feeder, meal * QUARTER_MS)
        assert "no such device" in feeder.fault
        assert [level for level, _ in kennel.said] == [Level.ALARM]
        kennel.refusal = None
        await turn(feeder, 5 * QUARTER_MS)
        assert (feeder.fault, kennel.openings) == ("", 5)

    live(work)


@pytest.mark.parametrize(("refusal", "level", "openings"), [(missing(), Level.INFO, 1), (busy(), Level.WARNING, 4)])
def test_an_automatic_one_that_cannot_be_had_is_said_once_and_no_fault(
    kennel: Kennel, refusal: WatchdogError, level: Level, openings: int
) -> None:
    async def work() -> None:
        kennel.refusal = refusal
        feeder = kennel.feeder("automatic")
        await feeder.begin(0, is_restart=False)
        for meal in range(1, 4):
            await turn(feeder, meal * QUARTER_MS)
        assert (feeder.fault, feeder.sentence(0), kennel.openings) == ("", "", openings)

    live(work)
    ((said, sentence),) = kennel.said
    assert said is level
    assert "continuing without it" in sentence


def test_one_that_is_off_is_never_touched(kennel: Kennel) -> None:
    async def work() -> None:
        feeder = kennel.feeder("off")
        await feeder.begin(0, is_restart=False)
        await turn(feeder, 10 * TIMEOUT_MS)
        await feeder.leave()

    live(work)
    assert (kennel.openings, kennel.said) == (0, [])


def test_one_that_counts_faster_than_asked_is_fed_faster_and_its_caveats_are_said(kennel: Kennel) -> None:
    async def work() -> None:
        kennel.granted_ms, kennel.caveats = 4_000, ("it counts 4 s",)
        feeder = kennel.feeder("automatic")
        await feeder.begin(0, is_restart=False)
        for now_ms in range(0, 3_001, 500):
            await turn(feeder, now_ms)
        assert kennel.eaten() == b"\0\0\0"
        assert feeder.sentence(3_500) == (
            "Pipe resets this gateway when its daemon does not turn for 4 s; fed 0.5 s ago"
        )

    live(work)
    assert (Level.WARNING, "Pipe: it counts 4 s") in kennel.said


def test_a_meal_that_is_refused_is_an_alarm_said_once_and_tried_again(kennel: Kennel) -> None:
    async def work() -> None:
        feeder = kennel.feeder("automatic")
        await feeder.begin(0, is_restart=False)
        spare = os.dup(kennel.writer)
        os.close(kennel.writer)
        for meal in range(1, 4):
            await turn(feeder, meal * QUARTER_MS)
        assert feeder.fault == f"cannot feed the watchdog: {os.strerror(errno.EBADF)}"
        os.dup2(spare, kennel.writer)
        os.close(spare)
        await turn(feeder, 4 * QUARTER_MS)
        assert feeder.fault == ""
        assert kennel.eaten() == b"\0"

    live(work)
    assert [level for level, _ in kennel.said] == [Level.INFO, Level.ALARM]


def test_a_driver_that_hangs_never_holds_the_loop_and_is_fed_again_when_it_wakes(kennel: Kennel) -> None:
    async def work() -> None:
        feeder = kennel.feeder("automatic")
        await feeder.begin(0, is_restart=False)
        # A pipe that is full takes nothing, like a driver that waits for its controller.
        os.set_blocking(kennel.writer, False)
        while True:
            try:
                os.write(kennel.writer, bytes(4_096))
            except BlockingIOError:
                break
        os.set_blocking(kennel.writer, True)
        feeder.turned(QUARTER_MS)
        feeder.turned(2 * QUARTER_MS)
        meals = [task for task in asyncio.all_tasks() if task.get_name() == "watchdog"]
        assert len(meals) == 1
        done, _ = await asyncio.wait(meals, timeout=0)
        assert not done
        while kennel.eaten():
            pass
        await asyncio.wait(meals, timeout=10)
        kennel.eaten()
        await turn(feeder, 3 * QUARTER_MS)
        assert kennel.eaten() == b"\0"

    live(work)
