"""Restoring power: after a fence, after a fence that was given up, and on a wrong plug (R7, R8).

Rules. A device that was ordered to switch the peer off is pending a power restore until it was ordered to switch on, or
reported on a few times. When a fence is given up its devices are read, and a device that reports off is switched on.
That happens at once where the peer is heard (it runs on another supply). Otherwise it happens after the patience after
which a fenced peer is switched on, and only where a fenced peer would be. A device that fails is tried again when it
reports off again, a few times; the alarm stands until the plug is seen to be on. Until then nobody expects to hear the
peer, and it is not fenced for its silence. A daemon that starts keeps to the
patience of the one before it, for it will fence the same peer if that stays silent. No fence switches anything off
while a power-on is under way: a supply runs for a moment without input, and its plug could be read in that moment.

What this file does not know: why a fence was given up, or what a proof is.
"""

from aoeha.core.fencing import devices
from aoeha.core.model import law
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import TaskDone
from aoeha.core.model.fence import FencePhase
from aoeha.core.model.law import Act
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState, PeerCondition
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import PlugState, PowerPurpose, PowerTask, TaskKind, TaskResult
from aoeha.core.peer import membership

PATIENCE_MS = 30_000
"""A fenced node is switched on when the groups run here, or after this long."""
TRIES_MAX = 3


def expect_restore(step: StepContext, name: str) -> None:
    """A device is ordered to switch the peer off."""
    step.change_device(name, restore_tries_left=TRIES_MAX)


def look(step: StepContext) -> None:
    """A fence is given up: the state of its plugs is to be read now."""
    for device in step.state.devices:
        if device.restore_tries_left:
            step.change_device(device.name, checked_ms=None)


def remembered_ms(state: NodeState) -> int:
    """When the power of an unheard peer is restored, for the next daemon; 0 for no time, or where nothing is owed."""
    owed = any(device.restore_tries_left for device in state.devices)
    return state.fence.until_ms if owed and state.fence.phase is FencePhase.IDLE else 0


def recalled_ms(memory: Memory, now_ms: int) -> int:
    """When a new daemon restores that power. A fence was under way if no time is remembered, and will be again."""
    if not any(device.restore_tries_left for device in memory.devices):
        return 0
    return min(memory.power_back_ms or now_ms + PATIENCE_MS, now_ms + PATIENCE_MS)


def settle(step: StepContext, names: list[str]) -> None:
    """Another rule restores the power of these devices, or the peer is to stay off."""
    for name in names:
        step.change_device(name, restore_tries_left=0)


def decide(step: StepContext) -> None:
    """Restore the power that a fence which was given up has not restored yet."""
    names = [device.name for device in step.state.devices if device.restore_tries_left and device.plug is PlugState.OFF]
    if not names or not _is_given_up(step.state) or is_under_way(step.state):
        return
    peer = step.state.config.peer
    if _is_well(step.state):
        begin(step, names, f"its fence was given up, and {peer} lives")
    elif _is_forgotten(step.state):
        step.change(powered_on_ms=step.now_ms)
        begin(step, names, f"the fence of {peer} was given up")


def begin(step: StepContext, names: list[str], reason: str) -> None:
    """Switch on. From now on the peer is no longer known to be off."""
    for name in names:
        task_id = devices.start(step, TaskKind.POWER_ON, name, PowerPurpose.RESTORE, reason)
        owed = step.state.device(name).restore_tries_left or TRIES_MAX
        step.change_device(name, restore_task_id=task_id, restore_tries_left=owed)
    step.change_fence(off_boot_id=None)


def task_done(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    """Process the end of a power-on."""
    name, peer = task.subject, step.state.config.peer
    if step.state.device(name).restore_task_id != task.id:
        return
    step.change_device(name, restore_task_id=0)
    if done.result is TaskResult.OK:
        came_back(step)
        settle(step, [name])
        step.change_device(name, plug=PlugState.ON)
        devices.power_is_back(step, name, f"{name} switched {peer} on again")
        if not is_under_way(step.state):
            step.say(Code.PEER_POWER_RESTORED, Subject.node(peer), _what_came_of_it(step.state))
        return
    step.change_device(name, restore_tries_left=max(step.state.device(name).restore_tries_left - 1, 0))
    failed(step, name, done)


def came_back(step: StepContext) -> None:
    """A device has switched the peer on: from now on it should be heard."""
    if not step.state.powered_on_ms and not membership.is_alive(step.state):
        step.change(powered_on_ms=step.now_ms)


def failed(step: StepContext, name: str, done: TaskDone) -> None:
    """A device could not switch the peer on. Where no other one has, nobody expects to hear the peer."""
    peer, why = step.state.config.peer, devices.why(done)
    devices.note_silence(step, name, done)
    if not any(device.plug is PlugState.ON for device in step.state.devices if device.name != name):
        step.change(powered_on_ms=0)
    devices.power_is_missing(
        step,
        name,
        f"{name} could not switch {peer} on ({why}): {peer} may lack that power. Switch the plug on by hand, or run: "
        f"aoeha fence {peer} --on",
    )


def is_under_way(state: NodeState) -> bool:
    """Whether a power-on is under way."""
    return any(device.restore_task_id for device in state.devices)


def _what_came_of_it(state: NodeState) -> str:
    peer = state.config.peer
    if any(device.distrusted for device in state.devices):
        return f"what lost its power with the plug of {peer} has power again"
    owing = [device.name for device in state.devices if device.restore_tries_left]
    return f"{peer} has power again" + (f", except perhaps that by {', '.join(owing)}" if owing else "")


def _is_given_up(state: NodeState) -> bool:
    """Whether no fence is under way, no fenced peer is still off, and no power order is active."""
    return state.fence.phase is FencePhase.IDLE and state.fence.off_boot_id is None and state.order is None


def _is_well(state: NodeState) -> bool:
    return membership.is_alive(state) or state.peer.condition is PeerCondition.LEFT


def _is_forgotten(state: NodeState) -> bool:
    """Whether the power of an unheard peer is restored: it is not kept off, and no human may be working on it."""
    kept = state.kept_off or law.stops(state, Act.POWER_ON) is not None or state.fence.confirmed is not None
    return state.config.power_on_after_fence and not kept and state.now_ms >= state.fence.until_ms
