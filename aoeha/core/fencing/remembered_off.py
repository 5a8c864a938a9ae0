"""A power-off that an earlier daemon of this boot has proven, and that is to be proven anew (R8, R16).

Rules. What a daemon proved about its peer's power is remembered in /run, and is no proof for the next daemon. The next
daemon reads all devices of that level again, in one round, and listens for warntime: a peer with power would be heard.
If every device reports off, and nothing of the peer was heard, the proof stands again. Otherwise it is forgotten, and
the peer must be silent and be fenced like any other. Only a power-off that was read back is remembered: no operator's
word, no grant, no power-off whose silence was still awaited, and nothing across a reboot of this node.

What this file does not know: what a power fence is, and what follows from the proof.
"""

from aoeha.core.fencing import devices, power_proof, power_restore
from aoeha.core.model.config import PairConfig
from aoeha.core.model.events import TaskDone
from aoeha.core.model.fence import FencePhase, FenceState
from aoeha.core.model.memory import Memory, OffMemory
from aoeha.core.model.state import NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import PlugState, PowerPurpose, PowerTask, TaskKind


def remembered(state: NodeState) -> OffMemory | None:
    """What the next daemon must read again, None for nothing. What was recalled and is not read yet stays so."""
    fence, off = state.fence, state.last_off
    if fence.recalled is not None:
        return None if state.peer.heard else fence.recalled
    if fence.off_boot_id is None or off is None or off.boot_id != fence.off_boot_id:
        return None
    level = devices.levels(state)[off.level_index]
    tags = tuple((device.name, devices.settings(state, device.name).tag) for device in devices.on_level(state, level))
    return OffMemory(off.boot_id, tags, kept_off=state.kept_off)


def recalled(config: PairConfig, memory: Memory, now_ms: int) -> FenceState:
    """The fence with which a daemon starts. A level whose devices are others now is not asked about what they read."""
    off, tags = memory.off, {(fence.name, fence.tag) for fence in config.fences}
    known = off is not None and off.boot_id == memory.peer_boot_id and set(off.devices) <= tags
    return FenceState(until_ms=power_restore.recalled_ms(memory, now_ms), recalled=off if known else None)


def read_again(step: StepContext) -> None:
    """Read all devices of the level in one round."""
    off = step.state.fence.recalled
    assert off is not None, "nothing is to be read again"
    names = [name for name, _ in off.devices]
    level = devices.settings(step.state, names[0]).level
    level_index = devices.levels(step.state).index(level)
    step.change_fence(phase=FencePhase.READING_BACK, victim_boot_id=off.boot_id, level_index=level_index)
    for name in names:
        reason = "an earlier daemon read it as off"
        task_id = devices.start(step, TaskKind.POWER_STATUS, name, PowerPurpose.FENCE, reason)
        step.change_fence(tasks=(*step.state.fence.tasks, (task_id, name)))


def was_read(step: StepContext, task: PowerTask, done: TaskDone) -> bool:
    """Process one reading. Return whether the power-off may still stand."""
    devices.take_reading(step, task.subject, done)
    step.change_fence(read=(*step.state.fence.read, (task.subject, devices.read_plug(done))))
    fence = step.state.fence
    if fence.tasks:
        return True
    if any(plug is PlugState.ON for _, plug in fence.read):
        step.change(kept_off=False)
    believed = not any(step.state.device(name).doubt for name, _ in fence.read)
    if not believed or not all(plug is PlugState.OFF for _, plug in fence.read):
        return False
    heard_by_ms = step.state.listening_since_ms + step.state.config.warntime_ms
    power_proof.read_off(step, max(heard_by_ms - step.now_ms, 0))
    return True


def is_void(state: NodeState) -> bool:
    """Whether the peer was heard since this daemon started, or this node was stalled since the plugs were read."""
    fence = state.fence
    if fence.recalled is None or fence.read_off is None:
        return False
    return state.peer.heard or state.listening_since_ms > fence.read_off.at_ms
