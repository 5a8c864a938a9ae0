"""Offer and claim through the shelves: an owner that its clients cannot reach hands over without a link (R13).

Rules. Reference hosts are hosts among the clients. Where some are configured and no link carries beats, they are pinged
again and again. An owner that sees its legs, but to which no host has answered for deadtime, offers the group in its
record and keeps serving: perhaps the peer could do no better. A node that reads the offer, and has an answer of a host
itself, claims the group in the record, in place of the owner's. Only such a claim makes the owner stop. The owner then
transfers its legs to the claimer, and grants. Both nodes write there what they would say in beats, and
`aoeha.core.ownership.claims` decides on it by the same rules. So whichever node or link fails or returns in between, no
node starts without that grant or another proof.

Records carry messages only while there is something to agree on. Without reference hosts they carry none.

What this file does not know: how a record gets to the shelves, and what a claim and a grant bind to.
"""

from aoeha.core.model import law
from aoeha.core.model.beat import GroupBeat, GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import TaskDone
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.legs import HostsState
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState, PeerCondition
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import Answered, HostsTask, TaskResult
from aoeha.core.ownership import group_beat
from aoeha.core.peer import disk_heartbeat, membership

ABOUT = "reference hosts"


def decide(step: StepContext) -> None:
    """Ping the hosts while no link is left, and stop the groups that the peer has claimed."""
    if not step.state.config.reference_hosts:
        return
    _ask_hosts(step)
    for group in step.state.groups:
        subject, peer = Subject.group(group.name), step.state.config.peer
        if not offers(step.state, group):
            step.clear_alarm(Code.CLIENTS_UNREACHABLE, subject, f"{group.name} is no longer offered to {peer}")
            continue
        step.alarm(Code.CLIENTS_UNREACHABLE, subject, sentence(step.state, group))
        if _is_claimed(step.state, group):
            reason = f"{peer} reaches clients and claims it through the lock records"
            step.change_term(group.name, yielding=reason)
            step.change_group(group.name, hold_back_until_ms=step.now_ms + group_beat.HOLD_BACK_MS)
            step.say(Code.CLIENTS_HANDING_OVER, subject, f"{group.name} is being handed over: {reason}")


def offers(state: NodeState, group: GroupState) -> bool:
    """Whether this node owns the group, reaches no client as far as it knows, and can tell the peer so."""
    hosts = state.hosts
    if not state.config.reference_hosts or not group.holding or hosts.answer is not False:
        return False
    if (
        law.stops(state, Act.OFFER, group) is not None
        or membership.is_alive(state)
        or state.peer.condition is PeerCondition.LEFT
    ):
        return False
    silent_ms = state.now_ms - max(hosts.since_ms, state.listening_since_ms)
    return silent_ms >= state.config.deadtime_ms and any(leg.shows_anywhere(Holder.US) for leg in group.legs)


def sentence(state: NodeState, group: GroupState) -> str:
    """The sentence that reports an offer."""
    node, peer = state.config.node, state.config.peer
    return (
        f"no reference host answers {node}. {node} offers {group.name} to {peer} through the lock records, and serves "
        "on"
    )


def stamp(step: StepContext) -> None:
    """Write and read the records on the shelves, with the messages that belong in them."""
    disk_heartbeat.decide(step, words(step.state))


def words(state: NodeState) -> dict[str, GroupBeat]:
    """The messages about groups that go into the records while no link is left."""
    if not state.config.reference_hosts or not disk_heartbeat.is_quiet(state):
        return {}
    return {group.name: _word(state, group) for group in state.groups if group.legs and _has_a_say(state, group)}


def task_done(step: StepContext, task: HostsTask, done: TaskDone) -> None:
    """Process whether a reference host answered. A failure to ask them counts as no answer."""
    hosts, node = step.state.hosts, step.state.config.node
    if hosts.task_id != task.id:
        return
    answer = done.outcome.yes if isinstance(done.outcome, Answered) else None
    changed = answer is not hosts.answer
    step.change_hosts(task_id=0, answer=answer, since_ms=hosts.asked_ms if changed else hosts.since_ms)
    if done.result is TaskResult.FAILED:
        step.alarm(Code.HOSTS_NOT_ASKED, Subject.node(node), f"{node} cannot ask the reference hosts: {done.detail}")
    elif answer is not None:
        step.clear_alarm(Code.HOSTS_NOT_ASKED, Subject.node(node), f"{node} can ask the reference hosts again")
    if changed and answer:
        step.say(Code.HOSTS_ANSWER, Subject.node(node), f"a reference host answers {node}")
    elif changed and answer is not None:
        step.say(Code.HOSTS_SILENT, Subject.node(node), f"no reference host answers {node}")


def _ask_hosts(step: StepContext) -> None:
    """Ping once a hold period while no link carries beats. What was known before that is forgotten."""
    state, hosts = step.state, step.state.hosts
    if not disk_heartbeat.is_quiet(state):
        if hosts != HostsState():
            step.change(hosts=HostsState())
            node = step.state.config.node
            step.clear_alarm(Code.HOSTS_NOT_ASKED, Subject.node(node), f"{node} need not ask the reference hosts")
        return
    due = not hosts.asked_ms or step.now_ms - hosts.asked_ms >= state.config.hold_every_ms
    if hosts.task_id or not due or law.stops(step.state, Act.OFFER) is not None:
        return
    patience_ms, reason = state.config.shelf_timeout_ms, "ping the reference hosts"
    task = HostsTask(state.next_task_id, patience_ms, reason)
    step.begin(task)
    step.change_hosts(task_id=task.id, asked_ms=step.now_ms)


def _is_claimed(state: NodeState, group: GroupState) -> bool:
    record = disk_heartbeat.peer_message(state, group)
    if record is None or record.message is None or law.stands(state, Kind.DUPLICATE_NAME):
        return False
    return record.message.claim > 0 and record.message.claim_epoch > max(group.held_epoch, group.claim_floor)


def _has_a_say(state: NodeState, group: GroupState) -> bool:
    """Whether there is something to agree on: an offer, a hand-over, a claim or a grant, or who is to own it at all."""
    record = disk_heartbeat.peer_message(state, group)
    theirs = record.message if record is not None else None
    if theirs is not None and (theirs.claim > 0 or theirs.grant is not None):
        return True
    if group.holding:
        return bool(group.yielding) or offers(state, group)
    return group.claim is not None or group.grant is not None or (theirs is not None and not theirs.holding)


def _word(state: NodeState, group: GroupState) -> GroupBeat:
    """What a beat would say, and that an offering owner would yield. A node that has not probed yet shows only life."""
    said = group_beat.group_beat(state, group)
    return replaced(
        said,
        phase=said.phase if state.may_be_judged else GroupPhase.UNKNOWN,
        yielding=said.yielding or offers(state, group),
        willing=said.willing and state.hosts.answer is not False,
        ledger=None,
        acknowledged=0,
    )
