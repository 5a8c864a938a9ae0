"""Service addresses: whether another host may still answer for one (R12).

Rules. A storage fence keeps the peer from writing, not from answering: its kernel may keep the address while its daemon
is dead. So a node that owns a group by that proof alone probes the network while the mirror is assembled. It adds the
address when no host answers, or when the peer has been off or has rebooted since. It keeps probing until one of these
is so. Where the network cannot be asked, the address is added after twice its lifetime, under an alarm (R18).

Anybody on the clients' network can answer, and nothing tells by what right. So an answer keeps an address only for as
long as the peer could still have it by the rules below: twice its lifetime after the proof. Then it is added all the
same, under an alarm that names the hardware address of the machine that answers. Where the pair was paused when the
peer was last heard, its address has no end, and an answer keeps the address until the peer is known to be off.

The other way round, the peer may be able to preempt our legs but not to switch us off. Then our own address lives on
for a while only after a leg was seen to be ours, or while the peer says that it owns nothing. The kernel of a node
whose daemon is dead, or that sees neither shelves nor peer, drops the address by itself. That node adds it no sooner.
During a pause neither node takes anything, and the address lives on.

What this file does not know: how the network is probed.
"""

from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.config import PairConfig
from aoeha.core.model.events import TaskDone
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.state import GroupState, NodeState, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import Answered, ConflictTask
from aoeha.core.model.term import Term
from aoeha.core.ownership import owners
from aoeha.core.peer import membership

ASK_EVERY_MS = 1_000


def decide(step: StepContext) -> None:
    """Probe for a conflict on every address that was or will be added, while the peer may still answer for it."""
    for group in step.state.groups:
        term = group.term
        if term is not None and not term.address_uncontested and _says_that_it_stopped(step.state, group, term):
            step.change_term(group.name, address_uncontested=True)
        if term is None or not may_conflict(step.state, group):
            _end_alarms(step, group)
            continue
        for resource in group.resources:
            asked_ms = resource.conflict_asked_ms
            due = asked_ms < max(term.taken_ms, 1) or step.now_ms - asked_ms >= ASK_EVERY_MS
            if resource.config.exclusive and due and not resource.conflict_task_id:
                _ask(step, group, resource)


def task_done(step: StepContext, task: ConflictTask, done: TaskDone) -> None:
    """Process the result of a probe. A probe that failed tells nothing about conflicts."""
    group, name, peer = step.state.group(task.group), task.subject, step.state.config.peer
    if group.resource(name).conflict_task_id != task.id:
        return
    conflict = done.outcome.by if isinstance(done.outcome, Answered) else None
    step.change_resource(task.group, name, conflict_task_id=0)
    if group.term is not None:
        step.change_term(task.group, conflicts=tuple({**dict(group.term.conflicts), name: conflict}.items()))
    subject = Subject.resource(task.group, name)
    if conflict is None:
        why = done.detail or f"its probe {done.result.value}"
        sentence = f"the network cannot be asked who answers for {name}, which {peer} may still have: {why}"
        step.alarm(Code.ADDRESS_NOT_PROBED, subject, sentence)
    else:
        step.clear_alarm(Code.ADDRESS_NOT_PROBED, subject, f"the network can be asked who answers for {name}")
    if conflict:
        sentence = f"the machine with the hardware address {conflict} answers for {name}: {peer}, or a stranger"
        step.alarm(Code.ADDRESS_CONFLICT, subject, sentence)
    elif conflict is not None:
        step.clear_alarm(Code.ADDRESS_CONFLICT, subject, f"no other machine answers for {name} any more")


def _end_alarms(step: StepContext, group: GroupState) -> None:
    """End the probes: the peer cannot answer for these addresses, or they are not ours."""
    for resource in group.resources if step.state.alarms else ():
        subject, name = Subject.resource(group.name, resource.config.name), resource.config.name
        sentence = f"{step.state.config.peer} cannot answer for {name} any more"
        for code in (Code.ADDRESS_CONFLICT, Code.ADDRESS_NOT_PROBED):
            step.clear_alarm(code, subject, sentence)


def why_not_yet(state: NodeState, group: GroupState, resource: ResourceState) -> str:
    """Why an address may not be added yet; empty for no reason."""
    if group.term is None or not resource.config.exclusive or not may_conflict(state, group):
        return ""
    name, conflict = resource.config.name, group.term.conflict(resource.config.name)
    waited_ms = state.now_ms - max(group.term.taken_ms, state.started_ms)
    if conflict == "" or (waited_ms >= patience_ms(state.config) and not (conflict and _may_live_on(state))):
        return ""
    if conflict is None:
        return f"{name} is not added yet: {state.config.node} asks the network who answers for it"
    return f"{name} is not added yet: the machine with the hardware address {conflict} answers for it"


def patience_ms(config: PairConfig) -> int:
    """How long an answer, or a network that cannot be asked, keeps an address from being added.

    By then the peer's kernel has dropped it, for its daemon could not renew it without its legs (R12).
    """
    return 2 * config.address_lifetime_ms


def _may_live_on(state: NodeState) -> bool:
    """Whether the peer's kernel may have been told in a pause to keep its addresses: its end the peer never told."""
    beat, stamps = state.peer.beat, (group.shelf_link.said for group in state.groups)
    told = [beat.pause_number] if beat is not None else []
    told.extend(stamp.pause_number for stamp in stamps if stamp is not None)
    return max(told, default=0) < state.pause_number


def may_conflict(state: NodeState, group: GroupState) -> bool:
    """Whether the group is owned by a storage fence, and nothing since has shown that its victim does not answer.

    A power-off of the victim shows that, or a new boot of it. Its own message shows that too: in answer to us, that it
    has stopped everything of the group. That message stays valid: a peer that starts the group again does so at a later
    epoch than ours.
    """
    term, off = group.term, state.last_off
    if term is None:
        return False
    proof = term.proof
    if proof.kind is not ProofKind.STORAGE_FENCED or proof.peer_boot_id != state.peer.boot_id:
        return False
    if owners.superseded(state, group):
        return False
    unproven = off is None or off.boot_id != proof.peer_boot_id
    return unproven and not term.address_uncontested and not _says_that_it_stopped(state, group, term)


def _says_that_it_stopped(state: NodeState, group: GroupState, term: Term) -> bool:
    beat, theirs = state.peer.beat, state.peer_group(group.name)
    if beat is None or theirs is None or not membership.has_reported(state):
        return False
    answers_us = beat.echo_sequence > term.taken_sequence
    return answers_us and not theirs.holding and theirs.phase is GroupPhase.STOPPED


def _ask(step: StepContext, group: GroupState, resource: ResourceState) -> None:
    state, config = step.state, resource.config
    reason = "detect an address conflict"
    task = ConflictTask(state.next_task_id, config.monitor_ms, reason, group.name, config.name)
    step.begin(task)
    step.change_resource(group.name, config.name, conflict_task_id=task.id, conflict_asked_ms=step.now_ms)
