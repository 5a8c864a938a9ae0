"""Fence devices: reading them on a schedule, and whether what they read is believed (R8, DESIGN.md §7).

Rules. A device that cannot be reached is an alarm now, not on the day it is needed. One that reads off while the node
goes on beating is the wrong plug, or knows nothing: it is believed by nobody until it reads on. One that confirmed a
power-off and was wrong is distrusted until a human has looked.

What this file does not know: when a fence is due.
"""

from aoeha.core.actions import StartTask
from aoeha.core.events import TaskDone
from aoeha.core.state import DeviceState, FencePhase, NodeState, Turn
from aoeha.core.types import FenceConfig, PlugState, Task, TaskKind, TaskResult

READING_GRACE_MS = 1_000
"""A beat may be this old when it is heard: a plug read as off is contradicted only by a later one."""


def watch(turn: Turn) -> None:
    """Read every device that is due, while no fence is under way."""
    if turn.state.fence.phase is not FencePhase.IDLE:
        return
    for device in turn.state.devices:
        every_ms = settings(turn.state, device.name).monitor_every_ms
        due = device.checked_ms is None or turn.now_ms - device.checked_ms >= every_ms
        if due and not device.task_id:
            task_id = start(turn, TaskKind.POWER_STATUS, device.name, "routine reading")
            turn.change_device(device.name, task_id=task_id)


def note_reading(turn: Turn, device: DeviceState, done: TaskDone) -> None:
    """Take in a routine reading."""
    turn.change_device(device.name, task_id=0)
    if done.result is not TaskResult.CANCELLED:
        take_reading(turn, device.name, done)


def take_reading(turn: Turn, name: str, done: TaskDone) -> None:
    """Believe what a device says of the peer's plug, or that it says nothing."""
    device = by_name(turn.state, name)
    reachable = done.result is TaskResult.OK and done.plug in (PlugState.ON, PlugState.OFF)
    believed_again = done.plug is PlugState.ON
    turn.change_device(
        device.name,
        reachable=reachable,
        detail="" if reachable else why(done),
        checked_ms=turn.now_ms,
        read_off_of=turn.state.peer.boot_id if done.plug is PlugState.OFF else "",
        contradicted="" if believed_again else device.contradicted,
        plug=done.plug if reachable else PlugState.UNKNOWN,
    )
    if not reachable:
        turn.alarm(device.name, f"fence device {device.name} cannot be reached: {why(done)}")
    elif not by_name(turn.state, device.name).doubt:
        turn.clear_alarm(device.name, f"fence device {device.name} answers")


def note_silence(turn: Turn, device: str, done: TaskDone) -> None:
    """A device failed when it was needed: that is as good as a failed reading."""
    turn.change_device(device, reachable=False, detail=why(done), checked_ms=turn.now_ms, plug=PlugState.UNKNOWN)


def distrust(turn: Turn) -> None:
    """A fence was confirmed and the node ran on: no device is protection until a human has looked at it."""
    for device in turn.state.devices:
        distrust_one(turn, device.name)


def distrust_one(turn: Turn, name: str) -> None:
    """A device read a node as off that ran on: what it reads is no proof any more."""
    sentence = f"read {turn.state.config.peer} as off while it was running"
    if not by_name(turn.state, name).distrusted:
        turn.change_device(name, distrusted=sentence)
        turn.alarm(name, f"NOT PROTECTED: fence device {name} {sentence}: check its wiring")


def trust_again(turn: Turn, name: str) -> None:
    """Its plug was seen to be the peer's: a doubt is settled."""
    turn.change_device(name, distrusted="", contradicted="")
    turn.clear_alarm(name, f"the plug of fence device {name} was verified")


def contradict(turn: Turn) -> None:
    """The peer is heard: if a whole level had read this boot of it as off, that level is wrong.

    One device of several is not: with a supply at each of them, a node runs on while one of its outlets is off.
    """
    peer = turn.state.config.peer
    for level in levels(turn.state):
        together = on_level(turn.state, level)
        if not all(_called_off(turn, device) for device in together):
            continue
        for device in together:
            if not device.contradicted:
                sentence = f"reads {peer} as off while {peer} is running"
                turn.change_device(device.name, contradicted=sentence)
                turn.alarm(device.name, f"NOT PROTECTED: fence device {device.name} {sentence}: check its plugs")


def _called_off(turn: Turn, device: DeviceState) -> bool:
    """Whether a reading called off what beats now. A slow link brings beats of the dead, which answer nothing since."""
    read_ms, peer = device.checked_ms, turn.state.peer
    if read_ms is None or turn.now_ms - read_ms < READING_GRACE_MS:
        return False
    answered = peer.answered_ms is not None and peer.answered_ms >= read_ms
    stands = answered or turn.now_ms - read_ms >= turn.state.config.deadtime_ms
    return stands and bool(device.read_off_of) and device.read_off_of == peer.boot_id


def start(turn: Turn, kind: TaskKind, device: str, reason: str, node: str = "") -> int:
    """Begin a power task about the peer's plug, or about the plug of `node`; return its number."""
    state = turn.state
    about, deadline_ms = node or state.config.peer, settings(state, device).timeout_ms
    task = Task(state.next_task_id, kind, "", device, about, deadline_ms, reason)
    turn.change(tasks=(*state.tasks, task), next_task_id=task.id + 1)
    turn.do(StartTask(task))
    return task.id


def protected(state: NodeState) -> bool:
    """Whether at least one level of fence devices answers in full."""
    return any(
        all(device.reachable and not device.doubt for device in on_level(state, level)) for level in levels(state)
    )


def levels(state: NodeState) -> list[int]:
    """The levels in the order in which they are tried."""
    return sorted({fence.level for fence in state.config.fences})


def settings(state: NodeState, device: str) -> FenceConfig:
    """What aoeha.toml says of a device."""
    return next(fence for fence in state.config.fences if fence.name == device)


def by_name(state: NodeState, name: str) -> DeviceState:
    """The device of that name."""
    return next(device for device in state.devices if device.name == name)


def on_level(state: NodeState, level: int) -> list[DeviceState]:
    """All devices that must confirm on this level."""
    return [by_name(state, fence.name) for fence in state.config.fences if fence.level == level]


def why(done: TaskDone) -> str:
    """Why a task did not do what it should."""
    if done.detail:
        return done.detail
    return "it did not answer in time" if done.result is TaskResult.TIMED_OUT else done.result.value.replace("_", " ")
