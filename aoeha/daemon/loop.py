"""The loop: one inbox, one state. It takes an event, steps, records the step, and executes the actions.

It decides nothing. It sends the core a Tick when `next_wake` says so and passes on every other event in order of
occurrence. A failure of the core is our bug: the loop records the event, the process ends with the traceback, and
the next daemon adopts what runs.
"""

import asyncio
from collections.abc import Callable

from aoeha.core.model.actions import Action
from aoeha.core.model.events import Event, PersistDone, Tick
from aoeha.core.model.state import NodeState
from aoeha.core.step import next_wake, step
from aoeha.daemon.action_executor import ActionExecutor
from aoeha.daemon.inbox import Inbox
from aoeha.daemon.loop_lag import LoopLag
from aoeha.io import clock

__all__ = ["Loop", "Recorder", "Turned"]

TICK_PAUSE_MS = 2
"""The minimum time to the next tick: a core that keeps asking for one must not use the whole processor."""

Turned = Callable[[int], None]
"""Is called with the time after each turn that ended without a fault, so the core's invariants held."""

Recorder = Callable[[NodeState, Event, tuple[Action, ...]], None]
"""Records one step: the state before it, the event, the actions."""


class Loop:
    """Runs the core until it answers Leave."""

    def __init__(
        self, state: NodeState, inbox: Inbox, performing: ActionExecutor, record: Recorder, turned: Turned
    ) -> None:
        self.state = state
        self.lag = LoopLag()
        self.turns = 0
        self._inbox = inbox
        self._performing = performing
        self._record = record
        self._turned = turned
        self._timer: asyncio.TimerHandle | None = None
        self._tick_waits = False

    async def run(self, actions: tuple[Action, ...]) -> None:
        """Execute the actions of the start, then handle events until Leave was executed."""
        self._performing.offer(actions)
        self._ask_for_tick()
        while not self._performing.left.is_set():
            event = await self._inbox.next()
            self._turn(event)
            # The inbox may never be empty; links, timers and tasks must still have their turn.
            await asyncio.sleep(0)
        self._forget_timer()

    def _turn(self, event: Event) -> None:
        self.lag.note(event.now_ms, clock.now_ms())
        before = self.state
        try:
            self.state, actions = step(before, event)
        except Exception:
            self._record(before, event, ())
            raise
        self._record(before, event, actions)
        self.turns += 1
        if isinstance(event, PersistDone) and not event.steady:
            self._performing.persist_done()
        self._performing.offer(actions)
        if isinstance(event, Tick):
            self._tick_waits = False
        self._ask_for_tick()
        self._turned(clock.now_ms())

    def _ask_for_tick(self) -> None:
        """Schedule the Tick that the core wants. One that waits in the inbox already is enough."""
        if self._tick_waits:
            return
        self._forget_timer()
        due_ms = next_wake(self.state)
        pause_ms = max(TICK_PAUSE_MS, due_ms - clock.now_ms())
        self._timer = asyncio.get_running_loop().call_later(pause_ms / 1_000, self._tick, due_ms)

    def _tick(self, due_ms: int) -> None:
        now_ms = clock.now_ms()
        self.lag.note(due_ms + TICK_PAUSE_MS, now_ms)
        self._tick_waits = True
        self._inbox.insist(Tick(now_ms))

    def _forget_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
