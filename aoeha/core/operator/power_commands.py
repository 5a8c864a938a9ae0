"""Which power orders are accepted: an operator names the peer, and no service is lost without need.

Rules. A node never switches itself off, nor a node that the operator did not name. An order that would leave a group
without a server, or that a pause forbids, is refused until the operator says `anyway`. The test of a plug requires a
peer in standby that owns nothing. One order at a time, and none while a fence is being carried out.

What this file does not know: how an order is carried out.
"""

from aoeha.core.fencing import devices, power_fence, power_orders, power_restore
from aoeha.core.model import law
from aoeha.core.model.beat import BeatFlag
from aoeha.core.model.conditions import Code
from aoeha.core.model.events import CommandGiven
from aoeha.core.model.exits import Exit
from aoeha.core.model.fence import FencePhase
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.power_order import PowerAct
from aoeha.core.model.state import NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.operator import answers
from aoeha.core.ownership import blockers, owners
from aoeha.core.peer import membership

ACTS = {"": None, "off": PowerAct.OFF, "on": PowerAct.ON, "reboot": PowerAct.REBOOT}


def fence(step: StepContext, event: CommandGiven) -> None:
    """Switch the peer off, on, or off and on. Without an act, do what a fence of our own would do."""
    state, word = step.state, event.arguments.get("act", "")
    if word not in ACTS:
        answers.usage(step, event, f'cannot fence: there is no "{word}"; it is off, on or reboot')
        return
    usual = PowerAct.REBOOT if state.config.power_on_after_fence else PowerAct.OFF
    act = ACTS[word] or usual
    if not _may_begin(step, event):
        return
    if act is not PowerAct.ON and not event.arguments.get("anyway"):
        peer, loss = state.config.peer, _loss(state)
        if loss is not None:
            code, sentence = loss
            hint = f"to do it all the same: aoeha fence {peer} --{act.value} --anyway"
            answers.give(step, event, Exit.UNSAFE, code, f"cannot switch {peer} off: {sentence}; {hint}")
            return
    if act is not PowerAct.ON:
        power_fence.make_room(step)
    power_orders.begin(step, event, act)


def verify(step: StepContext, event: CommandGiven) -> None:
    """Switch the standby's power off and on again, to verify that the plug is the standby's."""
    state, peer = step.state, step.state.config.peer
    if not _may_begin(step, event):
        return
    levels, wanted = devices.levels(state), event.arguments.get("level") or "1"
    if wanted not in map(str, levels):
        known = ", ".join(map(str, levels))
        answers.usage(step, event, f"cannot verify level {wanted}: there is no such level; there are {known}")
        return
    refusal = _why_not_verify(state)
    if refusal is None:
        power_orders.begin(step, event, PowerAct.VERIFY, level=int(wanted))
        return
    code, sentence = refusal
    answers.give(step, event, Exit.UNSAFE, code, f"cannot verify the plug of {peer}: {sentence}")


def test(step: StepContext, event: CommandGiven) -> None:
    """Read both plugs of one device, or of all."""
    names = tuple(device.name for device in step.state.devices)
    wanted = event.arguments.get("device", "")
    if wanted and wanted not in names:
        known = ", ".join(names) or "there is none"
        sentence = f"cannot test {wanted}: there is no fence device of that name (devices: {known})"
        answers.usage(step, event, sentence)
    elif _is_free(step, event):
        power_orders.begin(step, event, PowerAct.TEST, chosen=(wanted,) if wanted else names)


def _why_not_verify(state: NodeState) -> tuple[Code, str] | None:
    peer, beat = state.config.peer, state.peer.beat
    if not membership.has_reported(state) or beat is None:
        sentence = f"it is {state.peer.condition.value}; only a gateway that is heard can be seen to fall silent"
        return Code.COMMAND_REFUSED_PEER_NOT_HEARD, sentence
    blocked = law.stops(state, Act.POWER_OFF)
    if blocked is not None:
        return answers.REFUSED[blocked.kind], blocked.sentence
    owned = [group.name for group in beat.groups if group.holding]
    if BeatFlag.STANDBY in beat.flags and not owned:
        return None
    why = f"it still owns {', '.join(owned)}" if BeatFlag.STANDBY in beat.flags else "it is not in standby"
    return Code.COMMAND_REFUSED_PEER_NOT_IN_STANDBY, f"{why}; on {peer}: aoeha standby {peer} --wait"


def _may_begin(step: StepContext, event: CommandGiven) -> bool:
    """Whether the request names the peer, and nothing else is under way. Answers the request where not."""
    state, wanted = step.state, event.arguments.get("node", "")
    node, peer = state.config.node, state.config.peer
    if wanted == node:
        answers.usage(step, event, f"cannot fence {node} from {node}: a gateway never fences itself; run it on {peer}")
    elif wanted != peer:
        answers.usage(step, event, f"cannot fence {wanted!r}: the peer of {node} is {peer}")
    elif law.stands(state, Kind.DUPLICATE_NAME):
        sentence = f"cannot fence {peer}: two machines use that name; find the other one first"
        answers.give(step, event, Exit.UNSAFE, Code.COMMAND_REFUSED_DUPLICATE_NAME, sentence)
    else:
        return _is_free(step, event)
    return False


def _is_free(step: StepContext, event: CommandGiven) -> bool:
    """Whether there are devices, and none of them is in use. Answers the request where not."""
    refusal = _why_not_free(step.state)
    if refusal is None:
        return True
    code, sentence = refusal
    answers.give(step, event, Exit.FAILED, code, f"cannot: {sentence}")
    return False


def _why_not_free(state: NodeState) -> tuple[Code, str] | None:
    peer, order = state.config.peer, state.order
    if not state.config.fences:
        return Code.COMMAND_REFUSED_NO_DEVICE, "no fence device is configured; add [[fence]] to aoeha.toml"
    if order is not None:
        return Code.COMMAND_REFUSED_BUSY, f"{order.user} has another order under way ({order.act.value})"
    if state.fence.phase not in (FencePhase.IDLE, FencePhase.WAITING, FencePhase.BACKING_OFF):
        return Code.COMMAND_REFUSED_BUSY, f"{peer} is being fenced ({state.fence.phase.value}); see: aoeha status"
    if power_restore.is_under_way(state):
        return Code.COMMAND_REFUSED_BUSY, f"{peer} is being switched on; try again in a moment"
    if law.stands(state, Kind.LEAVING) or law.stands(state, Kind.PANICKING):
        return Code.COMMAND_REFUSED_LEAVING, f"{state.config.node} is leaving"
    return None


def _loss(state: NodeState) -> tuple[Code, str] | None:
    """What forbids the peer's power-off, unless the operator insists."""
    if law.stands(state, Kind.PAUSED):
        return Code.COMMAND_REFUSED_PAUSED, law.PAUSED
    for group in state.groups:
        if owners.owner(state, group) == state.config.peer:
            blocked = blockers.could_serve(state, group)
            if blocked is not None:
                return Code.COMMAND_REFUSED_SERVICE_LOST, f"it serves {group.name}, and {blocked.sentence}"
    return None
