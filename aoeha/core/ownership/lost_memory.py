"""An owner whose /run is gone finds out from its legs what it owned (R16).

Rules. A daemon that starts on a boot that had one before, and finds nothing of it in /run, does not know whether it
owns what runs here. It stops nothing of that while nobody else is seen to own it: the peer does not say so, and a leg
still shows us. One that shows the peer besides may come from an ownership of long ago. What it owned it learns from its
legs alone: each address that answers is reserved for this node, and bears the record of a term of this very boot.
Whoever else had begun a term since would have taken the legs and have written another record. The term goes on at the
epoch of the record, never at a lower one than this node knows of. Where the legs do not say so, as in a group without
legs, the group must be claimed from the peer, or a proof be found, while what runs goes on. A node in standby claims
nothing: there it is stopped as soon as the peer could serve (R14).

What this file does not know: what a daemon that remembers does.
"""

from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.events import TaskDone
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import UP, GroupState, NodeState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import RecordsRead, RecordTask
from aoeha.core.ownership import peer_word


def decide(step: StepContext, name: str) -> None:
    """Read our own records where something runs on legs that are ours; forget the question where it is over."""
    group = step.state.group(name)
    unremembered = group.unremembered
    if unremembered is None:
        return
    if _is_over(step.state, group):
        step.change_group(name, unremembered=None)
    elif not unremembered.read and not unremembered.task_id and _legs_are_ours(group) and _runs(group):
        why = "find what an earlier daemon of this boot owned"
        deadline_ms = step.state.config.shelf_timeout_ms
        task = RecordTask(step.state.next_task_id, deadline_ms, why, name, None, own=True)
        step.begin(task)
        step.change_group(name, unremembered=replaced(unremembered, task_id=task.id))


def proof_of_records(step: StepContext, task: RecordTask, done: TaskDone) -> Proof | None:
    """Process our own records: the proof of the term that they tell of, None where it is left to claims and proofs."""
    name, group = task.group, step.state.group(task.group)
    unremembered = group.unremembered
    if unremembered is None or unremembered.task_id != task.id:
        return None
    step.change_group(name, unremembered=replaced(unremembered, task_id=0, read=True))
    epoch = _recorded_epoch(step.state, group, done)
    theirs = peer_word.theirs(step.state, group)
    known = max(group.epoch, group.claim_floor, theirs.epoch if theirs is not None else 0)
    if epoch < max(known, 1) or not _legs_are_ours(group) or _is_over(step.state, group):
        return None
    return _proof(step.state, group, unremembered.proof, epoch)


def is_being_read(group: GroupState) -> bool:
    """Whether our records may soon tell that this node owns the group."""
    return group.unremembered is not None and bool(group.unremembered.task_id)


def _proof(state: NodeState, group: GroupState, on_disk: Proof | None, epoch: int) -> Proof:
    """The proof of the term that the records tell of: as the disk has it, else the records themselves."""
    if on_disk is not None and on_disk.epoch == epoch:
        return on_disk
    detail = "its legs are reserved and bear its record"
    return Proof(ProofKind.RECORDED, group.name, epoch, state.peer.boot_id, detail)


def _recorded_epoch(state: NodeState, group: GroupState, done: TaskDone) -> int:
    """The epoch of the records of this boot, 0 where an address that is ours bears another one or none."""
    records = done.outcome.records if isinstance(done.outcome, RecordsRead) else ()
    ours = {(leg.name, address.name) for leg in group.legs for address in leg.addresses if address.holder is Holder.US}
    found = [seen.record for seen in records if (seen.leg, seen.address) in ours]
    epochs = {
        record.epoch if record is not None and record.boot_id == state.identity.boot_id else 0 for record in found
    }
    return epochs.pop() if len(epochs) == 1 else 0


def _is_over(state: NodeState, group: GroupState) -> bool:
    """Whether nothing is left to find out: we own the group, nothing runs here, or the peer is seen to own it."""
    if group.holding or (state.probed and phase_of(group) is GroupPhase.STOPPED):
        return True
    theirs = peer_word.theirs(state, group)
    shown = {address.holder for leg in group.legs for address in leg.addresses}
    taken = not shown.isdisjoint((Holder.PEER, Holder.STRANGER)) and Holder.US not in shown
    return taken or (theirs is not None and theirs.holding)


def _legs_are_ours(group: GroupState) -> bool:
    """Whether every address that answers is reserved for this node, and one does."""
    shown = {address.holder for leg in group.legs for address in leg.addresses} - {Holder.SILENT}
    return shown == {Holder.US}


def _runs(group: GroupState) -> bool:
    """Whether the group's storage runs here, or what it is made of where that is not a mirror."""
    return any(resource.phase in UP for resource in group.resources)
