"""Power as an operator orders it: off, on, reboot, a look at the devices, and the test of the plug (DESIGN.md §9).

Rules. One order at a time, about the peer alone. Going off is an ordinary fence with an operator for its reason; but
the peer may have been alive, and so an order counts as done, and gives a proof, only when the plug reads off and the
beats have stopped. Where they go on, what lost its power by mistake gets it back. A peer that was switched off by order
stays off. An order that fails is not repeated; a fence that has a reason of its own goes on.

What this file does not know: levels, back-off, and who takes over.
"""

from dataclasses import replace

from aoeha.core.fencing import devices, power_restore
from aoeha.core.model.actions import Answer, Level
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.events import CommandGiven, TaskDone
from aoeha.core.model.power_order import TAKING, OrderStage, PowerAct, PowerOrder
from aoeha.core.model.state import DeviceState, NodeState, phase_of
from aoeha.core.model.step_context import Turn
from aoeha.core.model.task import PlugState, Task, TaskKind, TaskResult
from aoeha.core.peer import membership

DONE, FAILED, TIMED_OUT = 0, 1, 124
DEFAULT_WAIT_MS = 180_000
REVIVE_PATIENCE_MS = 30_000
"""A gateway that is rebooted by order gets its power back when the groups run here, or after this long."""
ABOUT = "power"


def begin(turn: Turn, event: CommandGiven, act: PowerAct, *, level: int = 0, chosen: tuple[str, ...] = ()) -> None:
    """Take an order that was found to be sound. `chosen` are the devices of a TEST."""
    wanted = event.arguments.get("wait_ms", "")
    wait_ms = int(wanted) if wanted.isascii() and wanted.isdigit() and int(wanted) else DEFAULT_WAIT_MS
    stage = OrderStage.GOING_OFF if act in TAKING else OrderStage.READING
    anyway = bool(event.arguments.get("anyway"))
    until_ms = turn.now_ms + wait_ms
    turn.change(order=PowerOrder(act, stage, event.user, event.command_id, until_ms, anyway=anyway, level=level))
    if act is PowerAct.TEST:
        turn.say(Level.INFO, ABOUT, f"{event.user} tests {', '.join(chosen)}")
        for name in chosen:
            _start(turn, TaskKind.POWER_STATUS, name, _why(turn.state))
            _start(turn, TaskKind.POWER_STATUS, name, _why(turn.state), turn.state.config.node)
    else:
        turn.say(Level.WARNING, ABOUT, _why(turn.state))
    if act is PowerAct.ON:
        _switch_on(turn, [device.name for device in turn.state.devices])


def decide(turn: Turn) -> None:
    """Go on with what time and beats allow, and answer who has waited long enough."""
    order = turn.state.order
    if order is None:
        return
    if order.stage is OrderStage.OFF and _may_come_back(turn.state, order):
        _switch_on(turn, _own_devices(turn.state, order))
    order = turn.state.order
    if order is not None and order.command_id and turn.now_ms >= order.answer_by_ms:
        turn.do(Answer(order.command_id, TIMED_OUT, f"not done yet: {_why(turn.state)} ({order.stage.value})"))
        _change(turn, command_id=0)


def reason(state: NodeState) -> str:
    """Why the peer should lose its power by order, empty for no reason."""
    order = state.order
    return _why(state) if order is not None and is_going_off(state) and (order.anyway or not state.paused) else ""


def is_going_off(state: NodeState) -> bool:
    """Whether the fence that is under way is an order's: begun is finished, also when a pause comes."""
    return state.order is not None and state.order.stage is OrderStage.GOING_OFF


def first_level(state: NodeState) -> int:
    """The place in the rising levels with which a fence begins."""
    order = state.order
    return devices.levels(state).index(order.level) if order is not None and order.level else 0


def only_one_level(state: NodeState) -> bool:
    """Whether no other level may take its place: it is this one that is tried."""
    return state.order is not None and state.order.act is PowerAct.VERIFY


def doubt(state: NodeState, device: DeviceState) -> str:
    """Why a device's reading is no proof. The test of its plug is what a doubt is settled by."""
    return "" if only_one_level(state) else device.doubt


def wrong_plug(turn: Turn, sentence: str, read: list[str]) -> None:
    """The plugs read off and the peer runs on."""
    _change(turn, failed=sentence)
    _switch_on(turn, read)


def succeeded(turn: Turn, read: str) -> None:
    """The fence has its proof, of which `read` is the plugs' part."""
    order = turn.state.order
    if order is None or not is_going_off(turn.state):
        return
    peer = turn.state.config.peer
    found = f"{peer} is off: {read}, and nothing is heard of it"
    _change(turn, stage=OrderStage.OFF, off_since_ms=turn.now_ms, found=(found,))
    if order.act is PowerAct.OFF:
        sentence = f"{peer} was switched off by {order.user} and stays off. To undo: aoeha fence {peer} --on"
        turn.change(kept_off=True)
        power_restore.settle(turn, [device.name for device in turn.state.devices])
        turn.alarm(ABOUT, sentence)
        _end(turn)


def failed(turn: Turn, sentence: str) -> None:
    """The fence could not be carried out, or not to its end."""
    order = turn.state.order
    if order is None or not is_going_off(turn.state):
        return
    _change(turn, failed=sentence)
    if order.act is PowerAct.VERIFY:
        _switch_on(turn, _own_devices(turn.state, order))
    else:
        _end(turn)


def task_done(turn: Turn, task: Task, done: TaskDone) -> bool:
    """Take in the end of a task of an order's own; tells whether it was one."""
    order = turn.state.order
    if order is None or task.id not in dict(order.tasks):
        return False
    _change(turn, tasks=tuple(entry for entry in order.tasks if entry[0] != task.id))
    if task.kind is TaskKind.POWER_ON:
        _was_switched_on(turn, task, done)
    else:
        _was_read(turn, task, done)
    return True


def _was_switched_on(turn: Turn, task: Task, done: TaskDone) -> None:
    if done.result is not TaskResult.OK:
        _fail(turn, f"{task.subject} could not switch {task.node} on: {devices.why(done)}")
    order = turn.state.order
    if order is None or order.tasks:
        return
    _change(turn, stage=OrderStage.READING)
    for device in order.switched:
        _start(turn, TaskKind.POWER_STATUS, device, "reading back after switching on")


def _was_read(turn: Turn, task: Task, done: TaskDone) -> None:
    plug = done.plug if done.result is TaskResult.OK and done.plug is not None else PlugState.UNKNOWN
    state, order = turn.state, turn.state.order
    assert order is not None
    if task.node == state.config.peer:
        devices.take_reading(turn, task.subject, done)
    why = "" if plug in (PlugState.ON, PlugState.OFF) else f" ({devices.why(done)})"
    sentence = f"{task.subject} reads {task.node} as {plug.value}{why}"
    _change(turn, found=(*order.found, sentence))
    if plug is PlugState.UNKNOWN or (plug is PlugState.OFF and _should_be_on(state, task.node, order)):
        _fail(turn, sentence)
    order = turn.state.order
    if order is None or order.tasks:
        return
    if order.act is PowerAct.VERIFY and not order.failed:
        for device in order.switched:
            devices.trust_again(turn, device)
    _end(turn)


def _should_be_on(state: NodeState, node: str, order: PowerOrder) -> bool:
    """Whether a reading of off is wrong: the gateway runs, or was just switched on."""
    return order.act is not PowerAct.TEST or node == state.config.node or membership.is_alive(state)


def _may_come_back(state: NodeState, order: PowerOrder) -> bool:
    if order.act is PowerAct.VERIFY or state.now_ms - order.off_since_ms >= REVIVE_PATIENCE_MS:
        return True
    held = [group for group in state.groups if group.holding]
    return bool(held) and all(phase_of(group) is GroupPhase.RUNNING for group in held)


def _switch_on(turn: Turn, names: list[str]) -> None:
    """Give power back. From now on its being off is no longer known."""
    turn.change_fence(off_boot_id=None)
    turn.change(kept_off=False)
    if not membership.is_alive(turn.state):
        turn.change(revived_ms=turn.now_ms)
    turn.clear_alarm(ABOUT, f"{turn.state.config.peer} gets its power back")
    _change(turn, stage=OrderStage.GOING_ON, switched=tuple(names))
    power_restore.settle(turn, names)
    for name in names:
        _start(turn, TaskKind.POWER_ON, name, _why(turn.state))


def _own_devices(state: NodeState, order: PowerOrder) -> list[str]:
    """The devices that an order may have switched off."""
    return [
        device.name
        for device in state.devices
        if not order.level or devices.settings(state, device.name).level == order.level
    ]


def _end(turn: Turn) -> None:
    """Forget the order, and answer who waits for it."""
    order, peer = turn.state.order, turn.state.config.peer
    assert order is not None
    turn.change(order=None)
    found = "; ".join(order.found)
    match order.act:
        case PowerAct.TEST if order.failed:
            sentence = f"not every plug is as it should be: {found}"
        case _ if order.failed:
            sentence = f"{order.act.value} of {peer} failed: {order.failed}" + (f"; now {found}" if found else "")
        case PowerAct.OFF:
            sentence = f"{found}. It stays off. To undo: aoeha fence {peer} --on"
        case PowerAct.VERIFY:
            sentence = f"the plug is that of {peer}: {found}; it boots"
        case _:
            sentence = found
    turn.say(Level.WARNING if order.failed else Level.INFO, ABOUT, sentence)
    if order.command_id:
        turn.do(Answer(order.command_id, FAILED if order.failed else DONE, sentence))


def _why(state: NodeState) -> str:
    order, peer = state.order, state.config.peer
    if order is None:
        return ""
    words = {
        PowerAct.OFF: f"switches {peer} off",
        PowerAct.ON: f"switches {peer} on",
        PowerAct.REBOOT: f"switches {peer} off and on",
        PowerAct.VERIFY: f"tests the plug of {peer}: off, and on again",
        PowerAct.TEST: "tests the fence devices",
    }
    return f"{order.user} {words[order.act]}"


def _fail(turn: Turn, sentence: str) -> None:
    """Keep the first thing that went wrong."""
    if turn.state.order is not None and not turn.state.order.failed:
        _change(turn, failed=sentence)


def _start(turn: Turn, kind: TaskKind, device: str, why: str, node: str = "") -> None:
    assert turn.state.order is not None
    task_id = devices.start(turn, kind, device, why, node)
    _change(turn, tasks=(*turn.state.order.tasks, (task_id, device)))


def _change(turn: Turn, **fields: object) -> None:
    assert turn.state.order is not None
    turn.change(order=replace(turn.state.order, **fields))  # type: ignore[arg-type]
