"""Two real cores on one virtual clock, joined by fake links: enough world to tell a story in a unit test.

The oracle is checked after every event and shares nothing with the core's own assertions: never may two powered nodes
have the same resource running.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from aoeha.core.action_queue import ActionQueue
from aoeha.core.model.actions import Action, Answer, CancelTask, Leave, Panic, Persist, Say, SendBeat, StartTask
from aoeha.core.model.config import FenceConfig, GroupConfig, Identity, PairConfig, ResourceConfig
from aoeha.core.model.events import BeatHeard, CommandGiven, Event, PersistDone, TaskDone, Tick
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import PlugState, ResourceStatus, Task, TaskKind, TaskResult
from aoeha.core.status import status
from aoeha.core.step import initial, next_wake, step

START_MS, STOP_MS, LOOK_MS, POWER_MS, LATENCY_MS = 300, 200, 20, 150, 5


def pair_config(
    node: str, peer: str, *, links: int = 2, groups: tuple[str, ...] = ("storage",), preferred: str = "alpha"
) -> PairConfig:
    resources = tuple(ResourceConfig(name, monitor_every_ms=2_000) for name in ("mirror", "volume", "address"))
    return PairConfig(
        cluster="gw",
        node=node,
        peer=peer,
        links=tuple(f"link{number}" for number in range(links)),
        groups=tuple(
            GroupConfig(
                name, preferred, tuple(replace(r, name=f"{name}-{r.name}") for r in resources), restart_window_ms=60_000
            )
            for name in groups
        ),
        fences=(FenceConfig("switch", timeout_ms=1_000),),
        restart_window_ms=60_000,
    )


@dataclass
class Machine:
    """One gateway: a kernel that may be off, a daemon that may be dead, and what runs on it."""

    name: str
    config: PairConfig
    boot: int = 0
    incarnation: int = 0
    powered: bool = False
    state: NodeState | None = None
    performer: ActionQueue = field(default_factory=ActionQueue)
    memory: Memory | None = None
    running: set[str] = field(default_factory=set)
    degraded: set[str] = field(default_factory=set)
    live_tasks: dict[int, Task] = field(default_factory=dict)
    broken: dict[tuple[TaskKind, str], TaskResult] = field(default_factory=dict)
    asleep: bool = False
    said: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    woken_at_ms: int = -1

    @property
    def boot_id(self) -> str:
        return f"{self.name}{self.boot}".encode().hex().ljust(32, "0")


Watcher = Callable[[Machine, NodeState | None, Event | None, NodeState, tuple[Action, ...]], None]
"""Sees each step of each core: its machine, the state before, the event, the state after, the actions.

State and event before are None when a daemon starts.
"""


class Pair:
    """The world. `run(ms)` lets time pass; everything else is a fault or a request."""

    watchers: ClassVar[list[Watcher]] = []

    def __init__(self, **options: object) -> None:
        self.now_ms = 0
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.cut: set[tuple[str, str]] = set()
        self.switch_works = True
        self.switch_lies = False
        self.switch_is_vague = False
        self.plugged: dict[str, bool] = {}
        self.fences = 0
        names = ("alpha", "beta")
        self.machines = {
            name: Machine(name, pair_config(name, other, **options))  # type: ignore[arg-type]
            for name, other in zip(names, reversed(names), strict=True)
        }

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def boot(self, *names: str) -> None:
        for name in names or ("alpha", "beta"):
            machine = self[name]
            machine.boot += 1
            machine.incarnation = 0
            machine.powered = True
            machine.running = set()
            self.plugged[name] = True
            self.start_daemon(name)

    def start_daemon(self, name: str) -> None:
        machine = self[name]
        machine.incarnation += 1
        machine.live_tasks = {}
        machine.performer = ActionQueue()
        identity = Identity(machine.boot_id, machine.incarnation)
        machine.state, actions = initial(machine.config, identity, machine.memory, self.now_ms)
        self._show(machine, None, None, actions)
        self._perform(machine, actions)

    def kill_daemon(self, name: str) -> None:
        self[name].state = None
        self[name].live_tasks = {}

    def power_loss(self, name: str) -> None:
        self.kill_daemon(name)
        self[name].powered = False
        self[name].running = set()

    def sleep(self, name: str) -> None:
        self[name].asleep = True

    def wake(self, name: str) -> None:
        self[name].asleep = False
        self._tick(self[name])

    def cut_link(self, link: str, *senders: str) -> None:
        self.cut.update((link, sender) for sender in senders or ("alpha", "beta"))

    def heal(self) -> None:
        self.cut.clear()

    def command(self, on: str, verb: str, **arguments: str) -> None:
        self._feed(self[on], CommandGiven(self.now_ms, 1, verb, "root", arguments))

    def run(self, ms: int) -> None:
        end_ms = self.now_ms + ms
        while self.queue and self.queue[0][0] <= end_ms:
            self.now_ms, _, act = heapq.heappop(self.queue)
            act()
            self._check()
        self.now_ms = end_ms

    def serves(self, name: str, group: str = "storage") -> bool:
        machine = self[name]
        wanted = {resource.name for g in machine.config.groups if g.name == group for resource in g.resources}
        return machine.powered and wanted <= machine.running

    def why(self, name: str) -> str:
        state = self[name].state
        return "" if state is None else status(state).why

    def _at(self, delay_ms: int, act: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.now_ms + delay_ms, next(self.order), act))

    def _feed(self, machine: Machine, event: Event) -> None:
        if machine.state is None or not machine.powered:
            return
        if machine.asleep:
            self._at(50, lambda: self._feed(machine, replace(event, now_ms=self.now_ms)))
            return
        before = machine.state
        machine.state, actions = step(before, event)
        self._show(machine, before, event, actions)
        self._perform(machine, actions)

    def _show(
        self, machine: Machine, before: NodeState | None, event: Event | None, actions: tuple[Action, ...]
    ) -> None:
        assert machine.state is not None
        for watch in self.watchers:
            watch(machine, before, event, machine.state, actions)

    def _perform(self, machine: Machine, actions: tuple[Action, ...]) -> None:
        machine.performer.offer(actions)
        self._drain(machine)
        if machine.state is not None:
            wake_ms = max(next_wake(machine.state), self.now_ms + 1)
            self._at(wake_ms - self.now_ms, lambda: self._tick_if_due(machine))

    def _drain(self, machine: Machine) -> None:
        for action in machine.performer.take():
            self._do(machine, action)

    def _tick_if_due(self, machine: Machine) -> None:
        if machine.state is not None and machine.state.now_ms < self.now_ms:
            self._tick(machine)

    def _tick(self, machine: Machine) -> None:
        self._feed(machine, Tick(self.now_ms))

    def _do(self, machine: Machine, action: Action) -> None:
        match action:
            case SendBeat(beat=beat):
                other = self[machine.config.peer]
                for link in machine.config.links:
                    if (link, machine.name) not in self.cut:
                        self._at(LATENCY_MS, lambda link=link: self._feed(other, BeatHeard(self.now_ms, link, beat)))
            case StartTask(task=task):
                machine.live_tasks[task.id] = task
                incarnation = (machine.boot, machine.incarnation)
                self._at(_duration_ms(task), lambda: self._finish(machine, task, incarnation))
            case CancelTask(task_id=task_id):
                if machine.live_tasks.pop(task_id, None) is not None:
                    self._at(1, lambda: self._feed(machine, TaskDone(self.now_ms, task_id, TaskResult.CANCELLED)))
            case Persist(memory=memory):
                machine.memory = memory
                performer = machine.performer
                self._at(1, lambda: self._persisted(machine, performer))
            case Panic():
                self.power_loss(machine.name)
                self._at(2_000, lambda: self.boot(machine.name))
            case Leave():
                machine.state = None
            case Say():
                machine.said.append(action.sentence)
            case Answer():
                machine.answers.append(action)

    def _persisted(self, machine: Machine, performer: ActionQueue) -> None:
        if machine.state is None or machine.performer is not performer:
            return
        machine.performer.persist_done()
        self._drain(machine)
        self._feed(machine, PersistDone(self.now_ms))

    def _finish(self, machine: Machine, task: Task, incarnation: tuple[int, int]) -> None:
        if incarnation != (machine.boot, machine.incarnation) or machine.live_tasks.pop(task.id, None) is None:
            return
        if not machine.powered or machine.state is None:
            return
        result = machine.broken.get((task.kind, task.subject), TaskResult.OK)
        seen: ResourceStatus | None = None
        plug: PlugState | None = None
        if task.kind is TaskKind.START and result is TaskResult.OK:
            machine.running.add(task.subject)
            machine.started.append(task.subject)
        elif task.kind is TaskKind.STOP and result is TaskResult.OK:
            machine.running.discard(task.subject)
            machine.stopped.append(task.subject)
        elif task.kind in (TaskKind.PROBE, TaskKind.MONITOR):
            seen = ResourceStatus.RUNNING if task.subject in machine.running else ResourceStatus.STOPPED
            if task.subject in machine.running & machine.degraded:
                seen = ResourceStatus.DEGRADED
        elif task.kind in (TaskKind.POWER_OFF, TaskKind.POWER_ON, TaskKind.POWER_STATUS):
            result, plug = self._switch(task)
        self._feed(machine, TaskDone(self.now_ms, task.id, result, seen, plug))

    def _switch(self, task: Task) -> tuple[TaskResult, PlugState | None]:
        if not self.switch_works:
            return TaskResult.TIMED_OUT, None
        if self.switch_is_vague:
            return TaskResult.OK, PlugState.UNKNOWN
        if task.kind is TaskKind.POWER_OFF:
            self.fences += 1
            self.plugged[task.node] = False
            if not self.switch_lies:
                self.power_loss(task.node)
        elif task.kind is TaskKind.POWER_ON and not self.plugged[task.node]:
            self.plugged[task.node] = True
            if not self[task.node].powered:
                self.boot(task.node)
        return TaskResult.OK, PlugState.ON if self.plugged.get(task.node) else PlugState.OFF

    def _check(self) -> None:
        both = self["alpha"].running & self["beta"].running
        living = self["alpha"].powered and self["beta"].powered
        assert not (both and living), f"I1 at {self.now_ms} ms: {sorted(both)} run on both nodes"


def _duration_ms(task: Task) -> int:
    match task.kind:
        case TaskKind.START:
            return START_MS
        case TaskKind.STOP:
            return STOP_MS
        case TaskKind.POWER_OFF | TaskKind.POWER_ON | TaskKind.POWER_STATUS:
            return POWER_MS
        case _:
            return LOOK_MS
