"""Who owns a group, and by what right (R2, R9, R10, R15).

Rules. A node starts a group only while it holds it, and holds it only by a proof: a reason why the peer cannot write,
good for one epoch and one boot of the peer. There are five kinds; silence is none of them. `may_start` is the postcard
that every start passes; nothing else may decide it.

While both nodes are alive the proof is the peer's word, in its beats, or in its record on the shelves where both speak
there because no link is left (R13). A node that wants a group claims the next epoch; the other grants exactly that
claim, and only with everything stopped. Who granted or withdrew an epoch only ever claims above it, and remembers that
before it says so. Crossing claims are settled by a fixed rank, never by luck.

What this file does not know: how a fence is done, and how resources are started.
"""

from aoeha.core.model.actions import Level
from aoeha.core.model.beat import Grant, GroupBeat, GroupPhase
from aoeha.core.model.legs import LegState, SeizureState
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import FencePhase, GroupState, NodeState, phase_of
from aoeha.core.model.step_context import Turn
from aoeha.core.ownership import blockers, owners, peer_word, proofs
from aoeha.core.peer import disk_heartbeat, membership
from aoeha.core.storage import leg_ledger, reservations, suspect_legs


def decide(turn: Turn) -> None:
    """Bring ownership of every group up to date with what the peer's beats and the proofs say."""
    for name in [group.name for group in turn.state.groups]:
        _learn(turn, name)
        _release(turn, name)
        _end_grant(turn, name)
        _drop_stale_claim(turn, name)
        _accept_grant(turn, name)
        _take_by_own_proof(turn, name)
        _grant(turn, name)
        _claim(turn, name)


def drop(turn: Turn, name: str, sentence: str) -> None:
    """Give up ownership without a release: what was started by it must be stopped."""
    turn.change_group(name, held_epoch=0, proof=None, unsure=False, blind=False, seizure=SeizureState())
    turn.change(released_sequence=turn.state.sequence)
    turn.alarm(name, sentence)


def withdraw_claims(turn: Turn) -> None:
    """Forget every claim that is out: an answer to it could be older than what we slept through (R10)."""
    for group in turn.state.groups:
        if group.claim:
            _withdraw(turn, group)


def _learn(turn: Turn, name: str) -> None:
    """Take over the peer's higher epoch. An owner that hears a higher owner was superseded: it must not write on."""
    group = turn.state.group(name)
    theirs = peer_word.theirs(turn.state, group)
    if theirs is None:
        return
    if group.holding and owners.superseded(turn.state, group):
        turn.change(panicking=True)
        turn.alarm(name, f"{turn.state.config.peer} owns {name} at epoch {theirs.epoch}, above our {group.held_epoch}")
    if theirs.epoch > group.epoch:
        turn.change_group(name, epoch=theirs.epoch)
    if theirs.holding and group.hold_back_until_ms:
        turn.change_group(name, hold_back_until_ms=0)


def _release(turn: Turn, name: str) -> None:
    """End ownership once everything is stopped: only then may the peer be told (I4)."""
    group = turn.state.group(name)
    if not (group.holding and group.yielding):
        return
    if phase_of(group) is GroupPhase.STOPPED and reservations.are_passed_on(turn.state, group):
        if suspect_legs.zombie_may_write(turn.state, group):
            node, peer = turn.state.config.node, turn.state.config.peer
            sentence = f"{name} stays reserved for {node}: {peer} may still write until it is off or boots anew"
            turn.say(Level.WARNING, name, sentence)
        turn.change_group(name, held_epoch=0, proof=None, yielding="", blind=False, seizure=SeizureState())
        turn.change(released_sequence=turn.state.sequence)
        turn.say(Level.INFO, name, f"{name} is stopped and released at epoch {group.held_epoch}: {group.yielding}")


def _end_grant(turn: Turn, name: str) -> None:
    group, peer = turn.state.group(name), turn.state.peer
    grant = group.grant
    if grant is None:
        return
    theirs, said = peer_word.theirs(turn.state, group), peer_word.said(turn.state, group)
    other_boot = bool(peer.boot_id) and peer.boot_id != grant.boot_id
    restarted = said is not None and said.incarnation > grant.incarnation
    moved_on = theirs is not None and (
        theirs.epoch >= grant.epoch or (theirs.floor >= grant.epoch and theirs.claim != grant.claim)
    )
    if other_boot or restarted or moved_on:
        turn.change_group(name, grant=None)


def _drop_stale_claim(turn: Turn, name: str) -> None:
    group = turn.state.group(name)
    if not group.claim:
        return
    theirs = peer_word.theirs(turn.state, group)
    outdated = group.claim_epoch <= max(group.epoch, group.floor) or (
        theirs is not None
        and group.claim_epoch <= max(theirs.epoch, theirs.floor)
        and not _grants_us(turn.state, group, theirs)
    )
    if (
        outdated
        or _gives_way(turn.state, group)
        or not blockers.willing(turn.state, group).yes
        or _is_pointless(turn.state, group)
    ):
        _withdraw(turn, group)


def _is_pointless(state: NodeState, group: GroupState) -> bool:
    """Whether nobody would answer a claim: the peer is not heard, or it has taken back the offer that was claimed."""
    theirs = peer_word.theirs(state, group)
    taken_back = theirs is not None and theirs.holding and not theirs.yielding and bool(state.config.reference_hosts)
    return taken_back or not (membership.is_alive(state) or disk_heartbeat.spoken(state, group))


def _gives_way(state: NodeState, group: GroupState) -> bool:
    """Whether the peer claims as well, and goes first by rank."""
    theirs = peer_word.theirs(state, group)
    return theirs is not None and theirs.claim > 0 and _claimable(state, group) and not owners.ranks_first(state, group)


def _withdraw(turn: Turn, group: GroupState) -> None:
    turn.change_group(group.name, claim=0, claim_epoch=0, floor=max(group.floor, group.claim_epoch))


def _claimable(state: NodeState, group: GroupState) -> bool:
    said = peer_word.said(state, group)
    return said is not None and not said.group.holding and said.group.phase is GroupPhase.STOPPED


def _grants_us(state: NodeState, group: GroupState, theirs: GroupBeat) -> bool:
    wanted = Grant(group.claim_epoch, state.identity.boot_id, state.identity.incarnation, group.claim)
    return group.claim > 0 and theirs.grant == wanted


def _accept_grant(turn: Turn, name: str) -> None:
    group = turn.state.group(name)
    if group.holding or not group.claim:
        return
    theirs = peer_word.theirs(turn.state, group)
    if theirs is None or not _claimable(turn.state, group) or not _grants_us(turn.state, group, theirs):
        return
    if turn.state.peer.alternates or turn.state.paused:
        return
    peer = turn.state.config.peer
    _take(turn, Proof(ProofKind.HANDED_OVER, name, group.claim_epoch, turn.state.peer.boot_id, f"granted by {peer}"))


def _take_by_own_proof(turn: Turn, name: str) -> None:
    group = turn.state.group(name)
    if group.holding:
        return
    proof = proofs.proof_against_peer(turn.state, group)
    if proof is None or not blockers.willing(turn.state, group).yes:
        return
    if proof.kind is ProofKind.REBOOTED and not _should_claim(turn.state, group):
        return
    _take(turn, proof)


def _take(turn: Turn, proof: Proof) -> None:
    name = proof.group
    turn.change_group(
        name,
        epoch=proof.epoch,
        held_epoch=proof.epoch,
        proof=proof,
        claim=0,
        claim_epoch=0,
        grant=None,
        retry_at_ms=0,
        shelf_retry_ms=0,
        given=(),
        yielding="",
        taken_sequence=turn.state.sequence,
        complete=leg_ledger.complete_legs(turn.state, turn.state.group(name)),
        ledger=None,
        heard_ledger=None,
        legs=tuple(_as_new(leg) for leg in turn.state.group(name).legs),
        unsure=False,
        blind=False,
        undisputed=False,
        resources=tuple(replaced(resource, rival=None) for resource in turn.state.group(name).resources),
    )
    turn.change_peer(held=tuple(entry for entry in turn.state.peer.held if entry[0] != name))
    turn.refuse(name, "")
    turn.clear_alarm(name, f"{name} has an owner again")
    node, detail = turn.state.config.node, f" ({proof.detail})" if proof.detail else ""
    turn.say(
        Level.INFO,
        name,
        f"{node} owns {name} at epoch {proof.epoch}: {turn.state.config.peer} {proof.kind.value}{detail}",
    )


def _as_new(leg: LegState) -> LegState:
    """A leg at the beginning of an ownership: what its target forgot before is the last owner's matter."""
    return LegState(leg.name, leg.addresses, strays=leg.strays, ways=leg.ways)


def _grant(turn: Turn, name: str) -> None:
    """Promise the peer the epoch that it claims. The promise binds us until it moved on or rebooted."""
    state = turn.state
    group = state.group(name)
    if group.grant is not None or group.holding or group.claim:
        return
    said = peer_word.said(state, group)
    if said is None or not said.group.claim or state.peer.alternates:
        return
    theirs = said.group
    grant = Grant(theirs.claim_epoch, said.boot_id, said.incarnation, theirs.claim)
    if phase_of(group) is not GroupPhase.STOPPED or theirs.claim_epoch <= max(group.epoch, group.floor):
        return
    if (
        state.paused
        or (state.order is not None and state.order.takes_power)
        or state.fence.tasks
        or state.oath_pending
        or state.fence.phase in (FencePhase.SETTLING, FencePhase.CANCELLING)
    ):
        return
    turn.change_group(name, grant=grant, floor=max(group.floor, grant.epoch))
    turn.say(Level.INFO, name, f"{name} is granted to {state.config.peer} at epoch {grant.epoch}")


def _claim(turn: Turn, name: str) -> None:
    group = turn.state.group(name)
    if group.holding or group.claim or group.grant is not None or not _should_claim(turn.state, group):
        return
    if _gives_way(turn.state, group):
        return
    number = group.claims + 1
    turn.change_group(name, claims=number, claim=number, claim_epoch=proofs.next_epoch(turn.state, group))


def _should_claim(state: NodeState, group: GroupState) -> bool:
    """Who claims: a node that can serve before one that can't, then by rank; a yielding owner asks the other (R9)."""
    said = peer_word.said(state, group)
    if said is None:
        return False
    theirs = said.group
    if theirs.holding:
        reached = disk_heartbeat.spoken(state, group) is None or bool(state.hosts.answer)
        return theirs.yielding and reached and blockers.willing(state, group).yes
    if theirs.phase is not GroupPhase.STOPPED or not blockers.willing(state, group).yes:
        return False
    runs_here = phase_of(group) is not GroupPhase.STOPPED
    if runs_here or not theirs.willing:
        return True
    if state.now_ms < group.hold_back_until_ms:
        return False
    return owners.ranks_first(state, group)
