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

from dataclasses import dataclass

from aoeha.core import ledger, membership, orders, rivals, shelf_link, shelves, storage_fence, taint
from aoeha.core.actions import Level
from aoeha.core.legs import LegState, SeizureState
from aoeha.core.replacing import replaced
from aoeha.core.state import FencePhase, GroupState, NodeState, PeerCondition, ResourcePhase, phase_of
from aoeha.core.turn import Turn
from aoeha.core.types import BeatFlag, Grant, GroupBeat, GroupPhase, Proof, ProofKind

BLIND_EPOCH_JUMP = 1_000
"""Added to an epoch taken without the peer's word by a node that never heard it: it may have counted on (H23)."""
PAUSED = "the pair is paused; to end that: aoeha resume"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, and the sentence that explains it."""

    yes: bool
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What the peer, at this boot and incarnation, says about a group."""

    boot_id: str
    incarnation: int
    group: GroupBeat


def may_start(state: NodeState, group: GroupState) -> Verdict:
    """Shared disks need proof that the peer cannot write. A quiet cable proves nothing."""
    proof = group.proof
    if not group.holding or proof is None:
        return Verdict(yes=False, sentence=group.refusal or f"{state.config.node} does not own {group.name}")
    if proof.group != group.name or proof.epoch != group.held_epoch:
        return Verdict(yes=False, sentence=f"the proof for {group.name} belongs to another epoch")
    if state.oath_pending:
        return Verdict(yes=False, sentence=f"{state.config.node} was away and waits to hear that nobody took over")
    if state.panicking or state.left:
        return Verdict(yes=False, sentence=f"{state.config.node} is on its way out")
    if state.paused:
        return Verdict(yes=False, sentence=PAUSED)
    unreserved = shelves.reserved(group)
    return Verdict(yes=not unreserved, sentence=unreserved)


def _in_standby(state: NodeState) -> str:
    """Where the test of a plug silenced the peer, the plugs may be swapped: who ends its standby then ends itself."""
    node, peer = state.config.node, state.config.peer
    if membership.is_silent(state):
        return f"{node} is in standby, and {peer} is silent: find out why before you end that"
    return f"{node} is in standby; to end that: aoeha unstandby {node}"


def willing(state: NodeState, group: GroupState) -> Verdict:
    """Whether this node could serve the group if it were allowed to. Who could not never claims and never fences."""
    node = state.config.node
    if state.standby:
        return Verdict(yes=False, sentence=_in_standby(state))
    if state.leaving or state.panicking:
        return Verdict(yes=False, sentence=f"{node} is leaving")
    if state.paused:
        return Verdict(yes=False, sentence=PAUSED)
    if state.oath_pending:
        return Verdict(yes=False, sentence=f"{node} was away and waits to hear that nobody took over")
    if group.given_up:
        return Verdict(yes=False, sentence=group.given_up)
    unusable = "" if group.holding else shelves.unusable(state, group)
    if unusable:
        return Verdict(yes=False, sentence=unusable)
    for resource in group.resources:
        if resource.phase is ResourcePhase.UNKNOWN:
            return Verdict(yes=False, sentence=f"{node} has not looked at {resource.config.name} yet")
        if resource.phase is ResourcePhase.STOP_FAILED:
            return Verdict(
                yes=False, sentence=f"{resource.config.name} could not be stopped on {node}: {resource.reason}"
            )
        if resource.valid is False:
            return Verdict(
                yes=False, sentence=f"{node} could not start {resource.config.name}: {resource.invalid_reason}"
            )
        if resource.valid is None and not group.holding:
            return Verdict(
                yes=False, sentence=f"{node} has not checked yet whether it could start {resource.config.name}"
            )
    return Verdict(yes=True)


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


def proof_against_peer(state: NodeState, group: GroupState) -> Proof | None:
    """The proof about the peer that this node has in hand for the group's next epoch, None if it has none."""
    peer, fence, name = state.peer, state.fence, group.name
    if peer.alternates or peer.condition is PeerCondition.BY_SHELVES:
        return None
    epoch = _next_epoch(state, group)
    blind = _own_parity(state, epoch) if group.legs else 0
    blind = blind if peer.heard else _blind_jump(state, epoch)
    if fence.off_boot_id is not None and fence.off_boot_id == peer.boot_id:
        return Proof(ProofKind.POWERED_OFF, name, epoch + blind, peer.boot_id, "read back as off")
    if fence.word_boot_id is not None and fence.word_boot_id == peer.boot_id:
        return Proof(ProofKind.OPERATOR, name, epoch + blind, peer.boot_id, f"the word of {fence.word_user}")
    if state.config.storage_suffices and storage_fence.complete(state, group):
        legs = ", ".join(leg.name for leg in ledger.fence_legs(state, group))
        return Proof(ProofKind.STORAGE_FENCED, name, epoch + blind, peer.boot_id, f"{legs} reserved for us")
    if membership.is_silent(state):
        return None
    beat, theirs = peer.beat, state.peer_group(name)
    if beat is None or theirs is None or BeatFlag.PROBED not in beat.flags:
        return None
    if theirs.holding or theirs.phase is not GroupPhase.STOPPED or membership.may_be_back(state, group):
        return None
    if peer.condition is PeerCondition.LEFT:
        return Proof(ProofKind.HANDED_OVER, name, epoch, peer.boot_id, f"{beat.sender} left and holds nothing")
    holder = dict(peer.held).get(name)
    if group.grant is None and holder is not None and holder in peer.retired_boot_ids:
        return Proof(ProofKind.REBOOTED, name, epoch, peer.boot_id, f"boot {holder[:8]} is gone and nothing runs")
    return None


def ranks_first(state: NodeState, group: GroupState) -> bool:
    """The fixed rank that settles crossing claims and orders fences: the preferred node, then the first name."""
    if group.config.preferred in (state.config.node, state.config.peer):
        return group.config.preferred == state.config.node
    return state.config.node < state.config.peer


def owner(state: NodeState, group: GroupState) -> str | None:
    """Who owns the group as far as this node knows: a node's name, empty for nobody, None for unknown."""
    if group.holding:
        return state.config.node
    theirs = state.peer_group(group.name)
    if theirs is None:
        return None
    if theirs.holding:
        return state.config.peer
    return "" if membership.is_alive(state) or state.peer.condition is PeerCondition.LEFT else None


def _blind_jump(state: NodeState, epoch: int) -> int:
    """How far to jump ahead: two nodes that never met must not both arrive at one epoch."""
    return BLIND_EPOCH_JUMP + _own_parity(state, epoch + BLIND_EPOCH_JUMP)


def _own_parity(state: NodeState, epoch: int) -> int:
    """What to add so that the peer never takes this epoch by itself: each node has its parity.

    Legs can be taken from a node that has taken them itself a moment ago, unheard.
    """
    return int(epoch % 2 != int(state.config.node < state.config.peer))


def _next_epoch(state: NodeState, group: GroupState) -> int:
    theirs = _theirs(state, group)
    known = (theirs.epoch, theirs.floor, theirs.claim_epoch) if theirs is not None else ()
    return max(group.epoch, group.floor, group.held_epoch, *known) + 1


def _learn(turn: Turn, name: str) -> None:
    """Take over the peer's higher epoch. An owner that hears a higher owner was superseded: it must not write on."""
    group = turn.state.group(name)
    theirs = _theirs(turn.state, group)
    if theirs is None:
        return
    if group.holding and rivals.superseded(turn.state, group):
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
    if phase_of(group) is GroupPhase.STOPPED and shelves.are_passed_on(turn.state, group):
        if taint.zombie_may_write(turn.state, group):
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
    theirs, said = _theirs(turn.state, group), _said(turn.state, group)
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
    theirs = _theirs(turn.state, group)
    outdated = group.claim_epoch <= max(group.epoch, group.floor) or (
        theirs is not None
        and group.claim_epoch <= max(theirs.epoch, theirs.floor)
        and not _grants_us(turn.state, group, theirs)
    )
    if (
        outdated
        or _gives_way(turn.state, group)
        or not willing(turn.state, group).yes
        or _is_pointless(turn.state, group)
    ):
        _withdraw(turn, group)


def _is_pointless(state: NodeState, group: GroupState) -> bool:
    """Whether nobody would answer a claim: the peer is not heard, or it has taken back the offer that was claimed."""
    theirs = _theirs(state, group)
    taken_back = theirs is not None and theirs.holding and not theirs.yielding and bool(state.config.reference_hosts)
    return taken_back or not (membership.is_alive(state) or shelf_link.spoken(state, group))


def _gives_way(state: NodeState, group: GroupState) -> bool:
    """Whether the peer claims as well, and goes first by rank."""
    theirs = _theirs(state, group)
    return theirs is not None and theirs.claim > 0 and _claimable(state, group) and not ranks_first(state, group)


def _withdraw(turn: Turn, group: GroupState) -> None:
    turn.change_group(group.name, claim=0, claim_epoch=0, floor=max(group.floor, group.claim_epoch))


def _claimable(state: NodeState, group: GroupState) -> bool:
    said = _said(state, group)
    return said is not None and not said.group.holding and said.group.phase is GroupPhase.STOPPED


def _said(state: NodeState, group: GroupState) -> Said | None:
    """What the peer says now, having looked itself: in its beats, or in its record where no link carries any (R13)."""
    record, beat, theirs = shelf_link.spoken(state, group), state.peer.beat, state.peer_group(group.name)
    if record is not None and record.word is not None:
        return Said(record.boot_id, record.incarnation, record.word)
    if beat is None or theirs is None or not membership.has_reported(state):
        return None
    return Said(beat.boot_id, beat.incarnation, theirs)


def _theirs(state: NodeState, group: GroupState) -> GroupBeat | None:
    """The peer's newest word, however old it is."""
    record = shelf_link.spoken(state, group)
    return record.word if record is not None else state.peer_group(group.name)


def _grants_us(state: NodeState, group: GroupState, theirs: GroupBeat) -> bool:
    wanted = Grant(group.claim_epoch, state.identity.boot_id, state.identity.incarnation, group.claim)
    return group.claim > 0 and theirs.grant == wanted


def _accept_grant(turn: Turn, name: str) -> None:
    group = turn.state.group(name)
    if group.holding or not group.claim:
        return
    theirs = _theirs(turn.state, group)
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
    proof = proof_against_peer(turn.state, group)
    if proof is None or not willing(turn.state, group).yes:
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
        complete=ledger.complete_legs(turn.state, turn.state.group(name)),
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
    said = _said(state, group)
    if said is None or not said.group.claim or state.peer.alternates:
        return
    theirs = said.group
    grant = Grant(theirs.claim_epoch, said.boot_id, said.incarnation, theirs.claim)
    if phase_of(group) is not GroupPhase.STOPPED or theirs.claim_epoch <= max(group.epoch, group.floor):
        return
    if (
        state.paused
        or orders.is_taking(state)
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
    turn.change_group(name, claims=number, claim=number, claim_epoch=_next_epoch(turn.state, group))


def _should_claim(state: NodeState, group: GroupState) -> bool:
    """Who claims: a node that can serve before one that can't, then by rank; a yielding owner asks the other (R9)."""
    said = _said(state, group)
    if said is None:
        return False
    theirs = said.group
    if theirs.holding:
        reached = shelf_link.spoken(state, group) is None or bool(state.hosts.answer)
        return theirs.yielding and reached and willing(state, group).yes
    if theirs.phase is not GroupPhase.STOPPED or not willing(state, group).yes:
        return False
    runs_here = phase_of(group) is not GroupPhase.STOPPED
    if runs_here or not theirs.willing:
        return True
    if state.now_ms < group.hold_back_until_ms:
        return False
    return ranks_first(state, group)
