"""The node's public state as a beat, and what must be remembered.

Rules. A beat is sent every keepalive, and at once when anything that the peer acts on has changed. Whatever a beat
promises was saved before: `Persist` stands before it in the same step.
"""

from aoeha.core.fencing import forecast
from aoeha.core.model.actions import SendBeat
from aoeha.core.model.beat import NEVER_MS, Beat, BeatFlag, GroupBeat, Mark, Readiness
from aoeha.core.model.state import LinkState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import client_reach, group_beat, leave


def send(step: StepContext) -> None:
    """Send a beat if one is due, or if the peer should learn something now (R1)."""
    state = step.state
    groups, flags = step.know(_groups), step.know(_flags)
    news = groups != state.last_groups or flags != state.last_flags
    if step.now_ms < state.next_beat_ms and not news:
        return
    sequence = state.sequence + 1
    beat = Beat(
        sender=state.config.node,
        boot_id=state.identity.boot_id,
        incarnation=state.identity.incarnation,
        sequence=sequence,
        echo_sequence=state.peer.sequence,
        config_tag=state.config.config_tag,
        flags=flags,
        link_ages_ms=tuple(_age_ms(state, link) for link in state.links),
        groups=groups,
        pause_number=state.pause_number,
        hosts=client_reach.told(state),
        readiness=step.know(_readiness),
    )
    next_ms = step.now_ms + state.config.keepalive_ms
    step.change(sequence=sequence, next_beat_ms=next_ms, last_groups=groups, last_flags=flags)
    if BeatFlag.LEAVING in flags:
        leave.note_beat(step)
    if state.peer.mark is None:
        step.change_peer(mark=Mark(sequence, step.now_ms))
    step.do(SendBeat(beat))


def _groups(state: NodeState) -> tuple[GroupBeat, ...]:
    return tuple(group_beat.group_beat(state, group) for group in state.groups)


def _readiness(state: NodeState) -> Readiness | None:
    return forecast.forecast(state).as_told if state.may_be_judged else None


def _flags(state: NodeState) -> BeatFlag:
    flags = BeatFlag(0)
    if state.may_be_judged:
        flags |= BeatFlag.PROBED
    elif not state.cold:
        flags |= BeatFlag.RESTARTING
    if state.standby:
        flags |= BeatFlag.STANDBY
    if state.paused:
        flags |= BeatFlag.PAUSED
    if any(leg.unlisted_addresses for group in state.groups if group.holding for leg in group.legs):
        flags |= BeatFlag.UNLISTED
    if leave.may_announce_leave(state):
        flags |= BeatFlag.LEAVING
    return flags


def _age_ms(state: NodeState, link: LinkState) -> int:
    return NEVER_MS if link.heard_ms is None else min(state.now_ms - link.heard_ms, NEVER_MS)
