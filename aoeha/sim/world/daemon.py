"""A daemon of the simulator: the real core, the real performer and the real wire, on fake hardware.

It owes the core what aoeha.daemon owes it, in the same order: a Tick when `next_wake` says so, one TaskDone for each
StartTask, one PersistDone for each Persist, beats as bytes through Sender and Receiver.
"""

from collections.abc import Mapping

from aoeha.core.action_queue import ActionQueue
from aoeha.core.memory import newest, next_incarnation
from aoeha.core.model.actions import Action, Answer, CancelTask, Leave, Panic, Persist, Say, SendBeat, StartTask
from aoeha.core.model.beat import NEVER_MS, Beat, BeatFlag
from aoeha.core.model.config import Identity
from aoeha.core.model.events import BeatHeard, CommandGiven, Event, LinkReported, PersistDone, TaskDone, Tick
from aoeha.core.model.memory import Memory
from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import NodeState
from aoeha.core.step import initial, next_wake, step
from aoeha.sim.asking.rules import Asking
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.link import Link
from aoeha.sim.world.memories import RestartState
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.work import Work
from aoeha.wire.codec import NONCE_SIZE
from aoeha.wire.keys import key_tags
from aoeha.wire.receiver import Receiver, Rejected
from aoeha.wire.sender import Letter, Sender
from aoeha.wire.unread_budget import UnreadBudget, unread_event

__all__ = ["Daemon"]

TICK_PAUSE_MS = 2
DISK_MS = 3
SLOW_DISK_MS = 200
"""How long the daemon waits for a disk before it continues without it (aoeha.io.durable)."""
FIRST_SEQUENCE = 0
BACK_WITHIN_MS = 3_000
"""What a first beat says about how soon the second one follows (aoeha.daemon.first_beat)."""
LATER_MS = 1 << 60


class Daemon:
    """One start of aoeha on a machine, from its first beat to its end."""

    def __init__(self, machine: Gateway, stage: Stage, work: Work, links: Mapping[str, Link]) -> None:
        self.machine = machine
        self._stage = stage
        self._work = work
        self._links = links
        self.ended = False
        self.state: NodeState | None = None
        self.performer = ActionQueue()
        self._asking = Asking()
        config, inherited = machine.config, machine.memories.inheritance
        self._speech = machine.speech
        self._unread_budget = UnreadBudget()
        self.receiver = Receiver(
            cluster=self._speech.cluster or config.cluster,
            keys=self._speech.keys,
            own_node=config.node,
            peer_node=config.peer,
            group_names=[group.name for group in config.groups],
            nonce=self.new_nonce(),
            new_nonce=self.new_nonce,
            memory=inherited.peer if inherited else None,
            knows=self._speech.knows,
        )
        self.sender = Sender(
            self._speech.cluster or config.cluster,
            self.receiver.signing,
            self.receiver.nonces,
            self._speaks,
            held=key_tags(self._speech.keys),
            knows=self._speech.knows,
        )
        machine.record_key = self.receiver.known_key
        self.memory = self._recall()
        same_boot = self.memory is not None and self.memory.boot_id == machine.boot_id
        used = self.memory.incarnation if self.memory is not None and same_boot else 0
        self.incarnation = next_incarnation(self.memory, machine.boot_id, machine.clock_ms())
        if inherited:
            self.incarnation = max(used, inherited.incarnation) + 1
        self._tick_ms = self._wake_ms = LATER_MS
        self._asleep: list[Event] = []

    def new_nonce(self) -> bytes:
        """Return a nonce that cannot have been guessed."""
        return self._stage.random.randbytes(NONCE_SIZE)

    def _speaks(self) -> int:
        # A method: a copy of the world copies whose it is, which it does not do with what a function encloses.
        return self._speech.version or self.receiver.speaks()

    def _recall(self) -> Memory | None:
        memories = self.machine.memories
        return newest(memories.run, memories.disk, self.machine.boot_id, was_here=memories.is_marked)

    def send_first_beat(self, inherited: RestartState) -> None:
        """Say that this node is here again, before anything else (R15)."""
        self._transmit(replaced(_first_of(inherited.beat), incarnation=self.incarnation))

    def begin(self) -> None:
        """Start the core."""
        if self.ended:
            return
        self._stage.tell(Observer.began, self.machine, self.memory)
        identity = Identity(self.machine.boot_id, self.incarnation)
        self.state, actions = initial(self.machine.config, identity, self.memory, self.machine.clock_ms())
        self._perform(actions)

    def hear(self, link: str, data: bytes | Letter) -> None:
        """Bytes of a link, as they are read."""
        if self.state is None:
            return
        if isinstance(data, Letter) and self._speech.reads(data):
            outcome = self.receiver.accept_read(link, data.as_read(), data.key.id)
        else:
            outcome = self.receiver.accept(link, data.data() if isinstance(data, Letter) else data)
        if isinstance(outcome, Rejected):
            self._stage.count("rejected", outcome.reason.value)
            now_ms = self.machine.clock_ms()
            if outcome.cause is not None and self._unread_budget.takes(link, outcome.cause, now_ms):
                self.feed(unread_event(now_ms, link, outcome.cause))
            return
        self._stage.tell(Observer.heard, self.machine, link, outcome)
        self.feed(BeatHeard(self.machine.clock_ms(), link, outcome))

    def command(self, number: int, verb: str, arguments: dict[str, str]) -> None:
        """An operator asks for something."""
        self.feed(CommandGiven(self.machine.clock_ms(), number, verb, "root", arguments))

    def report_link(self, link: str, fault: str) -> None:
        """A link says how its medium is."""
        self.feed(LinkReported(self.machine.clock_ms(), link, fault))

    def feed(self, event: Event) -> None:
        """Let the core take one event, or keep it until the daemon gets the processor again."""
        if self.ended or self.state is None:
            return
        if self.machine.paused or self.machine.frozen:
            self._asleep.append(event)
            return
        self.state, actions = step(self.state, event, self._asking.ask)
        self._stage.steps += 1
        if isinstance(event, PersistDone) and not event.steady:
            self.performer.persist_done()
        self._perform(actions)

    def wake(self) -> None:
        """Take what waited while the daemon had no processor, at the time that it is now."""
        asleep, self._asleep = self._asleep, []
        if not asleep:
            asleep.append(Tick(0))
        for event in asleep:
            self.feed(replaced(event, now_ms=self.machine.clock_ms()))

    def _perform(self, actions: tuple[Action, ...]) -> None:
        self.performer.offer(actions)
        for action in self.performer.take():
            if self.ended:
                return
            self._do(action)
        if not self.ended:
            self._ask_for_tick()

    def _ask_for_tick(self) -> None:
        assert self.state is not None
        self._wake_ms = next_wake(self.state)
        delay_ms = max(self._wake_ms - self.machine.clock_ms(), TICK_PAUSE_MS)
        delay_ms = -(-delay_ms * 100 // self.machine.rate_percent)
        due_ms = self._stage.timeline.now_ms + delay_ms
        if due_ms < self._tick_ms:
            self._tick_ms = due_ms
            self._stage.timeline.after(delay_ms, self._tick, due_ms)

    def _tick(self, due_ms: int) -> None:
        if self.ended or due_ms != self._tick_ms:
            return
        self._tick_ms = LATER_MS
        if self.machine.paused or self.machine.frozen:
            return
        if self._wake_ms <= self.machine.clock_ms():
            self.feed(Tick(self.machine.clock_ms()))
        else:
            self._ask_for_tick()

    def _do(self, action: Action) -> None:
        machine, stage = self.machine, self._stage
        match action:
            case SendBeat(beat=beat):
                stage.tell(Observer.sent, machine, beat)
                self._transmit(beat)
            case StartTask(task=task):
                stage.tell(Observer.task_started, machine, task)
                stage.trace.task(machine.name, task)
                self._work.start(machine, self.incarnation, task, self.task_done)
            case CancelTask(task_id=task_id):
                self._work.cancel(machine, self.incarnation, task_id)
            case Persist(memory=memory, steady=True):
                fault = machine.memories.save_run(memory, stage.timeline.now_ms)
                stage.timeline.after(DISK_MS, machine.by_kernel, self._kept, fault)
            case Persist(memory=memory):
                self._persist(memory)
            case Say():
                stage.said(machine, action)
            case Answer():
                stage.answered(machine, action)
            case Panic(condition=condition):
                stage.trace.told(machine.name, "PANIC", condition)
                stage.count("panic", "panic")
                stage.tell(Observer.panicking, machine)
                machine.reset()
            case Leave():
                stage.trace.line(machine.name, "left", "", "")
                machine.leave()

    def _transmit(self, beat: Beat) -> None:
        machine = self.machine
        machine.memories.inherit(RestartState(self.incarnation, self.receiver.memory(), beat))
        for link in self._links.values():
            link.send(machine.name, self.sender.compose(beat, link.limit))

    def _persist(self, memory: Memory) -> None:
        """Write /run at once and the disk in a while. A disk that is full or hangs ends in a fault, not in a halt."""
        self._stage.tell(Observer.persisting, self.machine, memory)
        run_fault = self.machine.memories.save_run(memory, self._stage.timeline.now_ms)
        delay_ms = SLOW_DISK_MS if self.machine.disk == "hangs" else DISK_MS
        self._stage.timeline.after(delay_ms, self.machine.by_kernel, self._persisted, memory, run_fault)

    def _persisted(self, memory: Memory, run_fault: str) -> None:
        if self.ended:
            return
        fault = {"ok": "", "full": "no space left on device", "hangs": "the disk did not answer within 200 ms"}[
            self.machine.disk
        ]
        if not fault:
            self.machine.memories.disk = memory
        self._stage.tell(Observer.persisted, self.machine, memory)
        self.feed(PersistDone(self.machine.clock_ms(), fault, run_fault))

    def _kept(self, run_fault: str) -> None:
        if not self.ended:
            self.feed(PersistDone(self.machine.clock_ms(), run_fault=run_fault, steady=True))

    def task_done(self, task_id: int, done: TaskDone) -> None:
        """A task of this daemon ended."""
        if self.ended:
            return
        self._stage.trace.done(self.machine.name, task_id, done)
        self.feed(replaced(done, now_ms=self.machine.clock_ms()))


def _first_of(beat: Beat) -> Beat:
    """What a successor's first beat says: the last one without claims, grants or a look around."""
    groups = tuple(replaced(group, claim=0, claim_epoch=0, grant=None) for group in beat.groups)
    flags = BeatFlag.RESTARTING | (beat.flags & (BeatFlag.STANDBY | BeatFlag.PAUSED))
    ages = (NEVER_MS,) * len(beat.link_ages_ms)
    first = replaced(beat, sequence=FIRST_SEQUENCE, echo_sequence=0, flags=flags, link_ages_ms=ages, groups=groups)
    return replaced(first, back_within_ms=BACK_WITHIN_MS)
