"""Whether this node may start a group, and whether it could serve it if it were allowed to."""

from dataclasses import dataclass

from aoeha.core.model.state import GroupState, NodeState, ResourcePhase
from aoeha.core.peer import membership
from aoeha.core.storage import reservations

PAUSED = "the pair is paused; to end that: aoeha resume"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, and the sentence that explains it."""

    yes: bool
    sentence: str = ""


def may_start(state: NodeState, group: GroupState) -> Verdict:
    """Shared disks need proof that the peer cannot write. A quiet cable proves nothing."""
    proof = group.proof
    if not group.holding or proof is None:
        return Verdict(yes=False, sentence=group.refusal or f"{state.config.node} does not own {group.name}")
    if proof.group != group.name or proof.epoch != group.held_epoch:
        return Verdict(yes=False, sentence=f"the proof for {group.name} belongs to another epoch")
    if state.revalidating:
        return Verdict(yes=False, sentence=f"{state.config.node} was away and waits to hear that nobody took over")
    if state.panicking or state.left:
        return Verdict(yes=False, sentence=f"{state.config.node} is on its way out")
    if state.paused:
        return Verdict(yes=False, sentence=PAUSED)
    unreserved = reservations.reserved(group)
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
    if state.revalidating:
        return Verdict(yes=False, sentence=f"{node} was away and waits to hear that nobody took over")
    if group.given_up:
        return Verdict(yes=False, sentence=group.given_up)
    unusable = "" if group.holding else reservations.unusable(state, group)
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
