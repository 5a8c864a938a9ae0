"""Requests of operators, handled as events like any other.

Rules. A request is answered with an exit code, a code and a sentence: at once or, with `wait_ms`, when it has taken
effect. A request that would stop the service without a healthy peer to take over is refused, with the reason. `confirm`
is refused while the peer is heard. During a pause, every request that would move something is refused, and a daemon
that is stopped leaves its resources running. No request ever skips a proof.
"""

from aoeha.core.fencing import power_fence
from aoeha.core.mirror import leg_membership, leg_rest
from aoeha.core.model import law
from aoeha.core.model.actions import Answer, Leave
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import CommandGiven
from aoeha.core.model.exits import Exit
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.state import GroupState, NodeState, Waiting, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.operator import answers, pause, power_commands
from aoeha.core.ownership import blockers, group_beat, leave, owners
from aoeha.core.peer import membership, unread
from aoeha.core.resources import failures

MOVES = ("standby", "unstandby", "switchover")


WAITING_MAX = 16
"""Further clients that wait are answered at once: what they asked for is under way."""


def give(step: StepContext, event: CommandGiven) -> None:
    """Process one request."""
    if event.verb in MOVES and law.stands(step.state, Kind.PAUSED):
        code = Code.COMMAND_REFUSED_PAUSED
        answers.give(step, event, Exit.UNSAFE, code, f"cannot {event.verb}: {law.PAUSED}")
        return
    match event.verb:
        case "pause" | "resume":
            _pause(step, event, paused=event.verb == "pause")
        case "standby":
            _standby(step, event)
        case "unstandby":
            step.change(standby=False)
            node = step.state.config.node
            step.say(Code.STANDBY_ENDED, Subject.node(node), f"{event.user} ended the standby of {node}")
            answers.done(step, event, f"{node} may own groups again")
        case "switchover":
            _switchover(step, event)
        case "confirm":
            _confirm(step, event)
        case "cleanup":
            _clean_up(step, event)
        case "fence":
            power_commands.fence(step, event)
        case "fence-verify":
            power_commands.verify(step, event)
        case "fence-test":
            power_commands.test(step, event)
        case "leave":
            _leave(step, event)
        case _:
            answers.usage(step, event, f"cannot {event.verb}: no such command")


def decide(step: StepContext) -> None:
    """Answer the clients that wait, and leave when everything is done."""
    leave.go_on(step)
    still = []
    for waiting in step.state.waiting:
        sentence = _come_true(step.state, waiting)
        if sentence:
            step.do(Answer(waiting.command_id, Exit.DONE, Code.COMMAND_DONE, sentence))
        elif step.now_ms >= waiting.until_ms:
            sentence = f"{waiting.verb} is not done yet: {_standing(step.state, waiting)}"
            step.do(Answer(waiting.command_id, Exit.TIMED_OUT, Code.COMMAND_TIMED_OUT, sentence))
        else:
            still.append(waiting)
    if len(still) != len(step.state.waiting):
        step.change(waiting=tuple(still))


def _pause(step: StepContext, event: CommandGiven, *, paused: bool) -> None:
    state = step.state
    if law.stands(state, Kind.PAUSED) == paused:
        answers.done(step, event, f"the pair {'is paused' if paused else 'is not paused'} already")
        return
    pause.order(step, event.user, paused=paused)
    hint = ". To undo: aoeha resume" if paused else ""
    heard = membership.is_alive(state)
    alone = "" if heard else f"; {state.config.peer} is {state.peer.condition.value} and does not know it yet"
    answers.done(step, event, f"the pair {'is paused' if paused else 'is not paused any more'}{alone}{hint}")


def _standby(step: StepContext, event: CommandGiven) -> None:
    state, node = step.state, step.state.config.node
    if not _means_us(step, event):
        return
    mine = [group for group in state.groups if group.holding]
    stuck = [group.name for group in mine if not owners.peer_takes(state, group)]
    if stuck:
        code, why = _no_taker(state, stuck[0])
        answers.give(step, event, Exit.UNSAFE, code, f"cannot put {node} in standby: {why}")
        return
    step.change(standby=True)
    for group in mine:
        step.change_term(group.name, yielding=f"{event.user} put {node} in standby")
    step.say(Code.STANDBY_BEGUN, Subject.node(node), f"{event.user} put {node} in standby")
    _answer_or_wait(step, event, "", f"{node} is in standby. To undo: aoeha unstandby {node}")


def _switchover(step: StepContext, event: CommandGiven) -> None:
    state = step.state
    names = [group.name for group in state.groups if group.holding]
    wanted = event.arguments.get("group") or (names[0] if len(names) == 1 else "")
    if wanted not in [group.name for group in state.groups]:
        known = ", ".join(group.name for group in state.groups)
        sentence = f"cannot switch over: name one of the groups held by {state.config.node} (groups: {known})"
        answers.usage(step, event, sentence)
        return
    group = state.group(wanted)
    if not group.holding:
        sentence = f"cannot switch {wanted} over: {state.config.node} does not own it; ask on {state.config.peer}"
        answers.give(step, event, Exit.FAILED, Code.COMMAND_REFUSED_NOT_OWNER, sentence)
        return
    if not owners.peer_takes(state, group):
        code, why = _no_taker(state, wanted)
        answers.give(step, event, Exit.UNSAFE, code, f"cannot switch {wanted} over: {why}")
        return
    step.change_term(wanted, yielding=f"switchover asked for by {event.user}")
    step.change_group(wanted, hold_back_until_ms=step.now_ms + group_beat.HOLD_BACK_MS)
    sentence = f"{event.user} asked for the switchover of {wanted} to {state.config.peer}"
    step.say(Code.SWITCHOVER_BEGUN, Subject.group(wanted), sentence)
    _answer_or_wait(step, event, wanted, f"{wanted} is being handed over to {state.config.peer}")


def _confirm(step: StepContext, event: CommandGiven) -> None:
    state, peer = step.state, step.state.config.peer
    if event.arguments.get("node") != peer:
        named = event.arguments.get("node", "")
        answers.usage(step, event, f"cannot confirm {named!r}: the peer of {state.config.node} is {peer}")
        return
    blocked = law.stops(state, Act.CONFIRM)
    if blocked is not None:
        sentence = f"cannot confirm that {peer} is off: {blocked.sentence}"
        answers.give(step, event, Exit.UNSAFE, answers.REFUSED[blocked.kind], sentence)
        return
    silent = membership.is_silent(state) or membership.left_long_ago(state)
    if not silent and not unread.holds_a_start(state):
        sentence = f"cannot confirm that {peer} is off: its state is {state.peer.condition.value}, not silent"
        answers.give(step, event, Exit.UNSAFE, Code.COMMAND_REFUSED_PEER_NOT_SILENT, sentence)
        return
    power_fence.confirm(step, event.user)
    state = step.state
    hindered = [found for group in state.groups if not group.holding and (found := blockers.could_serve(state, group))]
    unheard = "" if silent else f"; something arrives on a link that {state.config.node} cannot read: is it {peer}?"
    outlook = f"does not take over yet: {hindered[0].sentence}" if hindered else "may take over"
    _answer_or_wait(step, event, "", f"{peer} is recorded as off; {state.config.node} {outlook}{unheard}")


def _clean_up(step: StepContext, event: CommandGiven) -> None:
    """Forget what failed here, and try it again at once."""
    node, legs = step.state.config.node, leg_rest.end_rests(step)
    failures.clean_up(step)
    step.say(Code.CLEANUP_DONE, Subject.node(node), f"{event.user} cleared the failures of {node}")
    leg_membership.acknowledge_loss(step)
    step.acknowledge(f"{event.user} acknowledged it")
    tried = f", and {' and '.join(legs)} is tried again" if legs else ""
    answers.done(step, event, f"the failures of {node} are cleared{tried}")


def _leave(step: StepContext, event: CommandGiven) -> None:
    state, node = step.state, step.state.config.node
    if law.stands(state, Kind.PAUSED):
        sentence = f"{node} ends during the pause; what runs on {node} keeps running"
        step.say(Code.LEAVE_DURING_PAUSE, Subject.node(node), sentence)
        step.change(left=True)
        step.do(Leave())
        answers.done(step, event, f"{node} ends; the pair is paused, and what runs on {node} keeps running")
        return
    leave.begin(step)
    step.say(Code.LEAVE_BEGUN, Subject.node(node), f"{node} is leaving the pair")
    answers.give(step, event, Exit.DONE, Code.COMMAND_BEGUN, f"{node} is leaving")


def _come_true(state: NodeState, waiting: Waiting) -> str:
    peer, node = state.config.peer, state.config.node
    match waiting.verb:
        case "standby":
            if all(not group.holding and _runs_at_peer(state, group) for group in state.groups):
                return f"{node} is in standby and {peer} serves. To undo: aoeha unstandby {node}"
        case "switchover":
            group = state.group(waiting.group)
            if not group.holding and _runs_at_peer(state, group):
                return f"{waiting.group} is running on {peer}"
        case "confirm":
            if all(group.holding and phase_of(group) is GroupPhase.RUNNING for group in state.groups):
                return f"everything is running on {node}"
        case _:
            pass
    return ""


def _runs_at_peer(state: NodeState, group: GroupState) -> bool:
    theirs = state.peer_group(group.name)
    return membership.is_alive(state) and theirs is not None and theirs.holding and theirs.phase is GroupPhase.RUNNING


def _standing(state: NodeState, waiting: Waiting) -> str:
    group = state.group(waiting.group) if waiting.group else state.groups[0]
    return f"{group.name} is {phase_of(group).value} on {state.config.node}"


def _no_taker(state: NodeState, group: str) -> tuple[Code, str]:
    peer = state.config.peer
    if not membership.is_alive(state):
        sentence = f"{peer} is {state.peer.condition.value}, and {group} would stop"
        return Code.COMMAND_REFUSED_PEER_NOT_HEARD, sentence
    if law.stands(state, Kind.DUPLICATE_NAME):
        sentence = f"{law.TESTS[Kind.DUPLICATE_NAME](state, None)}; {group} would stop"
        return Code.COMMAND_REFUSED_DUPLICATE_NAME, sentence
    if not membership.has_reported(state):
        sentence = f"the daemon of {peer} has just started and does not know yet what it could serve; try again"
        return Code.COMMAND_REFUSED_PEER_NOT_READY, sentence
    sentence = f"{peer} says that it could not serve {group}; see: aoeha status on {peer}"
    return Code.COMMAND_REFUSED_PEER_NOT_READY, sentence


def _means_us(step: StepContext, event: CommandGiven) -> bool:
    node, wanted = step.state.config.node, event.arguments.get("node", "")
    if wanted in ("", node):
        return True
    known = f"run it on {wanted}" if wanted == step.state.config.peer else f"there is no node {wanted}"
    answers.usage(step, event, f"cannot {event.verb} {wanted} from {node}: {known}")
    return False


def _answer_or_wait(step: StepContext, event: CommandGiven, group: str, sentence: str) -> None:
    wanted = event.arguments.get("wait_ms", "")
    wait_ms = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
    waiting = Waiting(event.command_id, event.verb, group, step.now_ms + wait_ms)
    if wait_ms <= 0 or len(step.state.waiting) >= WAITING_MAX:
        code = Code.COMMAND_DONE if _come_true(step.state, waiting) else Code.COMMAND_BEGUN
        answers.give(step, event, Exit.DONE, code, sentence)
        return
    step.change(waiting=(*step.state.waiting, waiting))
