"""Fence devices: when their status is read, and whether what they report is believed (R8).

Rules. A device that cannot be reached is an alarm at once, not on the day it is needed. A device that reports off while
the node keeps beating controls the wrong plug, or knows nothing: neither node believes it until it reports on. A device
that confirmed a power-off and was wrong is distrusted until a human has checked it. A device that accepts an order to
switch off and still reports on may report on for ever, and protects nobody. Only an order that it carries out ends
that: a fence, or the test of the plug.

What this file does not know: when a fence is due.
"""

from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.config import FenceConfig
from aoeha.core.model.events import TaskDone
from aoeha.core.model.fence import DeviceState, FencePhase
from aoeha.core.model.memory import DeviceMemory
from aoeha.core.model.state import NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import PlugRead, PlugState, PowerPurpose, PowerTask, TaskKind, TaskResult

READING_GRACE_MS = 1_000
"""A beat may be this old when it is heard: only a later beat contradicts a device that reports off."""


def recalled(fence: FenceConfig, memory: DeviceMemory | None, *, same_boot: bool) -> DeviceState:
    """A device as the daemon starts: earlier findings stand, unless aoeha.toml now describes another device."""
    if memory is None or memory.tag != fence.tag:
        return DeviceState(fence.name)
    owed = memory.restore_tries_left if same_boot else 0
    return DeviceState(fence.name, distrusted=memory.distrusted, disobeyed=memory.disobeyed, restore_tries_left=owed)


def remembered(state: NodeState) -> tuple[DeviceMemory, ...]:
    """What the next daemon must know about the devices."""
    return tuple(
        DeviceMemory(
            device.name,
            settings(state, device.name).tag,
            device.distrusted,
            device.disobeyed,
            device.restore_tries_left,
        )
        for device in state.devices
        if device.distrusted or device.disobeyed or device.restore_tries_left
    )


def remind(step: StepContext) -> None:
    """Report at the start what an earlier daemon found out."""
    for device in step.state.devices:
        _tell(step, device.name)


def _tell(step: StepContext, name: str) -> None:
    device, subject = step.state.device(name), Subject.device(name)
    if device.distrusted:
        sentence = f"fence device {name} {device.distrusted}: it may switch another plug. Check its wiring"
        step.alarm(Code.DEVICE_WRONG_PLUG, subject, sentence)
    if device.disobeyed:
        step.alarm(Code.DEVICE_DISOBEYS, subject, f"fence device {name} {device.disobeyed}: it did not obey the order")


def watch(step: StepContext) -> None:
    """Read every device that is due, while no fence is under way."""
    if step.state.fence.phase is not FencePhase.IDLE:
        return
    for device in step.state.devices:
        every_ms = settings(step.state, device.name).monitor_every_ms
        due = device.checked_ms is None or step.now_ms - device.checked_ms >= every_ms
        if due and not device.task_id:
            task_id = start(step, TaskKind.POWER_STATUS, device.name, PowerPurpose.READING, "routine reading")
            step.change_device(device.name, task_id=task_id, asked_ms=step.now_ms)


def task_done(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    """Process a routine status reading."""
    device = step.state.device(task.subject)
    if device.task_id != task.id:
        return
    step.change_device(device.name, task_id=0)
    if done.result is TaskResult.OK:
        step.change_device(device.name, took_ms=step.now_ms - device.asked_ms)
    if done.result is not TaskResult.CANCELLED:
        take_reading(step, device.name, done)


def read_plug(done: TaskDone) -> PlugState:
    """What a reading tells about the plug. A failed reading tells nothing."""
    if done.result is TaskResult.OK and isinstance(done.outcome, PlugRead):
        return done.outcome.plug
    return PlugState.UNKNOWN


def take_reading(step: StepContext, name: str, done: TaskDone) -> None:
    """Record what a device reports about the peer's plug, or that it reports nothing."""
    device = step.state.device(name)
    plug = read_plug(done)
    reachable, believed_again = plug is not PlugState.UNKNOWN, plug is PlugState.ON
    step.change_device(
        device.name,
        reachable=reachable,
        detail="" if reachable else why(done),
        checked_ms=step.now_ms,
        read_off_of=step.state.peer.boot_id if plug is PlugState.OFF else "",
        contradicted="" if believed_again else device.contradicted,
        restore_tries_left=max(device.restore_tries_left - 1, 0) if believed_again else device.restore_tries_left,
        plug=plug,
    )
    if believed_again:
        sentence = f"{name} reports {step.state.config.peer} as on"
        power_is_back(step, name, sentence)
        step.clear_alarm(Code.DEVICE_CONTRADICTED, Subject.device(name), sentence)
    if not reachable:
        step.alarm(Code.DEVICE_UNREACHABLE, Subject.device(name), f"fence device {name} cannot be reached: {why(done)}")
    else:
        answered(step, name)


def note_silence(step: StepContext, device: str, done: TaskDone) -> None:
    """A device failed when it was needed: that is as good as a failed reading."""
    step.change_device(device, reachable=False, detail=why(done), checked_ms=step.now_ms, plug=PlugState.UNKNOWN)


def answered(step: StepContext, name: str) -> None:
    """A device reported the state of the peer's plug."""
    step.clear_alarm(Code.DEVICE_UNREACHABLE, Subject.device(name), f"fence device {name} answers again")


def power_is_missing(step: StepContext, name: str, sentence: str) -> None:
    """A device did not restore the power that it had switched off."""
    step.alarm(Code.DEVICE_POWER_NOT_RESTORED, Subject.device(name), sentence)


def power_is_back(step: StepContext, name: str, sentence: str) -> None:
    """The peer has the power back that a device had switched off."""
    step.clear_alarm(Code.DEVICE_POWER_NOT_RESTORED, Subject.device(name), sentence)


def note_obedience(step: StepContext, name: str, plug: PlugState) -> None:
    """Process what a device reports after it accepted the order to switch the peer off."""
    disobeyed = step.state.device(name).disobeyed
    match plug:
        case PlugState.ON:
            sentence = f"reports on after it switched {step.state.config.peer} off"
            step.change_device(name, disobeyed=sentence)
            _tell(step, name)
        case PlugState.OFF if disobeyed:
            step.change_device(name, disobeyed="")
            step.clear_alarm(Code.DEVICE_DISOBEYS, Subject.device(name), f"fence device {name} obeys again")
        case _:
            pass


def distrust(step: StepContext) -> None:
    """A fence was confirmed and the node kept running: no device counts as protection until a human has checked it."""
    for device in step.state.devices:
        distrust_one(step, device.name)


def distrust_one(step: StepContext, name: str) -> None:
    """A device reported a node as off that kept running: its reports no longer count as proof."""
    sentence = f"reported {step.state.config.peer} as off while it was running"
    if not step.state.device(name).distrusted:
        step.change_device(name, distrusted=sentence)
        _tell(step, name)


def trust_again(step: StepContext, name: str) -> None:
    """The plug was verified to be the peer's: any doubt about the device is settled."""
    step.change_device(name, distrusted="", contradicted="", disobeyed="")
    for code in (Code.DEVICE_WRONG_PLUG, Code.DEVICE_CONTRADICTED, Code.DEVICE_DISOBEYS):
        step.clear_alarm(code, Subject.device(name), f"the plug of fence device {name} was verified")


def contradict(step: StepContext) -> None:
    """The peer is heard: if every device of a level had reported this boot as off, that level is wrong.

    A single device of several is not wrong: a node with a power supply on each outlet keeps running while one outlet is
    off.
    """
    peer = step.state.config.peer
    for level in levels(step.state):
        together = on_level(step.state, level)
        if not all(_called_off(step, device) for device in together):
            continue
        for device in together:
            if not device.contradicted:
                sentence = f"reports {peer} as off while {peer} is running"
                step.change_device(device.name, contradicted=sentence)
                told = f"fence device {device.name} {sentence}: check its plugs"
                step.alarm(Code.DEVICE_CONTRADICTED, Subject.device(device.name), told)


def _called_off(step: StepContext, device: DeviceState) -> bool:
    """Whether a reading of off is contradicted by beats. Delayed beats of a dead node answer nothing sent since."""
    read_ms, peer = device.checked_ms, step.state.peer
    if read_ms is None or step.now_ms - read_ms < READING_GRACE_MS:
        return False
    answered = peer.answered_ms is not None and peer.answered_ms >= read_ms
    stands = answered or step.now_ms - read_ms >= step.state.config.deadtime_ms
    return stands and bool(device.read_off_of) and device.read_off_of == peer.boot_id


def start(step: StepContext, kind: TaskKind, device: str, purpose: PowerPurpose, reason: str, *, node: str = "") -> int:
    """Begin a power task about the peer's plug, or about the plug of `node`; return its number."""
    state = step.state
    about, deadline_ms = node or state.config.peer, settings(state, device).timeout_ms
    task = PowerTask(state.next_task_id, deadline_ms, reason, kind, device, about, purpose)
    step.begin(task)
    return task.id


def protected(state: NodeState) -> bool:
    """Whether every device of at least one level responds, is believed, and carried out its last order."""
    return any(all(would_do(device) for device in on_level(state, level)) for level in levels(state))


def would_do(device: DeviceState) -> bool:
    """Whether a device responds, is believed, and carried out its last order."""
    return bool(device.reachable) and not device.doubt and not device.disobeyed


def levels(state: NodeState) -> list[int]:
    """The levels in the order in which they are tried."""
    return sorted({fence.level for fence in state.config.fences})


def settings(state: NodeState, device: str) -> FenceConfig:
    """What aoeha.toml says about a device."""
    return next(fence for fence in state.config.fences if fence.name == device)


def on_level(state: NodeState, level: int) -> list[DeviceState]:
    """All devices that must confirm on this level."""
    return [state.device(fence.name) for fence in state.config.fences if fence.level == level]


def why(done: TaskDone) -> str:
    """Why a task failed."""
    if done.detail:
        return done.detail
    match done.result:
        case TaskResult.TIMED_OUT:
            return "it did not answer in time"
        case TaskResult.OK:
            return "it does not tell whether the plug is on or off"
        case TaskResult.FAILED:
            return "it failed"
        case result:
            return f"it was {result.value}"
