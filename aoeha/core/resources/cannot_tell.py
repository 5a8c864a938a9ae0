"""What follows when this node lacks the means to look at a resource, or to stop it (part of R14).

Rules. A task that found no descriptor, memory or process to work with tells nothing about its resource: nothing is
stopped, counted as a failure, or fenced on its account. It is tried again. Three such ends in a row are an alarm. If
this node cannot look at what it serves for `failure_window`, the group is handed over in order to a peer that could
serve it. A stop that lacks the means is tried again for as long as it is wanted: it is no stop that failed.

What this file does not know: which tasks tell nothing. The daemon that could not carry them out says so.
"""

from aoeha.core.model import law
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.law import Act
from aoeha.core.model.state import GroupState, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import owners
from aoeha.core.resources import failures

__all__ = ["end", "note", "rests"]

ALARM_AT = 3
PAUSE_MS = 1_000


def note(step: StepContext, group: GroupState, resource: ResourceState, reason: str) -> None:
    """A task upon a resource lacked the means."""
    name, node = resource.config.name, step.state.config.node
    times = resource.untold + 1
    since_ms = resource.untold_since_ms if resource.untold else step.now_ms
    step.change_resource(group.name, name, untold=times, untold_since_ms=since_ms, checked_ms=step.now_ms)
    if times < ALARM_AT:
        return
    sentence = f"{node} lacks the means to deal with {name}: {reason}"
    step.alarm(Code.RESOURCE_CANNOT_TELL, Subject.resource(group.name, name), sentence)
    lasts = step.now_ms - since_ms >= group.config.failure_window_ms
    halted = law.stops(step.state, Act.STOP, group) is not None
    if lasts and not halted and group.holding and not group.yielding and owners.peer_takes(step.state, group):
        failures.hand_over(step, group, sentence)


def end(step: StepContext, group: str, resource: ResourceState) -> None:
    """A task upon a resource told something."""
    if resource.untold:
        name, node = resource.config.name, step.state.config.node
        step.change_resource(group, name, untold=0)
        subject = Subject.resource(group, name)
        step.clear_alarm(Code.RESOURCE_CANNOT_TELL, subject, f"{node} has the means to deal with {name} again")


def rests(step: StepContext, resource: ResourceState) -> bool:
    """Whether a task upon a resource lacked the means just now, so that the next one waits."""
    return resource.untold > 0 and step.now_ms - resource.checked_ms < PAUSE_MS
