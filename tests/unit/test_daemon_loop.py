"""The loop tells of each good turn, which the watchdog lives on, and of no other."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from aoeha.core.model.actions import Action
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import Event, Tick
from aoeha.core.model.state import NodeState
from aoeha.core.step import initial
from aoeha.daemon.action_executor import ActionExecutor, Effects
from aoeha.daemon.inbox import Inbox
from aoeha.daemon.loop import Loop
from aoeha.io import clock
from aoeha.io.durable import Saved

CONFIG = PairConfig("gw", "alpha", "beta", ("lan",), (), ())


class Refusing:
    """Effects that do nothing: what is performed is no matter here."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None

    async def remember(self, _: object) -> Saved:
        return Saved("", "")


def test_a_turn_that_fails_feeds_nothing() -> None:
    turned: list[int] = []
    once = asyncio.Event()
    recorded: list[Event] = []

    def record(_before: NodeState, event: Event, _actions: tuple[Action, ...]) -> None:
        recorded.append(event)

    def note(now_ms: int) -> None:
        turned.append(now_ms)
        once.set()

    async def live() -> None:
        inbox, idle = Inbox(), cast("Any", Refusing())
        performing = ActionExecutor(Effects(idle.send, idle, idle, idle, idle, idle.panic), inbox.insist)
        now_ms = clock.now_ms()
        state, actions = initial(CONFIG, Identity("a" * 32, 1), None, now_ms)
        loop = Loop(state, inbox, performing, record, note)
        running = asyncio.create_task(loop.run(actions))
        inbox.insist(Tick(now_ms))
        await once.wait()
        good = len(recorded)
        assert len(turned) == good
        loop.state = replace(loop.state, config=cast("Any", None))
        inbox.insist(Tick(now_ms + 1))
        with pytest.raises(AttributeError):
            await running
        assert len(recorded) == good + 1
        assert len(turned) == good

    asyncio.run(live())
