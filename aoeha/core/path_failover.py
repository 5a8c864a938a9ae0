"""A path to a leg that falls silent is left soon, while the leg answers by another one (R5).

Facts about the Linux driver (rexmit_timer in drivers/block/aoe/aoecmd.c; measured, docs/fencing.md). Each timer tick,
0.1 s, it looks at how long each frame waits, in whole seconds, and holds that against `aoe_deadsecs` as it is then. One
that waited longer than min(deadsecs / addresses of its leg, 10) on one path leaves that path, for good; one that
waited longer than deadsecs altogether costs the whole leg. With the hour that R5 needs, writes wait 11 s at the loss of
one of two paths. So deadsecs is 7 for half a second: with two addresses a path is left after 4 s there, a leg is given
up after 8 s; with three after 3 s, with four after 2 s, and 8 s again.

Rules. The owner orders that once for each silence, when the first frames that met it can have waited so long, and only
while nothing on this machine can have waited close to 8 s: every address of every leg of every group here is seen to be
ours, but for those of this silence, each leg by one address at least, at the newest look, which is a fresh one. For
else the driver would give up a leg past the gate of the ledger. No frame has waited at a silent address since before
the last look that it answered; what waits elsewhere came after the newest look, or is on a disk that hangs. So the
order is void 2 s before that comes to 8 s: 1.5 s are left when deadsecs has been written back. In
that time a machine would have to stand still before the driver's next tick, with which the frame leaves the path and is
answered at the other one. Found too late, nothing is done: the driver leaves the path by itself, after 11 s.

What this file does not know: how a driver is told.
"""

from aoeha.core.actions import Level, StartTask
from aoeha.core.events import TaskDone
from aoeha.core.legs import AddressState, LegState
from aoeha.core.replacing import replaced
from aoeha.core.state import GroupState, NodeState, ResourcePhase, ResourceState, phase_of
from aoeha.core.turn import Turn
from aoeha.core.types import GroupPhase, Holder, Hurry, Task, TaskKind, TaskResult

DEADSECS = 7
GIVEN_UP_MS = (DEADSECS + 1) * 1_000
"""A frame that has waited so long while that is set costs its leg."""
LOW_FOR_MS = 500
MARGIN_MS = 2_000
"""Between the latest moment to begin, and the one at which the oldest frame would have waited `GIVEN_UP_MS`."""
DEADLINE_MS = 2_000
UP = (ResourcePhase.RUNNING, ResourcePhase.DEGRADED)


def decide(turn: Turn) -> None:
    """Let the driver of a group leave a path whose silence is ripe; one at a time on this machine."""
    for name in [group.name for group in turn.state.groups if any(_silent(leg) for leg in group.legs)]:
        group = turn.state.group(name)
        driver, ripe = _driver(group), _ripe(turn.state, group)
        begin_by_ms = _begin_by_ms(turn.state)
        if driver is not None and ripe and turn.now_ms <= begin_by_ms and not _under_way(turn.state):
            _order(turn, group, driver, ripe, begin_by_ms)


def task_done(turn: Turn, task: Task, done: TaskDone) -> None:
    """Say what went wrong. The driver is looked at anew, which gives it back what it should have."""
    if done.result is TaskResult.OK:
        return
    why = done.detail or f"{task.subject}: {done.result.value}"
    legs = " and ".join(task.legs)
    turn.say(Level.WARNING, task.legs[0], f"writes wait up to 12 s for the silent path to {legs}: {why}")
    for resource in turn.state.group(task.group).resources:
        if resource.config.name == task.subject and resource.phase in UP and not resource.task_id:
            due_ms = turn.now_ms - resource.config.monitor_every_ms
            turn.change_resource(task.group, task.subject, checked_ms=due_ms)


def next_wakes_ms(state: NodeState) -> tuple[int, ...]:
    """When silences get ripe."""
    return tuple(
        _ripe_ms(leg, address)
        for group in state.groups
        if group.holding
        for leg in group.legs
        for address in _silent(leg)
        if not address.hurried
    )


def _silent(leg: LegState) -> tuple[AddressState, ...]:
    """The silent addresses of a leg that has others."""
    if len(leg.addresses) == 1:
        return ()
    return tuple(address for address in leg.addresses if address.holder is Holder.SILENT)


def _ripe(state: NodeState, group: GroupState) -> list[tuple[str, str]]:
    """The addresses, leg first, where what was sent into the silence has waited long enough, and nobody acted yet."""
    return [
        (leg.name, address.name)
        for leg in group.legs
        for address in _silent(leg)
        if not address.hurried and state.now_ms >= _ripe_ms(leg, address)
    ]


def _ripe_ms(leg: LegState, address: AddressState) -> int:
    return address.since_ms + (DEADSECS // len(leg.addresses) + 1) * 1_000


def _begin_by_ms(state: NodeState) -> int:
    """Until when no frame of this machine can have waited too long; 0 when that cannot be told."""
    if state.panicking or state.oath_pending or state.paused or state.leaving:
        return 0
    here = [group for group in state.groups if group.holding or phase_of(group) is not GroupPhase.STOPPED]
    legs = [leg for group in here for leg in group.legs]
    if not all(_is_calm(state, group) for group in here if group.legs):
        return 0
    waits_since_ms = min((address.answered_ms for leg in legs for address in _silent(leg)), default=0)
    return waits_since_ms + GIVEN_UP_MS - LOW_FOR_MS - MARGIN_MS


def _is_calm(state: NodeState, group: GroupState) -> bool:
    """Whether a group is ours without a doubt, and every leg of it answers as it should by one address at least."""
    if not group.holding or group.unsure or group.blind or group.yielding or group.leg_task_id:
        return False
    return _looked_just_now(state, group) and all(_answers_us(leg) for leg in group.legs)


def _answers_us(leg: LegState) -> bool:
    known = all(address.holder in (Holder.US, Holder.SILENT) for address in leg.addresses)
    return known and leg.shows_anywhere(Holder.US) and not leg.leaving and not leg.strays


def _looked_just_now(state: NodeState, group: GroupState) -> bool:
    """Whether the newest complete answer is no older than two looks, and the last of them may take."""
    patience_ms = 2 * state.config.hold_every_ms + state.config.shelf_timeout_ms
    return group.shelf_read_ms is not None and state.now_ms - group.shelf_read_ms <= patience_ms


def _under_way(state: NodeState) -> bool:
    return any(task.kind is TaskKind.LEAVE_PATH for task in state.tasks)


def _order(turn: Turn, group: GroupState, driver: ResourceState, ripe: list[tuple[str, str]], begin_by_ms: int) -> None:
    legs = tuple(replaced(leg, addresses=_marked(leg, ripe)) for leg in group.legs)
    turn.change_group(group.name, legs=legs)
    names = tuple(dict.fromkeys(leg for leg, _ in ripe))
    where = ", ".join(f"{leg} at {address}" for leg, address in ripe)
    reason = f"{driver.config.name} goes on without {where}: there is another path"
    turn.say(Level.INFO, names[0], reason)
    hurry = Hurry(DEADSECS, LOW_FOR_MS, begin_by_ms)
    number, subject = turn.state.next_task_id, driver.config.name
    task = Task(number, TaskKind.LEAVE_PATH, group.name, subject, "", DEADLINE_MS, reason, legs=names, hurry=hurry)
    turn.change(tasks=(*turn.state.tasks, task), next_task_id=number + 1)
    turn.do(StartTask(task))


def _marked(leg: LegState, ripe: list[tuple[str, str]]) -> tuple[AddressState, ...]:
    return tuple(
        replaced(address, hurried=True) if (leg.name, address.name) in ripe else address for address in leg.addresses
    )


def _driver(group: GroupState) -> ResourceState | None:
    """What loads the driver, where it works."""
    return next((one for one in group.resources if one.config.driver and one.phase in UP), None)
