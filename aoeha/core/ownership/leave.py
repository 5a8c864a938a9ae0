"""A clean leave: stop, hand over, announce it, end (R1).

Rules. A node that leaves hands its groups over first and waits for the peer to take them. It announces its leave only
when nothing runs on it, in several beats, and then ends; but not while it is switching its peer's power. If something
cannot be stopped, it ends unannounced, and the peer will have to fence it.

What this file does not know: which request began the leave.
"""

from aoeha.core.model.actions import Leave
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.fence import FencePhase
from aoeha.core.model.state import Leaving, NodeState, phase_of, stopped_everywhere
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import owners
from aoeha.core.peer import membership

LEAVE_PATIENCE_MS = 20_000
"""How long a leaving node waits for the peer to take its groups, once they are stopped."""


LEAVING_BEATS = 3


def begin(step: StepContext) -> None:
    """Begin to hand over the groups that this node owns; `go_on` does the rest."""
    node = step.state.config.node
    step.change(leaving=Leaving(by_ms=step.now_ms + LEAVE_PATIENCE_MS))
    for group in step.state.groups:
        if group.holding:
            step.change_term(group.name, yielding=f"{node} is leaving")


def note_beat(step: StepContext) -> None:
    """Count a beat that announces the leave."""
    leaving = step.state.leaving
    assert leaving is not None, "a leave is announced that was not begun"
    step.change(leaving=Leaving(leaving.by_ms, leaving.beats + 1))


def go_on(step: StepContext) -> None:
    """Stop, hand over, announce the leave, end. With something that cannot be stopped, end unannounced."""
    state, node = step.state, step.state.config.node
    leaving = state.leaving
    if leaving is None or state.left:
        return
    blocked = any(phase_of(group) is GroupPhase.BLOCKED for group in state.groups)
    if blocked:
        sentence = f"{node} ends with a resource that could not be stopped; {state.config.peer} will have to fence it"
        step.say(Code.LEAVE_BLOCKED, Subject.node(node), sentence)
        step.change(left=True)
        step.do(Leave())
        return
    if not stopped_everywhere(state) or any(group.holding for group in state.groups):
        step.change(leaving=Leaving(step.now_ms + LEAVE_PATIENCE_MS, leaving.beats))
        return
    taken = all(owners.owner(state, group) == state.config.peer for group in state.groups)
    wanted = membership.is_alive(state) and any(owners.peer_takes(state, group) for group in state.groups)
    if wanted and not taken and step.now_ms < leaving.by_ms:
        return
    if leaving.beats >= LEAVING_BEATS and not _is_switching(state):
        step.change(left=True)
        step.say(Code.LEAVE_DONE, Subject.node(node), f"{node} has left the pair")
        step.do(Leave())


def _is_switching(state: NodeState) -> bool:
    """Whether this node is switching its peer's power, which nobody else would give back. Each step has a deadline."""
    switching = state.fence.phase not in (FencePhase.IDLE, FencePhase.WAITING, FencePhase.BACKING_OFF)
    return switching or state.order is not None or any(device.restore_task_id for device in state.devices)


def may_announce_leave(state: NodeState) -> bool:
    """Whether beats may announce the leave: nothing runs here, and the peer took the groups that it wanted."""
    if state.leaving is None or not stopped_everywhere(state) or any(group.holding for group in state.groups):
        return False
    taken = all(owners.owner(state, group) == state.config.peer for group in state.groups)
    wanted = membership.is_alive(state) and any(owners.peer_takes(state, group) for group in state.groups)
    return taken or not wanted or state.now_ms >= state.leaving.by_ms
