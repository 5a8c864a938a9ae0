"""What must be remembered, and when it is written (home of R16 and R24).

Rules. What a beat promises was remembered before: `Persist` stands before it in the same step. What has not changed is
written to /run again at a steady beat, so that a /run that takes nothing more is known before it is needed. A daemon
believes what lies in /run of its boot, unless the disk has what was saved later: then /run took it no more, and what is
on disk can only make this node refuse. Where an earlier daemon of this boot left no copy in /run, and the disk took
nothing of this boot either, what runs may be owned all the same. What no daemon can have saved is not believed at all.
No two copies are saved at one time, so which is newer is never in doubt. Daemons of one boot have rising numbers, even
if nothing was left by the last.
"""

from aoeha.core.fencing import devices, power_restore, remembered_off
from aoeha.core.model import law
from aoeha.core.model.actions import Persist
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import PersistDone
from aoeha.core.model.law import Kind
from aoeha.core.model.legs import LegState
from aoeha.core.model.memory import GroupMemory, Memory
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import UP, GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.term import Unremembered
from aoeha.core.peer.membership import may_be_alive

SAVE_EVERY_MS = 10_000
"""How soon a /run that takes nothing more is found out."""
INCARNATION_MS = 10
"""No two daemons of a boot start within so short a time."""


def remember(step: StepContext) -> None:
    """Persist what changed, before everything else that this step asks for."""
    known, memory = step.state.remembered, memory_of(step.state)
    if known is None or memory != known:
        saved_ms = step.now_ms if known is None else max(step.now_ms, known.saved_ms + 1)
        memory = replaced(memory, saved_ms=saved_ms)
        step.change(remembered=memory)
        step.actions.insert(0, Persist(memory))
    elif step.now_ms - known.saved_ms >= SAVE_EVERY_MS:
        memory = replaced(memory, saved_ms=step.now_ms)
        step.change(remembered=memory)
        step.do(Persist(memory, steady=True))


def persisted(step: StepContext, event: PersistDone) -> None:
    """Process whether the state was saved to disk and to /run. The pair continues either way."""
    node = step.state.config.node
    if event.run_fault:
        sentence = f"{node} could not save its state for a next daemon: {event.run_fault}. The pair continues"
        step.alarm(Code.RUN_WRITE_FAILED, Subject.node(node), sentence)
    else:
        step.clear_alarm(Code.RUN_WRITE_FAILED, Subject.node(node), f"{node} can save its state to /run again")
    if event.steady:
        return
    if event.fault:
        sentence = f"{node} could not save its state to disk: {event.fault}. The pair continues"
        step.alarm(Code.DISK_WRITE_FAILED, Subject.node(node), sentence)
    else:
        step.clear_alarm(Code.DISK_WRITE_FAILED, Subject.node(node), f"{node} can save its state to disk again")


def contradiction(memory: Memory) -> str:
    """Why no daemon can have saved this, or an empty string. Such a copy must not be given to `initial`."""
    off = memory.off
    if off is not None and not off.devices:
        return "it says that the peer was powered off by no device"
    return next((f"of group {group.name} it says that {why}" for group in memory.groups if (why := _denied(group))), "")


def _denied(group: GroupMemory) -> str:
    """What contradicts itself in one group's memory."""
    last = group.unremembered.proof if group.unremembered is not None else None
    if any(number < 0 for number in (group.epoch, group.claim_floor, group.claims, group.generation)):
        return "a number that only grows is below 0"
    if any(proof is not None and proof.group != group.name for proof in (group.proof, last)):
        return "it was held by the proof for another one"
    if not group.holding or group.proof is None:
        return ""
    if not 0 < group.proof.epoch <= group.epoch:
        return f"it was held at epoch {group.proof.epoch}, and the highest known one is {group.epoch}"
    if group.grant is not None and group.grant.epoch > group.proof.epoch:
        return "it was held and granted at once"
    return ""


def newest(run: Memory | None, disk: Memory | None, boot_id: str, *, was_here: bool = False) -> Memory | None:
    """What a daemon that starts on this boot believes of what lies in /run and on disk.

    `was_here`: an earlier daemon of this boot has saved to /run, or tried to, and no copy is left of that.
    """
    of_disk = disk is not None and disk.boot_id == boot_id
    if (
        run is not None
        and run.boot_id == boot_id
        and not (of_disk and disk is not None and disk.saved_ms > run.saved_ms)
    ):
        return run
    if disk is None:
        return None
    if of_disk:
        return replaced(disk, boot_id="", run_lost=True)
    return _as_of_a_lost_daemon(disk) if was_here else disk


def _as_of_a_lost_daemon(disk: Memory) -> Memory:
    """What the first daemon of this boot found on disk, for a later one to which nothing else was left.

    What runs here may be of a term that it began since: of that nothing is known. How the boot before ended is.
    """
    groups = (replaced(one, holding=False, proof=None, grant=None, unremembered=None, held=()) for one in disk.groups)
    return replaced(
        disk,
        boot_id="",
        incarnation=0,
        run_lost=True,
        groups=tuple(groups),
        panicked_before=disk.panicked,
        unclean_boot=not disk.left,
    )


def next_incarnation(memory: Memory | None, boot_id: str, now_ms: int) -> int:
    """The number of a daemon that starts now: above all that this boot has used, as far as they started in turn."""
    used = memory.incarnation if memory is not None and (memory.boot_id == boot_id or memory.run_lost) else 0
    return max(used + 1, now_ms // INCARNATION_MS)


def memory_of(state: NodeState) -> Memory:
    """What a daemon that starts after this one must know. It is as old as the last one that was saved."""
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
            GroupMemory(
                group.name,
                group.epoch,
                group.claim_floor,
                group.holding,
                group.proof,
                group.grant,
                group.claims,
                _held(state, group),
                generation=group.generation,
                unremembered=_unremembered(group),
            )
            for group in state.groups
        ),
        devices=devices.remembered(state),
        off=remembered_off.remembered(state),
        power_back_ms=power_restore.remembered_ms(state),
        saved_ms=state.remembered.saved_ms if state.remembered is not None else 0,
        panicked_before=state.panicked_before,
        unclean_boot=state.unclean_boot and not state.peer.heard,
        peer_config_tag=state.peer.config_tag,
        peer_unlisted=state.peer.unlisted,
    )


def _unremembered(group: GroupState) -> Unremembered | None:
    """What this daemon had no memory of, the next one has none of either: it asks the legs anew."""
    question = group.unremembered
    runs = any(resource.phase in UP for resource in group.resources)
    return Unremembered(question.proof) if question is not None and (question.proof is not None or runs) else None


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
