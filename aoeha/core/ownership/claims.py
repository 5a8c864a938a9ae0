"""Which node owns a group, and by what proof (home of R9; also R2, R10, R13, R16).

Rules. A node starts a group only while it owns it, and owns it only by a proof: a reason why the peer cannot write,
good for one epoch and one boot of the peer. There are five kinds of proof; silence is none of them. Every start passes
`may_start`; nothing else may decide it.

While both nodes are alive the proof is the peer's message: in its beats, or in its record on the shelves where both
nodes write there because no link is left (R13). A node that wants a group claims the next epoch. The peer grants
exactly that claim, and only with everything stopped. A node that granted or withdrew an epoch only ever claims above
it, and saves that before it says so. Crossing claims are settled by a fixed rank, never by luck.

What this file does not know: how a fence is carried out, and how resources are started.
"""

from aoeha.core.model import law
from aoeha.core.model.beat import Grant, GroupBeat, GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import TaskDone
from aoeha.core.model.fence import FencePhase
from aoeha.core.model.law import Act
from aoeha.core.model.legs import LegState, StorageFenceState
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import RecordTask
from aoeha.core.model.term import Claim, Term
from aoeha.core.ownership import blockers, client_reach, lost_memory, owners, peer_word, proofs
from aoeha.core.peer import disk_heartbeat, membership
from aoeha.core.storage import leg_ledger, reservations, suspect_legs, target_restarts

TAKEN = {
    ProofKind.HANDED_OVER: Code.OWNERSHIP_TAKEN_HANDED_OVER,
    ProofKind.REBOOTED: Code.OWNERSHIP_TAKEN_REBOOTED,
    ProofKind.POWERED_OFF: Code.OWNERSHIP_TAKEN_POWERED_OFF,
    ProofKind.OPERATOR: Code.OWNERSHIP_TAKEN_CONFIRMED,
    ProofKind.RECORDED: Code.OWNERSHIP_TAKEN_RECORDED,
    ProofKind.STORAGE_FENCED: Code.OWNERSHIP_TAKEN_STORAGE_FENCED,
}


def decide(step: StepContext) -> None:
    """Bring ownership of every group up to date with the peer's beats and the proofs."""
    for name in [group.name for group in step.state.groups]:
        _learn(step, name)
        lost_memory.decide(step, name)
        _release(step, name)
        _end_grant(step, name)
        _drop_stale_claim(step, name)
        _accept_grant(step, name)
        _take_by_own_proof(step, name)
        _grant(step, name)
        _claim(step, name)


def records_read(step: StepContext, task: RecordTask, done: TaskDone) -> None:
    """Go on with the term that our own records tell of, where /run has lost it (R16)."""
    proof = lost_memory.proof_of_records(step, task, done)
    if proof is None:
        return
    name, node, group = proof.group, step.state.config.node, step.state.group(proof.group)
    floor = max(group.claim_floor, group.claim.epoch if group.claim is not None else 0)
    legs = tuple(_as_held(leg, proof.epoch) for leg in group.legs)
    step.change_group(name, epoch=proof.epoch, term=Term(proof), claim=None, claim_floor=floor, legs=legs)
    step.end_refusal(name)
    sentence = f"{node} owns {name} at epoch {proof.epoch}, as its legs say: what a daemon before this one kept is lost"
    step.say(Code.OWNERSHIP_TAKEN_RECORDED, Subject.group(name), sentence)


def drop(step: StepContext, name: str, sentence: str) -> None:
    """Give up ownership without a release: what was started under it must be stopped."""
    _end_term(step, name)
    step.alarm(Code.OWNERSHIP_LOST, Subject.group(name), sentence)


def give_up(step: StepContext, name: str, sentence: str) -> None:
    """Give up ownership of a group of which nothing runs here, so that nobody has to do anything about it."""
    _end_term(step, name)
    step.say(Code.OWNERSHIP_GIVEN_UP, Subject.group(name), sentence)


def withdraw_claims(step: StepContext) -> None:
    """Forget every pending claim: an answer to it could be older than this node's own stall (R10)."""
    for group in step.state.groups:
        if group.claim is not None:
            _withdraw(step, group, group.claim)


def _learn(step: StepContext, name: str) -> None:
    """Adopt the peer's higher epoch, also from its records on the legs, so that epochs only grow (R21).

    An owner that hears of a higher owner was superseded: it must stop writing.
    """
    recorded = disk_heartbeat.recorded_epoch(step.state.group(name))
    if recorded > step.state.group(name).epoch:
        step.change_group(name, epoch=recorded)
    group = step.state.group(name)
    theirs = peer_word.theirs(step.state, group)
    if theirs is None:
        return
    if group.holding and owners.superseded(step.state, group):
        node, peer = step.state.config.node, step.state.config.peer
        sentence = f"{peer} owns {name} at epoch {theirs.epoch}, and {node} at epoch {group.held_epoch}"
        step.panic(Code.OWNERSHIP_SUPERSEDED, Subject.group(name), sentence)
    if theirs.epoch > group.epoch:
        step.change_group(name, epoch=theirs.epoch)
    if theirs.holding and not group.holding:
        step.clear_alarm(Code.OWNERSHIP_LOST, Subject.group(name), f"{step.state.config.peer} owns {name}")
    if theirs.holding and group.hold_back_until_ms:
        step.change_group(name, hold_back_until_ms=0)


def _release(step: StepContext, name: str) -> None:
    """End ownership once everything is stopped: only then may the peer be told (I4)."""
    group = step.state.group(name)
    if not (group.holding and group.yielding):
        return
    if phase_of(group) is GroupPhase.STOPPED and reservations.are_passed_on(step.state, group):
        if suspect_legs.fenced_node_may_write(step.state, group):
            node, peer = step.state.config.node, step.state.config.peer
            sentence = f"{name} stays reserved for {node}: {peer} may still write until it is off or has rebooted"
            step.say(Code.OWNERSHIP_KEPT_RESERVED, Subject.group(name), sentence)
        _end_term(step, name)
        sentence = f"{name} is stopped and released at epoch {group.held_epoch}: {group.yielding}"
        step.say(Code.OWNERSHIP_RELEASED, Subject.group(name), sentence)


def _end_term(step: StepContext, name: str) -> None:
    """End a term: everything that was known of it ends with it, and so does the storage fence that led to it."""
    step.change_group(name, term=None, storage_fence=StorageFenceState())
    step.end_refusal(name)
    step.change(released_sequence=step.state.sequence)


def _end_grant(step: StepContext, name: str) -> None:
    group, peer = step.state.group(name), step.state.peer
    grant = group.grant
    if grant is None:
        return
    theirs, said = peer_word.theirs(step.state, group), peer_word.said(step.state, group)
    other_boot = bool(peer.boot_id) and peer.boot_id != grant.boot_id
    restarted = said is not None and said.incarnation > grant.incarnation
    moved_on = theirs is not None and (
        theirs.epoch >= grant.epoch or (theirs.claim_floor >= grant.epoch and theirs.claim != grant.claim)
    )
    if other_boot or restarted or moved_on:
        step.change_group(name, grant=None)


def _drop_stale_claim(step: StepContext, name: str) -> None:
    group = step.state.group(name)
    claim = group.claim
    if claim is None:
        return
    theirs = peer_word.theirs(step.state, group)
    outdated = claim.epoch <= max(group.epoch, group.claim_floor) or (
        theirs is not None
        and claim.epoch <= max(theirs.epoch, theirs.claim_floor)
        and not _grants_us(step.state, group, theirs)
    )
    if (
        outdated
        or _gives_way(step.state, group)
        or blockers.could_serve(step.state, group) is not None
        or _is_pointless(step.state, group)
    ):
        _withdraw(step, group, claim)


def _is_pointless(state: NodeState, group: GroupState) -> bool:
    """Whether no answer to a claim can come: the peer is not heard, has withdrawn its offer, or runs what it lost.

    A peer that runs the group and has forgotten that it owned it grants nothing. It must claim itself (R16).
    """
    theirs, said = peer_word.theirs(state, group), peer_word.said(state, group)
    taken_back = theirs is not None and theirs.holding and not theirs.yielding and bool(state.config.reference_hosts)
    runs = said is not None and said.group.phase not in (GroupPhase.UNKNOWN, GroupPhase.STOPPED)
    forgotten = said is not None and runs and not said.group.holding
    return taken_back or forgotten or not (membership.is_alive(state) or disk_heartbeat.peer_message(state, group))


def _gives_way(state: NodeState, group: GroupState) -> bool:
    """Whether the peer claims as well, and has the higher rank."""
    theirs = peer_word.theirs(state, group)
    return theirs is not None and theirs.claim > 0 and _claimable(state, group) and not owners.ranks_first(state, group)


def _withdraw(step: StepContext, group: GroupState, claim: Claim) -> None:
    step.change_group(group.name, claim=None, claim_floor=max(group.claim_floor, claim.epoch))


def _claimable(state: NodeState, group: GroupState) -> bool:
    said = peer_word.said(state, group)
    return said is not None and not said.group.holding


def _grants_us(state: NodeState, group: GroupState, theirs: GroupBeat) -> bool:
    claim, us = group.claim, state.identity
    return claim is not None and theirs.grant == Grant(claim.epoch, us.boot_id, us.incarnation, claim.number)


def _accept_grant(step: StepContext, name: str) -> None:
    """Take what the peer grants. A node that could not serve has withdrawn its claim by now (`_drop_stale_claim`)."""
    group = step.state.group(name)
    claim = group.claim
    if group.holding or claim is None:
        return
    theirs = peer_word.theirs(step.state, group)
    if theirs is None or not _claimable(step.state, group) or not _grants_us(step.state, group, theirs):
        return
    peer = step.state.config.peer
    _take(step, Proof(ProofKind.HANDED_OVER, name, claim.epoch, step.state.peer.boot_id, f"granted by {peer}"))


def _take_by_own_proof(step: StepContext, name: str) -> None:
    group = step.state.group(name)
    if group.holding:
        return
    proof = proofs.proof_against_peer(step.state, group)
    if proof is None or blockers.could_serve(step.state, group) is not None:
        return
    if proof.kind is ProofKind.REBOOTED and not _should_claim(step.state, group):
        return
    _take(step, proof)


def _take(step: StepContext, proof: Proof) -> None:
    name, group = proof.group, step.state.group(proof.group)
    reservations.drop_readings(step, name)
    step.change_group(
        name,
        epoch=proof.epoch,
        term=_new_term(step, proof, group),
        claim=None,
        grant=None,
        legs=_new_legs(step.state, group),
    )
    step.change_peer(held=tuple(entry for entry in step.state.peer.held if entry[0] != name))
    node, peer, detail = step.state.config.node, step.state.config.peer, f" ({proof.detail})" if proof.detail else ""
    step.end_refusal(name)
    step.clear_alarm(Code.OWNERSHIP_LOST, Subject.group(name), f"{node} owns {name} again")
    sentence = f"{node} owns {name} at epoch {proof.epoch}: {peer} {proof.kind.value}{detail}"
    step.say(TAKEN[proof.kind], Subject.group(name), sentence)


def _new_term(step: StepContext, proof: Proof, group: GroupState) -> Term:
    legs = leg_ledger.complete_legs(step.state, group)
    peer = step.state.peer
    moved = proof.kind is ProofKind.HANDED_OVER and dict(peer.held).get(group.name) == peer.boot_id
    for_clients = moved and client_reach.is_ahead(step.state)
    first = group.epoch < target_restarts.FIRST_EPOCH
    return Term(proof, step.state.sequence, step.now_ms, first=first, for_clients=for_clients, startable_legs=legs)


def _new_legs(state: NodeState, group: GroupState) -> tuple[LegState, ...]:
    """The legs at the beginning of a term: what their targets forgot counts if the last owner has not mended it."""
    theirs = peer_word.theirs(state, group)
    newest = theirs is not None and theirs.epoch >= group.epoch
    told = {*suspect_legs.doubted(group), *(theirs.doubted if theirs is not None and newest else ())}
    return tuple(
        LegState(
            leg.name,
            leg.addresses,
            True if place in told or target_restarts.unknown_to_owner(group, leg) else None,
            unlisted_addresses=leg.unlisted_addresses,
            paths=leg.paths,
        )
        for place, leg in enumerate(group.legs)
    )


def _as_held(leg: LegState, epoch: int) -> LegState:
    """A leg of a term that goes on: what is reserved for us now was held in it."""
    ours = tuple(one.held_in(epoch) if one.holder is Holder.US else one for one in leg.addresses)
    return replaced(leg, addresses=ours)


def _grant(step: StepContext, name: str) -> None:
    """Promise the peer the epoch that it claims. The promise binds this node until the peer moved on or rebooted."""
    state = step.state
    group = state.group(name)
    if group.grant is not None or group.holding or group.claim is not None:
        return
    said = peer_word.said(state, group)
    if said is None or not said.group.claim or law.stops(state, Act.GRANT, group) is not None:
        return
    theirs = said.group
    grant = Grant(theirs.claim_epoch, said.boot_id, said.incarnation, theirs.claim)
    if phase_of(group) is not GroupPhase.STOPPED:
        return
    if (
        (state.order is not None and state.order.takes_power)
        or state.fence.tasks
        or state.fence.phase in (FencePhase.SETTLING, FencePhase.CANCELLING)
    ):
        return
    step.change_group(name, grant=grant, claim_floor=max(group.claim_floor, grant.epoch))
    sentence = f"{name} is granted to {state.config.peer} at epoch {grant.epoch}"
    step.say(Code.OWNERSHIP_GRANTED, Subject.group(name), sentence)


def _claim(step: StepContext, name: str) -> None:
    group = step.state.group(name)
    if group.holding or group.claim is not None or group.grant is not None or not _should_claim(step.state, group):
        return
    if lost_memory.is_being_read(group):
        return
    if _gives_way(step.state, group):
        return
    number = group.claims + 1
    step.change_group(name, claims=number, claim=Claim(number, proofs.next_epoch(step.state, group)))


def _should_claim(state: NodeState, group: GroupState) -> bool:
    """Whether this node claims (R9): a node that can serve goes first, then rank. A yielding owner asks the peer."""
    said = peer_word.said(state, group)
    if said is None:
        return False
    theirs = said.group
    if theirs.holding:
        reached = disk_heartbeat.peer_message(state, group) is None or bool(state.hosts.answering)
        return theirs.yielding and reached and blockers.could_serve(state, group) is None
    if theirs.phase is not GroupPhase.STOPPED or blockers.could_serve(state, group) is not None:
        return False
    runs_here = phase_of(group) is not GroupPhase.STOPPED
    if runs_here or not theirs.willing:
        return True
    if state.now_ms < group.hold_back_until_ms:
        return False
    return owners.ranks_first(state, group)
