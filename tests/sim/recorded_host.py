"""A host that plays a recording to the real daemon's parts: its loop, inbox, performing, beat road and task numbers.

Time is the recording's. Everything that the daemon was given comes at its recorded moment and in the recorded order;
only its ticks are its own: each must fall due exactly when the recording has one, and no other may.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from recording import Message, Recording

from aoeha.core.model.actions import Action, Answer, CancelTask, Leave, Panic, Persist, Say, SendBeat, StartTask
from aoeha.core.model.conditions import Code, Condition, Level, Subject
from aoeha.core.model.events import Event, PersistDone, TaskDone, Tick
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import Task
from aoeha.core.step import initial
from aoeha.daemon.action_executor import ActionExecutor, Effects
from aoeha.daemon.beat_transport import BeatTransport
from aoeha.daemon.commands import Commands
from aoeha.daemon.event_log import EventLog
from aoeha.daemon.inbox import Inbox
from aoeha.daemon.loop import Loop
from aoeha.daemon.tasks import TaskRunner
from aoeha.io import clock
from aoeha.io.durable import Saved
from aoeha.io.link import Link
from aoeha.sim.world.test_key import KEY
from aoeha.wire.keys import key_tags
from aoeha.wire.receiver import Receiver
from aoeha.wire.sender import Sender

__all__ = ["Played", "play"]

BEFORE_MS = 0.4
"""So much before the recorded millisecond comes what is no tick, so that a tick of that millisecond waits its turn."""


class RecordedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands until somebody sets it."""

    def __init__(self, begin_ms: int) -> None:
        super().__init__()
        self.now_ms = float(begin_ms)

    def time(self) -> float:
        return self.now_ms / 1_000


class RecordedLink:
    """A link that sends into a list, and from which the recording is heard."""

    def __init__(self, name: str, limit: int, sent: list[bytes]) -> None:
        self.name, self.limit, self.counters = name, limit, {"sent": 0}
        self.is_busy = False
        self._sent = sent
        self.hear: Callable[[str, bytes], None] = lambda _name, _data: None

    def open(self, _loop: object, on_datagram: Callable[[str, bytes], None], _on_fault: object) -> None:
        self.hear = on_datagram

    def send(self, data: bytes) -> bool:
        self._sent.append(data)
        return True

    def close(self) -> None:
        return


UNKNOWN = Condition(Code.OWNERSHIP_SUPERSEDED, Subject.node(""), "")


class Played:
    """What the daemon did. Also its hands: whatever it asks for is noted here, and ends when the recording says."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.done: list[tuple[int, Action]] = []
        self.sent: list[bytes] = []
        self.journal: list[tuple[Event, tuple[Action, ...]]] = []
        self.state: NodeState | None = None
        self.disk: asyncio.Queue[Saved] = asyncio.Queue()

    def note(self, action: Action) -> None:
        self.done.append((clock.now_ms(), action))

    def start(self, task: Task) -> None:
        self.note(StartTask(task))

    def cancel(self, task_id: int) -> None:
        self.note(CancelTask(task_id))

    async def remember(self, memory: Memory) -> Saved:
        self.note(Persist(memory))
        return await self.disk.get()

    def remember_in_run(self, memory: Memory) -> str:
        self.note(Persist(memory, steady=True))
        return ""

    def say(self, level: Level, condition: Condition, *, ends: bool = False) -> None:
        self.note(Say(level, condition, ends))

    def answer(self, answer: Answer) -> None:
        self.note(answer)

    def panic(self) -> None:
        self.note(Panic(UNKNOWN))

    def record(self, _before: NodeState, event: Event, actions: tuple[Action, ...]) -> None:
        self.journal.append((event, actions))


def play(recording: Recording) -> Played:
    """Let a real daemon live through a recording."""
    loop = RecordedLoop(recording.begun_ms)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: round(loop.now_ms))
        try:
            return loop.run_until_complete(_live(recording, loop))
        finally:
            loop.close()


async def _live(recording: Recording, loop: RecordedLoop) -> Played:
    played, inbox = Played(recording), Inbox()
    links = [RecordedLink(name, limit, played.sent) for name, limit in recording.limits.items()]
    receiver = _receiver(recording)
    sender = Sender(recording.config.cluster, receiver.signing, receiver.nonces, receiver.speaks, held=key_tags((KEY,)))
    road = BeatTransport(cast("list[Link]", links), sender, receiver, inbox, lambda beat: played.note(SendBeat(beat)))
    hands = Effects(
        road.send, cast("TaskRunner", played), played, cast("EventLog", played), cast("Commands", played), played.panic
    )
    performing = ActionExecutor(hands, inbox.insist)
    assert recording.identity is not None
    state, actions = initial(recording.config, recording.identity, recording.memory, recording.begun_ms)
    daemon = Loop(state, inbox, performing, played.record, turned=lambda _: None)
    road.open()
    running = asyncio.create_task(daemon.run(actions))
    await _rest()
    for given in recording.given:
        loop.now_ms = given.now_ms if isinstance(given, Tick) else given.now_ms - BEFORE_MS
        match given:
            case Message(link=link, data=data):
                next(known for known in links if known.name == link).hear(link, data)
            case PersistDone(steady=True):
                pass
            case PersistDone(fault=fault, run_fault=run_fault):
                played.disk.put_nowait(Saved(run_fault, fault))
            case TaskDone():
                inbox.insist(given)
            case Tick():
                pass
            case _:
                inbox.offer(given)
        await _rest()
    if performing.left.is_set():
        played.note(Leave())
    running.cancel()
    played.state = daemon.state
    return played


async def _rest() -> None:
    """Let everything run that can, without time going on."""
    for _ in range(12):
        await asyncio.sleep(0)


def _receiver(recording: Recording) -> Receiver:
    config, nonces = recording.config, iter(recording.nonces)
    return Receiver(
        cluster=config.cluster,
        keys=(KEY,),
        own_node=config.node,
        peer_node=config.peer,
        group_names=[group.name for group in config.groups],
        nonce=next(nonces),
        new_nonce=lambda: next(nonces),
        memory=recording.inherited,
    )
