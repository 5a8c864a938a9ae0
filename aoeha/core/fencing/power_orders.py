"""Power orders of an operator: off, on, reboot, status of the devices, and the test of the plug (R8).

Rules. One order at a time, about the peer alone. A power-off is an ordinary fence with an operator's order as its
reason. But the peer may have been alive. So an order is complete, and gives a proof, only when the plug reports off and
the beats have stopped. If the beats continue, the outlets that were switched off by mistake are switched on again. A
peer that was switched off by order stays off. An order that fails is not repeated; a fence that has a reason of its own
continues.

What this file does not know: levels, back-off, and which node takes over.
"""

from aoeha.core.fencing import devices, power_restore
from aoeha.core.model import law
from aoeha.core.model.actions import Answer
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import CommandGiven, TaskDone
from aoeha.core.model.exits import Exit
from aoeha.core.model.fence import DeviceState
from aoeha.core.model.law import Act
from aoeha.core.model.power_order import TAKING, OrderStage, PowerAct, PowerOrder
from aoeha.core.model.state import NodeState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import PlugState, PowerPurpose, PowerTask, TaskKind, TaskResult
from aoeha.core.peer import membership

DEFAULT_WAIT_MS = 180_000
REVIVE_PATIENCE_MS = 30_000
"""The power of a node that is rebooted by order is restored when the groups run here, or after this long."""


def begin(
    step: StepContext, event: CommandGiven, act: PowerAct, *, level: int = 0, chosen: tuple[str, ...] = ()
) -> None:
    """Accept an order that passed every check. `chosen` are the devices of a TEST."""
    wanted = event.arguments.get("wait_ms", "")
    wait_ms = int(wanted) if wanted.isascii() and wanted.isdigit() and int(wanted) else DEFAULT_WAIT_MS
    stage = OrderStage.GOING_OFF if act in TAKING else OrderStage.READING
    anyway = bool(event.arguments.get("anyway"))
    until_ms = step.now_ms + wait_ms
    step.change(order=PowerOrder(act, stage, event.user, event.command_id, until_ms, anyway=anyway, level=level))
    if act is PowerAct.TEST:
        for name in chosen:
            step.say(Code.ORDER_TESTING, Subject.device(name), f"{event.user} tests fence device {name}")
        for name in chosen:
            _start(step, TaskKind.POWER_STATUS, name, _why(step.state))
            if devices.settings(step.state, name).feeds_own:
                _start(step, TaskKind.POWER_STATUS, name, _why(step.state), step.state.config.node)
    else:
        step.say(Code.ORDER_BEGUN, Subject.node(step.state.config.peer), _why(step.state))
    if act is PowerAct.ON:
        _switch_on(step, [device.name for device in step.state.devices])


def decide(step: StepContext) -> None:
    """Advance the order as time and beats allow, and answer a client that has waited long enough."""
    if step.state.alarms and not step.state.kept_off:
        peer = step.state.config.peer
        step.clear_alarm(Code.PEER_SWITCHED_OFF, Subject.node(peer), f"{peer} may have its power back")
    order = step.state.order
    if order is None:
        return
    if order.stage is OrderStage.OFF and _may_come_back(step.state, order):
        _switch_on(step, _own_devices(step.state, order))
    order = step.state.order
    if order is not None and order.command_id and step.now_ms >= order.answer_by_ms:
        sentence = f"not done yet: {_why(step.state)} ({order.stage.value})"
        step.do(Answer(order.command_id, Exit.TIMED_OUT, Code.COMMAND_TIMED_OUT, sentence))
        step.change_order(command_id=0)


def reason(state: NodeState) -> str:
    """Why the peer should lose its power by order; empty for no reason."""
    order = state.order
    held_up = law.stops(state, Act.POWER_OFF) is not None
    return _why(state) if order is not None and is_going_off(state) and (order.anyway or not held_up) else ""


def is_going_off(state: NodeState) -> bool:
    """Whether the fence that is under way carries out an order. Such a fence is finished even if a pause begins."""
    return state.order is not None and state.order.stage is OrderStage.GOING_OFF


def first_level(state: NodeState) -> int:
    """The index of the level with which a fence begins; levels are in rising order."""
    order = state.order
    return devices.levels(state).index(order.level) if order is not None and order.level else 0


def only_one_level(state: NodeState) -> bool:
    """Whether only this level may be used: the order tests it."""
    return state.order is not None and state.order.act is PowerAct.VERIFY


def doubt(state: NodeState, device: DeviceState) -> str:
    """Why a device's report is no proof. The test of its plug settles such a doubt."""
    return "" if only_one_level(state) else device.doubt


def wrong_plug(step: StepContext, sentence: str, read: list[str]) -> None:
    """The plugs report off and the peer keeps running."""
    step.change_order(failed=sentence)
    _switch_on(step, read)


def succeeded(step: StepContext, read: str) -> None:
    """The fence has its proof. `read` is what the plugs reported."""
    order = step.state.order
    if order is None or not is_going_off(step.state):
        return
    peer = step.state.config.peer
    found = f"{peer} is off: {read}, and nothing is heard of it"
    step.change_order(stage=OrderStage.OFF, off_since_ms=step.now_ms, found=(found,))
    if order.act is PowerAct.OFF:
        sentence = f"{peer} was switched off by {order.user} and stays off. To undo: aoeha fence {peer} --on"
        step.change(kept_off=True)
        power_restore.settle(step, [device.name for device in step.state.devices])
        step.alarm(Code.PEER_SWITCHED_OFF, Subject.node(peer), sentence)
        _end(step)


def failed(step: StepContext, sentence: str) -> None:
    """The fence could not be begun, or could not be completed."""
    order = step.state.order
    if order is None or not is_going_off(step.state):
        return
    step.change_order(failed=sentence)
    if order.act is PowerAct.VERIFY:
        _switch_on(step, _own_devices(step.state, order))
    else:
        _end(step)


def task_done(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    """Process the end of an order's task. A task of an order that is over counts for nothing."""
    order = step.state.order
    if order is None or task.id not in dict(order.tasks):
        return
    step.change_order(tasks=tuple(entry for entry in order.tasks if entry[0] != task.id))
    if task.kind is TaskKind.POWER_ON:
        _was_switched_on(step, task, done)
    else:
        _was_read(step, task, done)


def _was_switched_on(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    if done.result is not TaskResult.OK:
        _fail(step, f"{task.subject} could not switch {task.node} on: {devices.why(done)}")
        power_restore.expect_restore(step, task.subject)
        power_restore.failed(step, task.subject, done)
    order = step.state.order
    if order is None or order.tasks:
        return
    step.change_order(stage=OrderStage.READING)
    for device in order.switched:
        _start(step, TaskKind.POWER_STATUS, device, "reading back after switching on")


def _was_read(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    plug = devices.read_plug(done)
    state, order = step.state, step.state.order
    assert order is not None
    if task.node == state.config.peer:
        devices.take_reading(step, task.subject, done)
    why = "" if plug in (PlugState.ON, PlugState.OFF) else f" ({devices.why(done)})"
    sentence = f"{task.subject} reports {task.node} as {plug.value}{why}"
    step.change_order(found=(*order.found, sentence))
    if plug is PlugState.UNKNOWN or (plug is PlugState.OFF and _should_be_on(state, task.node, order)):
        _fail(step, sentence)
    order = step.state.order
    if order is None or order.tasks:
        return
    if order.act is PowerAct.VERIFY and not order.failed:
        for device in order.switched:
            devices.trust_again(step, device)
    _end(step)


def _should_be_on(state: NodeState, node: str, order: PowerOrder) -> bool:
    """Whether a report of off is wrong: the node runs, or was just switched on."""
    return order.act is not PowerAct.TEST or node == state.config.node or membership.is_alive(state)


def _may_come_back(state: NodeState, order: PowerOrder) -> bool:
    if order.act is PowerAct.VERIFY or state.now_ms - order.off_since_ms >= REVIVE_PATIENCE_MS:
        return True
    held = [group for group in state.groups if group.holding]
    return bool(held) and all(phase_of(group) is GroupPhase.RUNNING for group in held)


def _switch_on(step: StepContext, names: list[str]) -> None:
    """Restore power. From now on the peer is no longer known to be off."""
    step.change_fence(off_boot_id=None)
    step.change(kept_off=False)
    if not membership.is_alive(step.state):
        step.change(powered_on_ms=step.now_ms)
    step.change_order(stage=OrderStage.GOING_ON, switched=tuple(names))
    power_restore.settle(step, names)
    for name in names:
        _start(step, TaskKind.POWER_ON, name, _why(step.state))


def _own_devices(state: NodeState, order: PowerOrder) -> list[str]:
    """The devices that an order may have switched off."""
    return [
        device.name
        for device in state.devices
        if not order.level or devices.settings(state, device.name).level == order.level
    ]


def _end(step: StepContext) -> None:
    """Forget the order, and answer the client that waits for it."""
    order, peer = step.state.order, step.state.config.peer
    assert order is not None
    step.change(order=None)
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
    code = Code.ORDER_FAILED if order.failed else Code.ORDER_DONE
    step.say(code, Subject.node(peer), sentence)
    if order.command_id:
        step.do(Answer(order.command_id, Exit.FAILED if order.failed else Exit.DONE, code, sentence))


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


def _fail(step: StepContext, sentence: str) -> None:
    """Record a fault; the first one is kept."""
    if step.state.order is not None and not step.state.order.failed:
        step.change_order(failed=sentence)


def _start(step: StepContext, kind: TaskKind, device: str, why: str, node: str = "") -> None:
    assert step.state.order is not None
    task_id = devices.start(step, kind, device, PowerPurpose.ORDER, why, node=node)
    step.change_order(tasks=(*step.state.order.tasks, (task_id, device)))
