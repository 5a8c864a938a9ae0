"""Two at once who read the same thing: both get it, and neither is turned away."""

import asyncio
import threading

import pytest

from aoeha.io.blocking import shared_call


def test_two_who_ask_at_once_get_the_one_reading() -> None:
    may_go, readings = threading.Event(), []

    def read() -> str:
        may_go.wait(5)
        readings.append("read")
        return "secret"

    async def story() -> list[str]:
        both = [asyncio.create_task(shared_call("a secret of two", read, deadline_ms=5_000)) for _ in range(2)]
        await asyncio.sleep(0)
        may_go.set()
        return list(await asyncio.gather(*both))

    assert asyncio.run(story()) == ["secret", "secret"]
    assert readings == ["read"]


def test_who_asks_afterwards_gets_a_reading_of_its_own() -> None:
    answers = iter(("old", "new"))

    async def story() -> tuple[str, str]:
        first = await shared_call("a secret that changes", lambda: next(answers), deadline_ms=5_000)
        return first, await shared_call("a secret that changes", lambda: next(answers), deadline_ms=5_000)

    assert asyncio.run(story()) == ("old", "new")


def test_who_is_cancelled_takes_nothing_from_the_other() -> None:
    may_go = threading.Event()

    def read() -> str:
        may_go.wait(5)
        return "secret"

    async def story() -> str:
        one, other = (asyncio.create_task(shared_call("a secret", read, deadline_ms=5_000)) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        may_go.set()
        return await other

    assert asyncio.run(story()) == "secret"


def test_a_reading_that_fails_fails_for_both_and_is_tried_again() -> None:
    def fail() -> str:
        raise OSError("no such file")

    async def story() -> str:
        both = [shared_call("a secret that fails", fail, deadline_ms=5_000) for _ in range(2)]
        for outcome in await asyncio.gather(*both, return_exceptions=True):
            assert isinstance(outcome, OSError)
        return await shared_call("a secret that fails", lambda: "secret", deadline_ms=5_000)

    assert asyncio.run(story()) == "secret"


def test_a_reading_that_hangs_ends_for_both_at_its_deadline() -> None:
    may_end = threading.Event()

    async def story() -> None:
        both = [shared_call("a secret that hangs", lambda: may_end.wait(5), deadline_ms=50) for _ in range(2)]
        for outcome in await asyncio.gather(*both, return_exceptions=True):
            assert isinstance(outcome, TimeoutError)
        with pytest.raises(TimeoutError, match="still hangs"):
            await shared_call("a secret that hangs", lambda: True, deadline_ms=50)
        may_end.set()

    asyncio.run(story())
