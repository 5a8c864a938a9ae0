"""Legs whose data may be wrong: how a running mirror avoids them until they have left (R5).

Rules. A peer that was fenced at the shelves alone may still run, and repeats its old writes for hours. While it may, a
target that loses our reservation accepts these writes, over what was acknowledged since. As long as that can happen, no
leg is copied onto another whole one, for md would take the first of them as correct. Differences that a crash left wait
until the peer is off, has rebooted, or was confirmed off. A leg that is not sound, because of that or because its
target lost what it had acknowledged, is read last from the moment at which it is known, and nothing is copied from it.
None of this needs the peer's message: no node counts on less than before. It holds across a restart of our daemon, for
the leg's own superblock records that it is read last. The next owner of the group, which did not ask for that,
considers the leg suspect and has it copied in full.

What this file does not know: how a leg leaves the mirror and comes back, and how md is told.
"""

from aoeha.core.model import law
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.fence import Off
from aoeha.core.model.law import Kind
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import MirrorLimits
from aoeha.core.peer import membership


def fenced_node_may_write(state: NodeState, group: GroupState) -> bool:
    """Whether a peer fenced at the shelves alone may still run: a target without our reservation takes its writes."""
    proof = group.proof
    if proof is None or proof.kind is not ProofKind.STORAGE_FENCED:
        return False
    return not _is_gone(state, proof)


def is_sound(group: GroupState, leg: LegState) -> bool:
    """Whether a leg holds what was acknowledged and nothing else, by its target's restarts and by its generation."""
    durable = next(config.durable for config in group.config.legs if config.name == leg.name)
    return not leg.suspect and not leg.outdated and (not leg.reservation_lost or durable)


def doubted(group: GroupState) -> tuple[int, ...]:
    """The places of the legs that are not sound by what this node knows of the term that it owns, or owned last.

    One that is copied onto will be as good as the others: its superblock says that it is not whole yet.
    """
    unsound = (place for place, leg in enumerate(group.legs) if not is_sound(group, leg))
    return tuple(place for place in unsound if not group.legs[place].copying or group.legs[place].copy_in_doubt)


def has_forgotten(state: NodeState, group: GroupState, address: AddressState) -> bool:
    """Whether an address shows nobody that was ours. One that this daemon never held in its term has lost nothing."""
    if address.holder is not Holder.NOBODY:
        return False
    began_before_us = group.term is not None and not group.term.taken_ms
    return address.held_epoch == group.held_epoch or began_before_us or law.stands(state, Kind.UNVERIFIED, group)


def whole_legs(group: GroupState) -> list[LegState]:
    """The legs that the group's mirror has and copies nothing onto; all, where nothing is known of it."""
    mirror = next((resource for resource in group.resources if resource.config.mirror), None)
    missing = (*(mirror.missing or ()), *mirror.copying) if mirror is not None else ()
    return [leg for leg in group.legs if leg.name not in missing and not leg.copying]


def limits(state: NodeState, group: GroupState, mirror: ResourceState, starts: tuple[str, ...] = ()) -> MirrorLimits:
    """What a mirror must avoid. No leg is read last where no other leg of the mirror is better.

    `starts` are the legs of a mirror that is being started. Only a copy takes a mark away again, so nothing is marked
    before it is known which legs the mirror has.
    """
    whole = _whole(group, mirror)
    unequal = fenced_node_may_write(state, group) or any(leg.suspect for leg in whole)
    in_use = [leg for leg in whole if mirror.missing is not None or leg.name in starts]
    doubtful = tuple(leg.name for leg in in_use if not is_sound(group, leg))
    return MirrorLimits(unequal, doubtful if len(doubtful) < len(in_use) else ())


def observed(step: StepContext, name: str, mirror: ResourceState, seen: tuple[str, ...]) -> None:
    """Process which legs a mirror of ours reads last."""
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
    """Whether the fenced boot has ended: by a new boot, by a power-off, or by an operator's confirmation."""
    boot_id, confirmed = proof.peer_boot_id, state.fence.confirmed
    if membership.has_ended(state, boot_id):
        return True
    if boot_id == state.fence.off_boot_id or (confirmed is not None and confirmed.boot_id == boot_id):
        return True
    return state.last_off is not None and state.last_off.boot_id == boot_id and not _beats_on(state, state.last_off)


def _beats_on(state: NodeState, off: Off) -> bool:
    """Whether a boot that was reported off was heard so long afterwards that no slow link explains it (R8)."""
    heard_ms = state.heard_ms
    return heard_ms is not None and heard_ms - off.at_ms >= state.config.deadtime_ms


def _whole(group: GroupState, mirror: ResourceState) -> list[LegState]:
    """The legs of a mirror that md considers in sync."""
    return [leg for leg in group.legs if leg.name not in (mirror.missing or ()) and not leg.copying]
