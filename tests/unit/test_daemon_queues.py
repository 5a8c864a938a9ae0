"""Queues do not mix what must arrive with what strangers send."""

import asyncio
from collections.abc import Callable

from aoeha.core.model.beat import Beat, BeatFlag
from aoeha.core.model.events import BeatHeard, CommandGiven, Event, TargetStarted, Tick
from aoeha.daemon.advert_budget import GAP_MAX_MS, QUIET_MS, AdvertBudget
from aoeha.daemon.inbox import INBOX_MAX, Inbox
from aoeha.daemon.journal_file import JournalLimits
from aoeha.journal.records import encode_step

LEG, ADDRESS = "e1.0", "02:00:00:00:00:31"


def beat(link: str, sequence: int) -> BeatHeard:
    return BeatHeard(sequence, link, Beat("beta", "b" * 32, 1, sequence, 0, 0, BeatFlag.PROBED, (), ()))


async def taken(inbox: Inbox, number: int) -> list[Event]:
    return [await inbox.next() for _ in range(number)]


def test_a_beat_waits_for_one_event_at_most_however_many_wait() -> None:
    inbox = Inbox()
    commands = [CommandGiven(number, number, "status", "root") for number in range(INBOX_MAX + 10)]
    assert sum(map(inbox.offer, commands)) == INBOX_MAX
    inbox.hear(beat("lan", 1))
    inbox.hear(beat("serial", 1))
    assert asyncio.run(taken(inbox, 4)) == [commands[0], beat("lan", 1), commands[1], beat("serial", 1)]


def test_of_each_link_the_newest_beat_waits_and_the_rest_has_its_turn() -> None:
    inbox = Inbox()
    inbox.insist(Tick(0))
    for sequence in range(10_000):
        inbox.hear(beat("lan", sequence))
    inbox.hear(beat("serial", 5))
    inbox.insist(Tick(1))
    assert asyncio.run(taken(inbox, 4)) == [Tick(0), beat("lan", 9_999), Tick(1), beat("serial", 5)]
    assert inbox.replaced == 9_999


class _Clock(asyncio.SelectorEventLoop):
    """An event loop whose clock stands until somebody sets it."""

    now_ms = 0

    def time(self) -> float:
        return self.now_ms / 1_000

    async def go_to(self, now_ms: int) -> None:
        self.now_ms = now_ms
        for _ in range(3):
            await asyncio.sleep(0)


def told(story: Callable[[_Clock, AdvertBudget], object]) -> list[tuple[int, str]]:
    """Play a story and return which starts were passed on, and when."""
    loop, passed = _Clock(), list[tuple[int, str]]()
    budget = AdvertBudget(lambda leg, _address: passed.append((loop.now_ms, leg)), lambda: loop.now_ms)

    async def play() -> None:
        await story(loop, budget)  # type: ignore[misc]

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()
    return passed


def test_the_start_of_a_target_is_passed_on_at_once_and_so_is_the_next() -> None:
    async def story(loop: _Clock, budget: AdvertBudget) -> None:
        budget.heard(LEG, ADDRESS)
        budget.heard("e2.0", ADDRESS)
        await loop.go_to(QUIET_MS)
        budget.heard(LEG, ADDRESS)

    assert told(story) == [(0, LEG), (0, "e2.0"), (QUIET_MS, LEG)]


def test_the_last_of_several_starts_is_never_lost() -> None:
    async def story(loop: _Clock, budget: AdvertBudget) -> None:
        for now_ms in (0, 10, 20, 30):
            await loop.go_to(now_ms)
            budget.heard(LEG, ADDRESS)
        await loop.go_to(99)
        await loop.go_to(100)
        await loop.go_to(60_000)

    assert told(story) == [(0, LEG), (100, LEG)]


def test_a_storm_is_a_few_events_leaves_the_journal_its_history_and_is_said() -> None:
    minutes, faults = 6, []

    async def story(loop: _Clock, budget: AdvertBudget) -> None:
        for now_ms in range(0, minutes * 60_000, 20):
            await loop.go_to(now_ms)
            budget.heard(LEG, ADDRESS)
        faults.append(budget.fault())
        budget.heard("e2.0", ADDRESS)
        await loop.go_to(minutes * 60_000 + QUIET_MS + GAP_MAX_MS)
        faults.append(budget.fault())

    passed = told(story)
    starts = [now_ms for now_ms, leg in passed if leg == LEG]
    assert all(len([at for at in starts if begun <= at < begun + 1_000]) <= 10 for begun in starts)
    written = sum(len(encode_step(TargetStarted(at, LEG, ADDRESS), ())) for at in starts)
    limits = JournalLimits()
    assert written < limits.parts * limits.part_bytes / 1_000
    assert (minutes * 60_000 - 20, "e2.0") in passed
    assert faults[0].startswith(f"{LEG} at {ADDRESS} announces its start again and again")
    assert faults[1] == ""
