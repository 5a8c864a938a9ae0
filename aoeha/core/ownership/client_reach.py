"""The gateway that serves its clients better, serves (home of R25; also R13).

Rules. Reference hosts are hosts among the clients. Where some are configured, each gateway pings all of them once a
hold period, and tells the peer in its beats how many have answered. An owner that has had fewer answers than the peer
for three deadtimes hands the group over, as if an operator had ordered it: it stops, releases and grants. So a loss of
clients is never a reason to fence, to panic or to claim. What is not known, or was learned before a stall, is no
number, and two configurations may name different hosts: then nothing is compared. A group that came here so is not
given back so within the cool-down, for a network that comes and goes would move it each time. One that the peer did not
own before, as in a cold start, has not moved.

Where no host answers this gateway for deadtime, an alarm says so, whether it can help or not.

What this file does not know: how a group moves where no link is left (`aoeha.core.ownership.client_isolation`).
"""

from aoeha.core.model import law
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import TaskDone
from aoeha.core.model.fence import FencePhase
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.state import GroupState, NodeState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import HostsHeard, HostsTask, TaskResult
from aoeha.core.ownership import group_beat, owners
from aoeha.core.peer import membership

BEHIND_DEADTIMES = 3
COOL_DOWN_MS = 300_000
READINGS = 3
"""An answer is fresh while no more than so many later questions can have been asked in vain."""


def decide(step: StepContext) -> None:
    """Ping the hosts, and hand over what the peer serves better."""
    if not step.state.config.reference_hosts:
        return
    _ask_hosts(step)
    behind = _is_behind(step.state)
    if behind is not bool(step.state.hosts.behind_since_ms):
        step.change_hosts(behind_since_ms=step.now_ms if behind else 0)
    for group in step.state.groups:
        if _should_move(step.state, group):
            hand_over(step, group, _numbers(step.state))
    _tell(step)


def told(state: NodeState) -> int | None:
    """How many reference hosts have answered this node lately: what its beats say. None where that is not known."""
    hosts, config = state.hosts, state.config
    fresh_ms = READINGS * (config.hold_every_ms + config.shelf_timeout_ms)
    return hosts.answering if state.now_ms - hosts.answered_ms < fresh_ms else None


def is_ahead(state: NodeState) -> bool:
    """Whether more hosts answer this node than the peer, by what both said last."""
    beat, ours = state.peer.beat, told(state)
    return beat is not None and beat.hosts is not None and ours is not None and ours > beat.hosts


def is_behind(state: NodeState) -> bool:
    """Whether the peer has reached more hosts than this node, for as long as it takes to move a group."""
    since_ms = state.hosts.behind_since_ms
    return since_ms > 0 and state.now_ms - since_ms >= BEHIND_DEADTIMES * state.config.deadtime_ms


def reaches_nobody(state: NodeState) -> bool:
    """Whether no host has answered for deadtime, in which this node listened."""
    hosts = state.hosts
    silent_ms = state.now_ms - max(hosts.since_ms, state.listening_since_ms)
    return hosts.answering == 0 and silent_ms >= state.config.deadtime_ms


def hand_over(step: StepContext, group: GroupState, reason: str) -> None:
    """Give a group to the peer, which serves its clients better, and do not claim it back at once."""
    step.change_term(group.name, yielding=reason)
    step.change_group(group.name, hold_back_until_ms=step.now_ms + group_beat.HOLD_BACK_MS)
    step.say(Code.CLIENTS_HANDING_OVER, Subject.group(group.name), f"{group.name} is being handed over: {reason}")


def task_done(step: StepContext, task: HostsTask, done: TaskDone) -> None:
    """Process how many reference hosts answered. A failure to ask them is no number."""
    hosts, node, asked = step.state.hosts, Subject.node(step.state.config.node), len(step.state.config.reference_hosts)
    if hosts.task_id != task.id:
        return
    count = done.outcome.count if isinstance(done.outcome, HostsHeard) else None
    changed = count != hosts.answering
    since_ms = hosts.asked_ms if changed else hosts.since_ms
    step.change_hosts(task_id=0, answering=count, since_ms=since_ms, answered_ms=hosts.asked_ms)
    if done.result is TaskResult.FAILED:
        step.alarm(Code.HOSTS_NOT_ASKED, node, f"{node.name} cannot ask the reference hosts: {done.detail}")
    elif count is not None:
        step.clear_alarm(Code.HOSTS_NOT_ASKED, node, f"{node.name} can ask the reference hosts again")
    if changed and count:
        step.say(Code.HOSTS_ANSWER, node, f"{count} of {asked} reference hosts answer {node.name}")
    elif changed and count == 0:
        step.say(Code.HOSTS_SILENT, node, f"no reference host answers {node.name}")


def _ask_hosts(step: StepContext) -> None:
    """Ping once a hold period."""
    state, hosts = step.state, step.state.hosts
    due = not hosts.asked_ms or step.now_ms - hosts.asked_ms >= state.config.hold_every_ms
    if hosts.task_id or not due:
        return
    task = HostsTask(state.next_task_id, state.config.shelf_timeout_ms, "ping the reference hosts")
    step.begin(task)
    step.change_hosts(task_id=task.id, asked_ms=step.now_ms)


def _is_behind(state: NodeState) -> bool:
    """Whether the peer says now that more hosts answer it."""
    ours, beat = told(state), state.peer.beat
    if ours is None or beat is None or beat.hosts is None or not membership.is_alive(state):
        return False
    if state.peer.stale or beat.config_tag != state.config.config_tag or law.stands(state, Kind.DUPLICATE_NAME):
        return False
    return beat.hosts > ours


def _should_move(state: NodeState, group: GroupState) -> bool:
    """Whether an owner gives what it serves to the peer, which more hosts answer, and which could serve it."""
    term = group.term
    if term is None or group.yielding or not is_behind(state) or law.stops(state, Act.OFFER, group) is not None:
        return False
    if phase_of(group) is not GroupPhase.RUNNING or state.fence.phase is not FencePhase.IDLE:
        return False
    came_lately = term.for_clients and state.now_ms - term.taken_ms < COOL_DOWN_MS
    return not came_lately and owners.peer_takes(state, group)


def _numbers(state: NodeState) -> str:
    """The sentence that tells why the peer is better."""
    node, peer, asked, beat = state.config.node, state.config.peer, len(state.config.reference_hosts), state.peer.beat
    theirs = beat.hosts if beat is not None else None
    return f"{theirs} of {asked} reference hosts answer {peer}, and {state.hosts.answering} answer {node}"


def _tell(step: StepContext) -> None:
    node = step.state.config.node
    if reaches_nobody(step.state):
        sentence = f"no reference host answers {node}: clients that use them do not reach it"
        step.alarm(Code.CLIENTS_UNREACHABLE, Subject.node(node), sentence)
    elif step.state.hosts.answering:
        step.clear_alarm(Code.CLIENTS_UNREACHABLE, Subject.node(node), f"a reference host answers {node} again")
