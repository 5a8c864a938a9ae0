"""One gateway of the exhaustive search: kernel, daemon, disk and storage, as one value; and its possible events.

The core is the product's, `initial` and `step`, and so is the ActionQueue. The world around it is the simplest one that
is never kinder than the real one. Storage counts as started from the moment its start is asked for until its stop has
succeeded, or its kernel is gone.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from aoeha.core.action_queue import ActionQueue
from aoeha.core.model.actions import Action, CancelTask, Leave, Panic, Persist, SendBeat, StartTask
from aoeha.core.model.beat import Beat
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import BeatHeard, CommandGiven, Event, MirrorsChanged, PersistDone, TaskDone, Tick
from aoeha.core.model.memory import Memory
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import PlugState, ResourceStatus, TaskKind, TaskResult
from aoeha.core.step import initial, step
from aoeha.core.storage.storage_fence import STANDS_MS
from aoeha.sim.exhaust.canonical import beat_as_heard, canonical, canonical_beat, canonical_memory, config, is_mirrored
from aoeha.sim.exhaust.canonical_ledger import FORGOTTEN, KEPT, Aging, aging, awaits_answer
from aoeha.sim.exhaust.canonical_legs import NOW_MS, TICK_MS
from aoeha.sim.exhaust.shelves import LEGS, MIRROR_KINDS, NODES, SILENCE, Answer, canonical_task, told
from aoeha.sim.exhaust.unworded import UNWORDED_PANIC

__all__ = ["NODES", "Gateway", "Happening", "Outcome", "Power", "happen"]

EDITED_TAG = 1
STEPS_MAX = 16
"""At most this many steps may follow one event at once; more means that the core loops."""


class Power(Enum):
    """What a gateway's machine does. DOWN: its kernel is gone but its plug is on. PAUSED: time passes without it."""

    ON = "on"
    PAUSED = "paused"
    DOWN = "down"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway. `state` is None while no daemon runs.

    `persisting` is what is being written to disk, `memory` what lies there; `held_back` waits for the disk.
    `cancelled` are tasks whose end is due. `storage` is the truth that the oracle knows; `last_epoch` the highest
    epoch that this gateway ever owned. `reserved`: its group has legs, `mirrored`: which are halves of a mirror; `had`
    tells of each in which ownership it was last seen to be held. Of its shelf tasks the `slow` ones wait longer than
    they must, and the `late` ones are done without its having heard the answer. `edited`: its file names a leg less
    than the one that both had at first.
    """

    name: str
    reserved: bool = False
    mirrored: bool = False
    power: Power = Power.DOWN
    boot: int = 0
    incarnation: int = 0
    state: NodeState | None = None
    persisting: Memory | None = None
    memory: Memory | None = None
    held_back: tuple[Action, ...] = ()
    cancelled: tuple[int, ...] = ()
    storage: bool = False
    last_epoch: int = 0
    late: tuple[tuple[int, Answer], ...] = ()
    slow: tuple[int, ...] = ()
    had: tuple[int, ...] = (0,) * len(LEGS)
    edited: bool = False

    @property
    def boot_id(self) -> str:
        """The kernel's boot id."""
        return f"{self.name}-{self.boot}"

    @property
    def hears(self) -> bool:
        """Whether beats reach a daemon here."""
        return self.power is Power.ON and self.state is not None

    @property
    def holding(self) -> bool:
        """Whether a daemon here believes that it owns the group."""
        return self.state is not None and self.state.groups[0].holding


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of one gateway. Which fields count depends on `kind`; `label` is for people."""

    kind: str
    label: str
    task_id: int = 0
    result: TaskResult = TaskResult.OK
    plug: PlugState | None = None
    beat: Beat | None = None
    overtaken: bool = False
    storage: bool = False
    answer: Answer = SILENCE
    aging: Aging = KEPT


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it: the gateway, the beats that left it, what it did to its peer's plug, and what it broke.

    `aging`: how the numbers that it gave out before are read from now on; not those of `beats`.
    """

    gateway: Gateway
    beats: tuple[Beat, ...] = ()
    plug: str = ""
    aging: Aging = KEPT
    violation: str = ""
    steps: tuple[tuple[NodeState | None, NodeState], ...] = ()


def happen(gateway: Gateway, what: Happening) -> Outcome:
    """Apply an event to a gateway, with everything that follows from it at once: writes and mere readings.

    A crash before something is on disk is the crash before the event that wanted it there. Whether a resource could be
    started here, and a routine reading of a fence device, are answered at once with yes and on.
    """
    outcome = _happen(gateway, what)
    while (at_once := _at_once(outcome.gateway)) is not None:
        if len(outcome.steps) > STEPS_MAX:
            return replace(outcome, violation=f"{gateway.name} acts on and on without anything happening to it")
        then = _live(outcome.gateway, at_once)
        outcome = Outcome(
            then.gateway,
            tuple(then.aging.of_own(beat) for beat in outcome.beats) + then.beats,
            outcome.plug or then.plug,
            outcome.aging.then(then.aging),
            outcome.violation or then.violation,
            outcome.steps + then.steps,
        )
    return outcome


def _at_once(gateway: Gateway) -> Happening | None:
    """The task that ends at once on this gateway, None if none does."""
    state = gateway.state
    if state is None or gateway.power is not Power.ON:
        return None
    if gateway.persisting is not None:
        return Happening("persisted", "")
    readings = {device.task_id for device in state.devices}
    for task in state.tasks:
        if task.id in gateway.cancelled:
            continue
        if task.kind is TaskKind.VALIDATE:
            return Happening("task", "", task.id)
        if task.id in readings:
            return Happening("task", "", task.id, plug=PlugState.ON)
    return None


def _happen(gateway: Gateway, what: Happening) -> Outcome:
    match what.kind:
        case "boot":
            booted = replace(gateway, power=Power.ON, boot=gateway.boot + 1, incarnation=0)
            return _start_daemon(booted)
        case "start":
            return _start_daemon(gateway)
        case "kill":
            return Outcome(replace(_dead(gateway), storage=what.storage))
        case "crash":
            return Outcome(_fallen(gateway, Power.DOWN))
        case "off":
            return Outcome(_fallen(gateway, Power.OFF))
        case "forget":
            # No node remembers what no disk saved: an epoch of its own may come again.
            return Outcome(replace(gateway, memory=None, last_epoch=0))
        case "edit":
            return Outcome(replace(gateway, edited=not gateway.edited))
        case "on":
            return Outcome(replace(gateway, power=Power.DOWN))
        case "pause":
            return Outcome(replace(gateway, power=Power.PAUSED))
        case "slow":
            return Outcome(replace(gateway, slow=(*gateway.slow, what.task_id)))
        case "late":
            return Outcome(
                replace(
                    gateway, late=(*gateway.late, (what.task_id, what.answer)), slow=_not(what.task_id, gateway.slow)
                )
            )
        case "peer ages":
            assert gateway.state is not None
            held_back = tuple(
                SendBeat(what.aging.of_peers(one.beat)) if isinstance(one, SendBeat) else one
                for one in gateway.held_back
            )
            return Outcome(replace(gateway, state=what.aging.of_peer(gateway.state), held_back=held_back))
        case _:
            return _live(gateway, what)


def _live(gateway: Gateway, what: Happening) -> Outcome:
    """Apply an event to a gateway whose daemon runs."""
    state = gateway.state
    assert state is not None
    match what.kind:
        case "tick":
            return _feed(gateway, Tick(NOW_MS + TICK_MS))
        case "moment":
            return _feed(gateway, Tick(NOW_MS + STANDS_MS))
        case "wake":
            return _feed(replace(gateway, power=Power.ON), Tick(NOW_MS + state.config.deadtime_ms), woke=True)
        case "thaw":
            return _feed(replace(gateway, power=Power.ON), Tick(NOW_MS))
        case "mirror":
            return _feed(gateway, MirrorsChanged(NOW_MS))
        case "beat":
            assert what.beat is not None
            return _feed(gateway, BeatHeard(NOW_MS, "link", beat_as_heard(what.beat, overtaken=what.overtaken)))
        case "persisted":
            written = replace(gateway, memory=gateway.persisting)
            return _feed(written, PersistDone(NOW_MS), persisted=True)
        case "task":
            return _end_task(gateway, state, what)
        case verb:
            peer = NODES[1 - NODES.index(gateway.name)]
            arguments = {"node": peer if verb == "confirm" else gateway.name}
            return _feed(gateway, CommandGiven(NOW_MS, 1, verb, "root", arguments))


def _end_task(gateway: Gateway, state: NodeState, what: Happening) -> Outcome:
    task = next(task for task in state.tasks if task.id == what.task_id)
    answer, result = what.answer, what.result
    seen = answer.status
    if gateway.mirrored and task.kind in MIRROR_KINDS and result is TaskResult.OK:
        result = answer.result
        gateway = replace(gateway, storage=gateway.storage and seen is not ResourceStatus.STOPPED)
    elif task.kind in (TaskKind.PROBE, TaskKind.MONITOR):
        seen = ResourceStatus.RUNNING if gateway.storage else ResourceStatus.STOPPED
    if task.kind is TaskKind.STOP and what.result is TaskResult.OK:
        gateway = replace(gateway, storage=False)
    gateway = replace(
        gateway,
        cancelled=_not(task.id, gateway.cancelled),
        late=tuple(one for one in gateway.late if one[0] != task.id),
        slow=_not(task.id, gateway.slow),
    )
    done = TaskDone(NOW_MS, task.id, result, outcome=told(task, answer, seen, what.plug))
    outcome = _feed(_having(gateway, state, answer), done)
    effect = what.storage or what.result is TaskResult.OK
    plug = {TaskKind.POWER_OFF: "off", TaskKind.POWER_ON: "on"}.get(task.kind, "") if effect else ""
    return replace(outcome, plug=plug)


def _not(task_id: int, tasks: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(one for one in tasks if one != task_id)


def _having(gateway: Gateway, state: NodeState, answer: Answer) -> Gateway:
    """The gateway with what it was told that it holds, in an ownership, noted."""
    held_epoch = state.groups[0].held_epoch
    ours = {hold.leg for hold in answer.holds if hold.holder is Holder.US and held_epoch}
    return replace(
        gateway,
        had=tuple(held_epoch if leg.name in ours else had for leg, had in zip(LEGS, gateway.had, strict=True)),
    )


def _dead(gateway: Gateway) -> Gateway:
    """The gateway without its daemon; what was being written to disk is lost."""
    return replace(gateway, state=None, persisting=None, held_back=(), cancelled=(), late=(), slow=())


def _fallen(gateway: Gateway, power: Power) -> Gateway:
    """The gateway without its kernel."""
    return replace(_dead(gateway), power=power, storage=False, had=(0,) * len(LEGS))


def _config(gateway: Gateway) -> PairConfig:
    peer = NODES[1 - NODES.index(gateway.name)]
    made = config(gateway.name, peer, reserved=gateway.reserved, mirrored=gateway.mirrored)
    if not gateway.edited:
        return made
    (group,) = made.groups
    return replace(made, config_tag=EDITED_TAG, groups=(replace(group, legs=group.legs[:1]),))


def _start_daemon(gateway: Gateway) -> Outcome:
    incarnation = gateway.incarnation + 1
    identity = Identity(gateway.boot_id, incarnation)
    state, actions = initial(_config(gateway), identity, gateway.memory, NOW_MS)
    started = replace(gateway, incarnation=incarnation, state=state)
    return _perform(started, None, state, actions, swore=state.revalidating)


def _feed(gateway: Gateway, event: Event, *, persisted: bool = False, woke: bool = False) -> Outcome:
    before = gateway.state
    assert before is not None
    try:
        after, actions = step(before, event)
    except AssertionError as error:
        return Outcome(gateway, violation=f"the core's own assertion: {error}")
    swore = awaits_answer(after) and (woke or not awaits_answer(before))
    return _perform(replace(gateway, state=after), before, after, actions, persisted=persisted, swore=swore)


def _perform(
    gateway: Gateway,
    before: NodeState | None,
    after: NodeState,
    actions: tuple[Action, ...],
    *,
    persisted: bool = False,
    swore: bool,
) -> Outcome:
    """Do what the core asked for, as far as the disk allows, and make the result canonical."""
    aged = aging(before, after) if is_mirrored(after) else FORGOTTEN if swore else KEPT
    actions = tuple(_travelling(action, after) for action in actions if isinstance(action, MATERIAL))
    performer = ActionQueue()
    if gateway.persisting is not None:
        performer.offer((Persist(gateway.persisting),))
        performer.take()
    held = (SendBeat(aged.of_own(one.beat)) if isinstance(one, SendBeat) else one for one in gateway.held_back)
    waiting = (*held, *actions)
    performer.offer(waiting)
    ready: list[Action] = []
    if persisted:
        performer.persist_done()
        gateway = replace(gateway, persisting=None)
    ready.extend(performer.take())
    held_back = waiting[len(ready) :]
    assert tuple(ready) == waiting[: len(ready)], "without sentences a Performer keeps the order"
    world = _World(replace(gateway, held_back=held_back))
    for action in ready:
        world.do(action)
    done = world.gateway
    if done.state is not None:
        done = _numbered(done, canonical(done.state))
    owned = after.groups[0].held_epoch
    violation = world.violation or _unproven(after)
    if owned and (before is None or before.groups[0].held_epoch != owned):
        if before is not None and owned <= gateway.last_epoch:
            violation = violation or f"epoch {owned} is owned a second time by {gateway.name}"
        done = replace(done, last_epoch=max(owned, done.last_epoch))
    if done.state is not None and any(epoch not in (0, owned) for epoch in done.had):
        done = replace(done, had=tuple(epoch if epoch == owned else 0 for epoch in done.had))
    return Outcome(done, tuple(world.beats), aging=aged, violation=violation, steps=((before, after),))


MATERIAL = (SendBeat, StartTask, CancelTask, Persist, Panic, Leave)
"""The actions that change the world; sentences and answers do not."""


class _World:
    """Performs actions on one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.beats: list[Beat] = []
        self.violation = ""

    def do(self, action: Action) -> None:
        gateway = self.gateway
        if gateway.state is None:
            return
        match action:
            case SendBeat(beat=beat):
                self.violation = self.violation or _untrue(gateway, beat)
                self.beats.append(beat)
            case StartTask(task=task) if task.kind is TaskKind.START:
                self.gateway = replace(gateway, storage=True)
            case CancelTask(task_id=task_id):
                self.gateway = replace(gateway, cancelled=(*gateway.cancelled, task_id))
            case Persist(memory=memory):
                self.gateway = replace(gateway, persisting=memory)
            case Panic():
                self.gateway = _fallen(gateway, Power.DOWN)
            case Leave():
                self.gateway = _dead(gateway)
            case _:
                pass


def _travelling(action: Action, after: NodeState) -> Action:
    """Remove from an action what the canonical world does not know."""
    match action:
        case SendBeat(beat=beat):
            return SendBeat(canonical_beat(beat, after))
        case Persist(memory=memory):
            return Persist(canonical_memory(memory))
        case StartTask(task=task):
            return StartTask(canonical_task(task))
        case Panic():
            return Panic(UNWORDED_PANIC)
        case _:
            return action


def _numbered(gateway: Gateway, state: NodeState) -> Gateway:
    """Put the canonical state in, and its numbers of tasks wherever else they are used."""
    assert gateway.state is not None
    number = {task.id: index for index, task in enumerate(gateway.state.tasks, start=1)}

    def renumbered(action: Action) -> Any:
        match action:
            case StartTask(task=task):
                return StartTask(replace(task, id=number.get(task.id, 0)))
            case CancelTask(task_id=task_id):
                return CancelTask(number.get(task_id, 0))
            case _:
                return action

    return replace(
        gateway,
        state=state,
        held_back=tuple(renumbered(action) for action in gateway.held_back),
        cancelled=tuple(number[task_id] for task_id in gateway.cancelled if task_id in number),
        late=tuple((number[task_id], answer) for task_id, answer in gateway.late if task_id in number),
        slow=tuple(number[task_id] for task_id in gateway.slow if task_id in number),
    )


def _untrue(gateway: Gateway, beat: Beat) -> str:
    """I4, and what a beat promises: no node says that storage is stopped, granted or left while it may write."""
    group = beat.groups[0]
    if not gateway.storage:
        return ""
    if group.grant is not None:
        return f"I4: {gateway.name} grants while its storage is started"
    if beat.flags & beat.flags.LEAVING:
        return f"I4: {gateway.name} says that it leaves while its storage is started"
    if beat.flags & beat.flags.PROBED and group.phase.value == "stopped":
        return f"I4: {gateway.name} says that storage is stopped while it is started"
    return ""


def _unproven(state: NodeState) -> str:
    """A holder has a proof for this group and this epoch, and is not bound by a promise at or above it."""
    group, node = state.groups[0], state.config.node
    if not group.held_epoch:
        return ""
    proof = group.proof
    if proof is None or proof.group != group.config.name or proof.epoch != group.held_epoch:
        return f"I1: {node} owns epoch {group.held_epoch} by {proof}"
    if group.claim_floor >= group.held_epoch and group.grant is not None:
        return f"I1: {node} owns epoch {group.held_epoch} and has granted {group.grant.epoch}"
    return ""
