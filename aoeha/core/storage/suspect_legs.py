"""Legs that may hold what nobody should read: how a running mirror is kept clear of them until they have left (R5).

Rules. A peer that was fenced at the shelves alone may run on, and repeats its old writes for hours. While it may, a
target that forgets our reservation takes them, over what was acknowledged since. As long as that can happen, no leg is
copied onto another whole one, for md would take the first of them for right; what a crash left unequal waits until the
peer is off, has booted anew, or was vouched dead. A leg that is not sound, because of that or because its target lost
what it had acknowledged, is read last from the moment on at which it is known, and nothing is copied from it. None of
this needs the peer's word: nobody counts on less than before. It holds across a restart of ours, for the leg's own
superblock tells that it is read last: whoever owns the group next, and did not ask for that, takes the leg for tainted,
and has it copied as a whole.

What this file does not know: how a leg leaves the mirror and comes back, and how md is told.
"""

from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.legs import LegState
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.state import GroupState, NodeState, Off, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import MirrorLimits
from aoeha.core.peer import membership


def fenced_node_may_write(state: NodeState, group: GroupState) -> bool:
    """Whether a peer that was fenced at the shelves alone may run on: what forgets us takes its writes again."""
    proof = group.proof
    if proof is None or proof.kind is not ProofKind.STORAGE_FENCED:
        return False
    return not _is_gone(state, proof)


def is_sound(group: GroupState, leg: LegState) -> bool:
    """Whether a leg holds what was acknowledged, as far as its target's restarts tell, and nothing else."""
    durable = next(config.durable for config in group.config.legs if config.name == leg.name)
    return not leg.suspect and (not leg.reservation_lost or durable)


def limits(state: NodeState, group: GroupState, mirror: ResourceState) -> MirrorLimits:
    """What a mirror must keep clear of. No leg is read last where no other one is better."""
    whole = _whole(group, mirror)
    unequal = fenced_node_may_write(state, group) or any(leg.suspect for leg in whole)
    doubtful = tuple(leg.name for leg in whole if not is_sound(group, leg))
    return MirrorLimits(unequal, doubtful if len(doubtful) < len(whole) else ())


def observed(step: StepContext, name: str, mirror: ResourceState, seen: tuple[str, ...]) -> None:
    """Take in which legs a mirror of ours reads last."""
    group = step.state.group(name)
    whole = _whole(group, mirror)
    for leg in group.legs:
        subject = Subject.leg(name, leg.name)
        if leg in whole and leg.name in mirror.limits.write_mostly and leg.name not in seen:
            sentence = f"{mirror.config.name} still reads {leg.name}, which may hold outdated data: look at `dmesg`"
            step.alarm(Code.LEG_READ_WHILE_SUSPECT, subject, sentence)
        else:
            sentence = f"{mirror.config.name} does not prefer {leg.name} for reads any more"
            step.clear_alarm(Code.LEG_READ_WHILE_SUSPECT, subject, sentence)
    marked = [leg for leg in whole if group.holding and leg.name in seen and is_sound(group, leg)]
    for leg in marked:
        sentence = f"an earlier owner found {leg.name} suspect: its superblock says that it is write-mostly"
        step.say(Code.LEG_MARKED_SUSPECT, Subject.leg(name, leg.name), sentence)
        step.change_leg(name, leg.name, reservation_lost=True, suspect=True)


def end_alarms(step: StepContext, name: str) -> None:
    """No mirror of the group runs here, so that nothing is read."""
    for leg in step.state.group(name).legs:
        sentence = f"{name} is not served by {step.state.config.node} any more"
        step.clear_alarm(Code.LEG_READ_WHILE_SUSPECT, Subject.leg(name, leg.name), sentence)


def _is_gone(state: NodeState, proof: Proof) -> bool:
    """Whether the boot that was fenced has ended: by a new one, by power, or by a human's word."""
    boot_id = proof.peer_boot_id
    if membership.has_ended(state, boot_id):
        return True
    if boot_id in (state.fence.off_boot_id, state.fence.confirmed_boot_id):
        return True
    return state.last_off is not None and state.last_off.boot_id == boot_id and not _beats_on(state, state.last_off)


def _beats_on(state: NodeState, off: Off) -> bool:
    """Whether a boot that was read as off was heard so long afterwards that no slow link explains it (R8)."""
    heard_ms = membership.heard_ms(state)
    return heard_ms is not None and heard_ms - off.at_ms >= state.config.deadtime_ms


def _whole(group: GroupState, mirror: ResourceState) -> list[LegState]:
    """The legs of a mirror that md takes for whole."""
    return [leg for leg in group.legs if leg.name not in (mirror.missing or ()) and not leg.copying]
