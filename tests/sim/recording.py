"""What a daemon of the simulator was given, and what it did: one recording for each start of a daemon."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from aoeha.core.model.actions import Action
from aoeha.core.model.beat import Beat
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import Event
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.sim.world import machine
from aoeha.sim.world.daemon import Daemon
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.link import Link
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.work import Work
from aoeha.wire.keys import key_tags
from aoeha.wire.receiver import ReceiverMemory
from aoeha.wire.sender import Letter, Sender

__all__ = ["Message", "Recording", "recordings"]


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes that came in on a link."""

    now_ms: int
    link: str
    data: bytes


@dataclass(slots=True)
class Recording:
    """One start of a daemon: what it began with, what it was given, what it did.

    `nonces` are those that it drew, `sent` the bytes of each beat in the order of the links; `limits` tells how much
    a link carries. `state` is the last one.
    """

    config: PairConfig
    limits: dict[str, int]
    inherited: ReceiverMemory | None
    nonces: list[bytes] = field(default_factory=list)
    memory: Memory | None = None
    identity: Identity | None = None
    begun_ms: int = 0
    given: list[Message | Event] = field(default_factory=list)
    done: list[tuple[int, Action]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    state: NodeState | None = None


class RecordingSender(Sender):
    """Notes every message that it composes once the daemon has begun; the first beat goes ahead of that."""

    recording: Recording

    def compose(self, beat: Beat, limit: int) -> Letter:
        letter = super().compose(beat, limit)
        if self.recording.identity is not None:
            self.recording.sent.append(letter.data())
        return letter


class RecordingDaemon(Daemon):
    """The simulator's daemon, with a note of all that goes in and comes out."""

    found: list[Recording]

    def __init__(self, machine: Gateway, stage: Stage, work: Work, links: Mapping[str, Link]) -> None:
        inherited = machine.memories.inheritance
        limits = {link.name: link.limit for link in links.values()}
        self.recording = Recording(machine.config, limits, inherited.peer if inherited else None)
        self.reading = False
        super().__init__(machine, stage, work, links)
        self.recording.memory = self.memory
        self.sender = RecordingSender(
            machine.config.cluster,
            self.receiver.signing,
            self.receiver.nonces,
            self.receiver.speaks,
            held=key_tags(self._speech.keys),
            knows=self._speech.knows,
        )
        self.sender.recording = self.recording

    def new_nonce(self) -> bytes:
        self.recording.nonces.append(super().new_nonce())
        return self.recording.nonces[-1]

    def begin(self) -> None:
        if not self.ended:
            self.recording.identity = Identity(self.machine.boot_id, self.incarnation)
            self.recording.begun_ms = self.machine.clock_ms()
            self.found.append(self.recording)
        super().begin()
        self.recording.state = self.state

    def hear(self, link: str, data: bytes | Letter) -> None:
        if self.state is not None:
            told = data.data() if isinstance(data, Letter) else data
            self.recording.given.append(Message(self.machine.clock_ms(), link, told))
        self.reading = True
        super().hear(link, data)
        self.reading = False

    def feed(self, event: Event) -> None:
        if not self.ended and self.state is not None and not self.reading:
            self.recording.given.append(event)
        super().feed(event)
        self.recording.state = self.state

    def _do(self, action: Action) -> None:
        self.recording.done.append((self.machine.clock_ms(), action))
        super()._do(action)


@contextmanager
def recordings() -> Iterator[list[Recording]]:
    """Record every daemon that starts within."""
    found: list[Recording] = []
    kind = type("RecordingDaemon", (RecordingDaemon,), {"found": found})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "Daemon", kind)
        yield found
