"""A group that nobody serves is an alarm after a while, whatever the reason (home of R18).

Rules. Every wait of this core has a bound (`aoeha.core.waits`). Where nothing follows from its end, because a proof is
missing or something is broken, a human has to act. So whatever state the pair is in, there is a bounded time after
which each group runs, or each node that can tell raises this alarm, with the reason and with what to do. A pause of the
pair has an alarm of its own.

What this file does not know: why a group is not served.
"""

from aoeha.core import verdict
from aoeha.core.model import law
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.config import PairConfig
from aoeha.core.model.law import Kind
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import blockers

LONGEST_START_MS = 60_000
"""Time for a fence and for the start of a group."""


def patience_ms(config: PairConfig) -> int:
    """How long a group may be without service before that is an alarm."""
    return config.initdead_ms + LONGEST_START_MS


def decide(step: StepContext) -> None:
    """Raise the alarm, and end it as soon as somebody serves or this node cannot tell any more."""
    for group in step.state.groups:
        state, subject = step.state, Subject.group(group.name)
        if verdict.served(state, group) is not False or law.stands(state, Kind.PAUSED) or state.left:
            if group.unserved_since_ms is not None:
                sentence = f"{group.name} is served, or {state.config.node} cannot tell any more"
                step.change_group(group.name, unserved_since_ms=None)
                step.clear_alarm(Code.GROUP_UNSERVED, subject, sentence)
            continue
        since_ms = step.now_ms if group.unserved_since_ms is None else group.unserved_since_ms
        if group.unserved_since_ms is None:
            step.change_group(group.name, unserved_since_ms=since_ms)
        if step.now_ms - since_ms >= patience_ms(state.config) and not step.stands(Code.GROUP_UNSERVED, subject):
            told = f"nobody serves {group.name} as far as {state.config.node} can tell"
            step.alarm(Code.GROUP_UNSERVED, subject, f"{told}: {_reason(state, group)}")


def _reason(state: NodeState, group: GroupState) -> str:
    """What this node has refused, or what stops it; else the other node may tell."""
    if group.refusal is not None:
        return group.refusal.sentence
    blocked = blockers.may_start(state, group) if group.holding else blockers.could_serve(state, group)
    return (
        blocked.sentence if blocked is not None else f"run `aoeha why` on {state.config.node} and {state.config.peer}"
    )
