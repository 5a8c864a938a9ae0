"""What must be remembered, and when it is written (home of R16).

Rules. What a beat promises was remembered before: `Persist` stands before it in the same step.
"""

from aoeha.core.fencing import devices, power_restore, remembered_off
from aoeha.core.model import law
from aoeha.core.model.actions import Persist
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import PersistDone
from aoeha.core.model.law import Kind
from aoeha.core.model.legs import LegState
from aoeha.core.model.memory import GroupMemory, Memory
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.peer.membership import may_be_alive


def remember(step: StepContext) -> None:
    """Persist what changed, before everything else that this step asks for."""
    memory = memory_of(step.state)
    if memory == step.state.remembered:
        return
    step.change(remembered=memory)
    step.actions.insert(0, Persist(memory))


def persisted(step: StepContext, event: PersistDone) -> None:
    """Process whether the state was saved to disk. The pair continues either way."""
    node = step.state.config.node
    if event.fault:
        sentence = f"{node} could not save its state to disk: {event.fault}. The pair continues"
        step.alarm(Code.DISK_WRITE_FAILED, Subject.node(node), sentence)
    else:
        step.clear_alarm(Code.DISK_WRITE_FAILED, Subject.node(node), f"{node} can save its state to disk again")


def memory_of(state: NodeState) -> Memory:
    """What a daemon that starts after this one must know."""
    return Memory(
        boot_id=state.identity.boot_id,
        incarnation=state.identity.incarnation,
        peer_boot_id=state.peer.boot_id,
        peer_was_alive=may_be_alive(state),
        standby=state.standby,
        panicked=state.panicking,
        left=state.left and not any(group.holding for group in state.groups),
        paused=state.paused,
        pause_number=state.pause_number,
        groups=tuple(
            GroupMemory(g.name, g.epoch, _claim_floor(g), g.holding, g.proof, g.grant, g.claims, _held(state, g))
            for g in state.groups
        ),
        devices=devices.remembered(state),
        off=remembered_off.remembered(state),
        power_back_ms=power_restore.remembered_ms(state),
    )


def _claim_floor(group: GroupState) -> int:
    """The epoch that a later daemon must not claim: it claims above everything that this daemon has claimed."""
    return max(group.claim_floor, group.claim.epoch if group.claim is not None else 0)


def _held(state: NodeState, group: GroupState) -> tuple[tuple[str, str], ...]:
    """Addresses held in this ownership, even if the target lost the reservation: reserving again waits for no disk."""
    if not group.holding:
        return ()
    return tuple(
        (leg.name, address.name)
        for leg in group.legs
        for address in leg.addresses
        if address.held_epoch == group.held_epoch or (address.holder is Holder.NOBODY and _is_missed(state, group, leg))
    )


def _is_missed(state: NodeState, group: GroupState, leg: LegState) -> bool:
    return leg.reservation_lost is True and not law.stands(state, Kind.UNVERIFIED, group)
