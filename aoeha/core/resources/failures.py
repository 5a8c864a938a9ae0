"""What follows when a resource fails (R14).

Rules. A resource that fails is restarted here, at most `restart_max` times in `failure_window`. Then the group is
handed to a healthy peer, and this node does not serve it for as long as that window. Without a healthy peer it is
retried slowly, under an alarm. An operator's cleanup forgets every failure. What a mirror could not do without a leg is
forgiven when that leg answers again. What fails in a pause is an alarm and is not counted: nothing is restarted, and
somebody may be at work on it.

What this file does not know: what a failure is, and how a resource is restarted.
"""

from aoeha.core.model import law
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.law import Act
from aoeha.core.model.state import Failures, GroupState, ResourcePhase, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import owners
from aoeha.core.storage import reservations

RETRY_PAUSE_MS = 30_000


def count(step: StepContext, group: GroupState, resource: ResourceState, reason: str, *, stop_first: bool) -> None:
    """Count a failure and choose: restart here, hand over to the peer, or retry later."""
    name = resource.config.name
    phase = ResourcePhase.FAILED if stop_first else ResourcePhase.STOPPED
    step.change_resource(group.name, name, phase=phase, reason=reason)
    if not group.holding or group.yielding:
        return
    step.alarm(Code.RESOURCE_FAILED, Subject.resource(group.name, name), f"{name} failed: {reason}")
    if law.stops(step.state, Act.STOP, group) is not None:
        return
    counted = group.failures.and_one(step.now_ms, group.config)
    step.change_group(group.name, failures=counted)
    times, most = len(counted.at_ms), group.config.restart_max
    if times <= most:
        sentence = f"{name} is restarted on {step.state.config.node} ({times} of {most})"
        step.say(Code.RESOURCE_RESTARTING, Subject.resource(group.name, name), sentence)
        return
    sentence = f"{name} failed {times} times on {step.state.config.node}: {reason}"
    if owners.peer_takes(step.state, group):
        hand_over(step, step.state.group(group.name), sentence, _lacking(group, resource))
    else:
        step.change_term(group.name, retry_at_ms=step.now_ms + RETRY_PAUSE_MS)
        sentence += (
            f". {step.state.config.peer} cannot take over, so it is tried again every {RETRY_PAUSE_MS // 1000} s"
        )
        step.alarm(Code.GROUP_FAILING, Subject.group(group.name), sentence)


def hand_over(step: StepContext, group: GroupState, sentence: str, lacking: tuple[str, ...] = ()) -> None:
    """Stop a group in order and let the peer have it; this node does not want it back for a while."""
    step.change_term(group.name, yielding=sentence)
    until_ms = step.now_ms + group.config.failure_window_ms
    step.change_group(group.name, failures=Failures(group.failures.at_ms, sentence, until_ms, lacking))
    step.say(Code.GROUP_HANDING_OVER, Subject.group(group.name), f"{group.name} is being handed over: {sentence}")


def forgive(step: StepContext, name: str) -> None:
    """Let this node serve a group again that it gave up long enough ago, or for the lack of a leg that is back."""
    group = step.state.group(name)
    if not group.holding and step.state.alarms:
        sentence = f"{step.state.config.node} does not own {name} any more"
        end_for_group(step, name, sentence)
    if group.failures.given_up and (step.now_ms >= group.failures.until_ms or _is_there_again(group)):
        step.change_group(name, failures=Failures())


def _lacking(group: GroupState, resource: ResourceState) -> tuple[str, ...]:
    """The legs without which a mirror failed."""
    return tuple(leg.name for leg in group.legs if resource.config.mirror and not reservations.answers(leg))


def _is_there_again(group: GroupState) -> bool:
    return any(leg.name in group.failures.lacking and reservations.answers(leg) for leg in group.legs)


def end(step: StepContext, group: str, name: str, sentence: str) -> None:
    """End the alarm about a resource, which runs again or need not run here."""
    step.clear_alarm(Code.RESOURCE_FAILED, Subject.resource(group, name), sentence)


def end_for_group(step: StepContext, name: str, sentence: str) -> None:
    """End the alarm about a group that failed too often, which runs again or is not ours."""
    step.clear_alarm(Code.GROUP_FAILING, Subject.group(name), sentence)


def clean_up(step: StepContext) -> None:
    """Forget every failure here, as an operator wants, and start at once what may be started."""
    for group in step.state.groups:
        step.change_group(group.name, failures=Failures())
        if group.term is not None:
            step.change_term(group.name, retry_at_ms=0)
