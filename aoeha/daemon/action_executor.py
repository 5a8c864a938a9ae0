"""Executes the core's actions: each at once, or as a task that ends in an event. Nothing here waits."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from aoeha.core.action_queue import ActionQueue
from aoeha.core.model.actions import Action, Answer, CancelTask, Leave, Panic, Persist, Say, SendBeat, StartTask
from aoeha.core.model.beat import Beat
from aoeha.core.model.conditions import Level
from aoeha.core.model.events import PersistDone
from aoeha.core.model.memory import Memory
from aoeha.daemon.commands import Commands
from aoeha.daemon.event_log import EventLog
from aoeha.daemon.tasks import TaskRunner
from aoeha.io import clock
from aoeha.io.durable import Saved

__all__ = ["ActionExecutor", "Effects", "Remembering"]


class Remembering(Protocol):
    """Stores Memory (aoeha.io.durable.MemoryStore)."""

    async def remember(self, memory: Memory) -> Saved:
        """Return why the memory is not in /run, or not on disk. Returns within a bounded time."""
        ...

    def remember_in_run(self, memory: Memory) -> str:
        """Return an empty string, or why the memory is not in /run."""
        ...


@dataclass(frozen=True, slots=True)
class Effects:
    """Everything that the actions need. `send` puts a beat on every link. `panic` does not return."""

    send: Callable[[Beat], None]
    tasks: TaskRunner
    memory: Remembering
    event_log: EventLog
    commands: Commands
    panic: Callable[[], None]


class ActionExecutor:
    """Performs actions in the order that the performer allows. `left` is set when the daemon may end."""

    def __init__(self, hands: Effects, post: Callable[[PersistDone], None]) -> None:
        self.left = asyncio.Event()
        self.memory_fault = ""
        self._hands = hands
        self._post = post
        self._performer = ActionQueue()
        self._persisting: set[asyncio.Task[None]] = set()

    def offer(self, actions: tuple[Action, ...]) -> None:
        """Take the actions of one step and execute those that may run now."""
        self._performer.offer(actions)
        self._perform_ready()

    def persist_done(self) -> None:
        """Continue with the actions behind the Persist that ended."""
        self._performer.persist_done()
        self._perform_ready()

    def _perform_ready(self) -> None:
        for action in self._performer.take():
            self._perform(action)

    def _perform(self, action: Action) -> None:
        match action:
            case SendBeat(beat=beat):
                self._hands.send(beat)
            case StartTask(task=task):
                self._hands.tasks.start(task)
            case CancelTask(task_id=task_id):
                self._hands.tasks.cancel(task_id)
            case Persist(memory=memory, steady=True):
                fault = self._hands.memory.remember_in_run(memory)
                self._post(PersistDone(clock.now_ms(), run_fault=fault, steady=True))
            case Persist(memory=memory):
                self._spawn(self._persist(memory))
            case Say(level=level, condition=condition, ends=ends):
                self._hands.event_log.say(level, condition, ends=ends)
            case Answer():
                self._hands.commands.answer(action)
            case Panic(condition=condition):
                self._hands.event_log.say(Level.ALARM, condition)
                self._hands.panic()
            case Leave():
                self.left.set()
            case _:
                assert_never(action)

    async def _persist(self, memory: Memory) -> None:
        try:
            saved = await self._hands.memory.remember(memory)
        except Exception as error:  # noqa: BLE001 - the core waits for this one answer, whatever our bug is
            saved = Saved("", f"cannot remember: {error!r}")
        self.memory_fault = "; ".join(filter(None, saved))
        self._post(PersistDone(clock.now_ms(), saved.disk_fault, saved.run_fault))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="persist")
        self._persisting.add(task)
        task.add_done_callback(self._persisting.discard)
