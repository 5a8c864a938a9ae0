"""Beats and links in, the peer's condition out (home of R1; also R10, R15).

Rules. A link is as good as its youngest accepted beat is young. The peer is alive while any link is up. The peer is
silent when every link has been quiet for deadtime, counted only over time in which this node was not stalled, and when
the shelves, where they show the peer, do not say otherwise. Until the shelves have answered, or could not be read for
too long, the peer is neither alive nor silent. A peer that is reachable only by disk heartbeat is not fenced, and is
promised nothing. One sequence runs across all links: a beat older than the newest one counts for its link's age and for
nothing else. A new kernel boot id proves that the earlier boot is gone, unless two boot ids alternate. Then two
machines use one name, and nothing that either says is a proof. That ends when one of them alone has been heard for
deadtime, or neither. Then the peer may be judged again, and fenced, but a new boot still proves nothing about the boots
that alternated.

What this file does not know: what may be done about a silent peer. Silence is not proof of death.
"""

from aoeha.core.model.beat import Beat, BeatFlag, GroupBeat
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import BeatHeard, LinkReported
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, LinkCondition, LinkState, NodeState, PeerCondition
from aoeha.core.model.step_context import StepContext
from aoeha.core.peer import disk_heartbeat, unread

RETIRED_BOOT_IDS_MAX = 8
BACK_WITHIN_MAX_MS = 30_000
"""No announced restart is waited for longer than this."""
UNSURE = (PeerCondition.UNREADABLE, PeerCondition.STORAGE_ONLY, PeerCondition.CHECKING_STORAGE)
"""A peer in one of these conditions is neither alive nor silent."""
RUNS_UNHEARD = (PeerCondition.UNREADABLE, PeerCondition.STORAGE_ONLY)
"""A peer in one of these conditions is seen to live, though no link carries beats that can be read."""
DOUBTED = (PeerCondition.CHECKING_STORAGE, PeerCondition.STORAGE_ONLY, PeerCondition.SILENT)
"""A peer in one of these conditions no longer counts as having left: it was seen on the shelves since its last beat."""


def hear(step: StepContext, event: BeatHeard) -> None:
    """Process one authentic beat."""
    beat, state = event.beat, step.state
    if beat.sender != state.config.peer:
        return
    step.change_link(event.link, heard_ms=step.now_ms)
    if beat.boot_id != state.peer.boot_id:
        _meet_new_boot(step, beat)
    elif (beat.incarnation, beat.sequence) <= (state.peer.incarnation, state.peer.sequence):
        return
    known = step.state.peer
    groups = beat.groups if BeatFlag.PROBED in beat.flags else _kept_groups(known.beat, beat)
    held = dict(known.held)
    if BeatFlag.PROBED in beat.flags:
        held.update({group.name: beat.boot_id for group in beat.groups if group.holding})
    answered_ms, mark = known.answered_ms, known.mark
    if mark is not None and mark.sequence <= beat.echo_sequence:
        answered_ms, mark = mark.sent_ms, None
    step.change_peer(
        answered_ms=answered_ms,
        mark=mark,
        incarnation=beat.incarnation,
        sequence=beat.sequence,
        beat=beat if groups is beat.groups else replaced(beat, groups=groups),
        heard=True,
        held=tuple(sorted(held.items())),
        config_tag=beat.config_tag,
        unlisted=BeatFlag.UNLISTED in beat.flags,
        stale=known.stale and beat.echo_sequence <= step.state.revalidation.sequence,
    )


def report_link(step: StepContext, event: LinkReported) -> None:
    """Record what a link reports about its medium. This is shown to people; only beats decide."""
    link = step.state.link(event.link)
    if link.fault != event.fault:
        step.change_link(link.name, fault=event.fault)
        subject = Subject.link(link.name)
        if event.fault:
            step.say(Code.LINK_FAULT, subject, f"link {link.name} reports a fault: {event.fault}")
        else:
            step.say(Code.LINK_FAULT_OVER, subject, f"link {link.name} reports no fault any more")


def judge(step: StepContext) -> None:
    """Bring the conditions of links and peer up to date, and report what changed."""
    for link in step.state.links:
        now = link_condition(step.state, link)
        if now is not link.condition:
            step.change_link(link.name, condition=now)
            _tell_link(step, link, now)
    _end_duplicate_name(step)
    _ask_the_shelves(step)
    condition = _peer_condition(step.state)
    if condition is not step.state.peer.condition:
        step.change_peer(condition=condition)
        _end_peer_alarms(step, condition)
        _tell_peer(step, condition)


def link_condition(state: NodeState, link: LinkState) -> LinkCondition:
    """The state of a link now."""
    if link.heard_ms is None:
        return LinkCondition.UNHEARD if state.now_ms < _patience_ends_ms(state) else LinkCondition.DOWN
    quiet_ms = state.now_ms - max(link.heard_ms, state.listening_since_ms)
    if quiet_ms >= state.config.deadtime_ms:
        return LinkCondition.DOWN
    return LinkCondition.LATE if quiet_ms >= state.config.warntime_ms else LinkCondition.UP


def silence_due_ms(state: NodeState) -> int:
    """When the peer counts as silent if nothing more is heard. A restarting daemon tells how long it takes (R15)."""
    heard, beat = state.heard_ms, state.peer.beat
    if heard is None:
        return unread.postponed_ms(state, _patience_ends_ms(state))
    restarting = beat is not None and BeatFlag.RESTARTING in beat.flags
    back_within_ms = min(beat.back_within_ms, BACK_WITHIN_MAX_MS) if beat is not None and restarting else 0
    due_ms = max(heard, state.listening_since_ms) + back_within_ms + state.config.deadtime_ms
    return unread.postponed_ms(state, due_ms)


def is_alive(state: NodeState) -> bool:
    """Whether the peer is heard at this time."""
    return state.peer.condition in (PeerCondition.ONLINE, PeerCondition.LATE, PeerCondition.RESTARTING)


def may_be_alive(state: NodeState) -> bool:
    """Whether anything shows that the peer is alive, even if only its stamp on the shelves."""
    return is_alive(state) or state.peer.condition in UNSURE


def is_silent(state: NodeState) -> bool:
    """Whether the peer should be heard and is not."""
    return state.peer.condition in (PeerCondition.SILENT, PeerCondition.NEVER_SEEN)


def left_long_ago(state: NodeState) -> bool:
    """Whether the peer left so long ago that it could have started again since, and given up waiting to hear us."""
    return state.peer.condition is PeerCondition.LEFT and state.now_ms >= silence_due_ms(state)


def may_be_back(state: NodeState, group: GroupState) -> bool:
    """Whether the peer can have taken a group again since its newest beat, which says that it owns nothing (R10).

    The peer can have taken a group again only from legs, and only unheard: during a stall of this node, or in a
    silence. The peer waits out a silence just as this node does. To take a group without legs the peer would have to
    power this node off first, or to ask it. Nothing tells of a stall in which this node's clock stood still as well. So
    a peer that is alive is asked for the group, whatever it said. A peer that left cannot be asked; but it had
    transferred its legs to us, so the legs are read again once its leave is heard.
    """
    if not (group.legs and state.config.storage_suffices):
        return False
    if state.peer.condition is not PeerCondition.LEFT or state.peer.stale or state.now_ms >= silence_due_ms(state):
        return True
    return look_is_due(state, group) or _bears_only_its_name(group)


def look_is_due(state: NodeState, group: GroupState) -> bool:
    """Whether the peer left, and the legs were not read since that was heard."""
    if state.peer.condition is not PeerCondition.LEFT:
        return False
    heard, read_ms = state.heard_ms, group.shelves.read_ms
    return heard is not None and (read_ms is None or read_ms < heard)


def has_reported(state: NodeState) -> bool:
    """Whether the peer is alive and its newest beat tells the results of its own probes."""
    beat = state.peer.beat
    return is_alive(state) and beat is not None and BeatFlag.PROBED in beat.flags


def has_ended(state: NodeState, boot_id: str) -> bool:
    """Whether an earlier boot of the peer is over, by what is heard of a later one.

    One beat of a new boot may come from a second machine of that name. An old boot that is alive is heard within
    deadtime, and then the two are told apart. The new boot must be heard for as long: a link that carries nothing
    meanwhile would not carry the old boot's beats either. Boots that alternated never prove anything about each other.
    """
    peer = state.peer
    if peer.boot_id in ("", boot_id) or boot_id in peer.disputed_boot_ids:
        return False
    return state.heard_ms is not None and state.heard_ms - peer.booted_ms >= state.config.deadtime_ms


def is_news(state: NodeState) -> bool:
    """Whether the newest beat was sent while this node was not stalled, as far as its echo tells (R10)."""
    return not state.peer.stale


def _bears_only_its_name(group: GroupState) -> bool:
    return any(leg.shows_anywhere(Holder.PEER) for leg in group.legs) and not any(
        leg.shows_anywhere(Holder.US) for leg in group.legs
    )


def _patience_ends_ms(state: NodeState) -> int:
    patience_ms = state.config.initdead_ms if state.cold else state.config.deadtime_ms
    return max(state.started_ms, state.listening_since_ms) + patience_ms


def _peer_condition(state: NodeState) -> PeerCondition:
    beat = state.peer.beat
    unheard = beat is None or state.heard_ms is None
    left = beat is not None and not unheard and BeatFlag.LEAVING in beat.flags
    silent = state.now_ms >= silence_due_ms(state)
    if left and not (silent and (state.peer.condition in DOUBTED or disk_heartbeat.shows_peer(state))):
        return PeerCondition.LEFT
    if silent and unread.runs(state):
        return PeerCondition.UNREADABLE
    if silent:
        if disk_heartbeat.confirms_silence(state) or _was_asked_for_long(state):
            return PeerCondition.NEVER_SEEN if unheard else PeerCondition.SILENT
        if disk_heartbeat.heard_ms(state) is not None:
            return PeerCondition.STORAGE_ONLY
        if not unheard:
            return PeerCondition.CHECKING_STORAGE
    if unheard or beat is None:
        return PeerCondition.BOOTING
    if BeatFlag.RESTARTING in beat.flags:
        return PeerCondition.RESTARTING
    up = any(link.condition is LinkCondition.UP for link in state.links)
    return PeerCondition.ONLINE if up else PeerCondition.LATE


def _ask_the_shelves(step: StepContext) -> None:
    """Note since when only the shelves could tell whether the peer lives. A link that carries its beats ends that."""
    state = step.state
    question = disk_heartbeat.question_of(state) if state.now_ms >= silence_due_ms(state) else None
    if question != state.peer.question:
        step.change_peer(question=question)


def _was_asked_for_long(state: NodeState) -> bool:
    question = state.peer.question
    return question is not None and state.now_ms - question.since_ms >= disk_heartbeat.question_patience_ms(
        state.config
    )


def _end_duplicate_name(step: StepContext) -> None:
    """For deadtime one machine alone was heard, or none: the other one is gone, or as silent as a dead one."""
    peer, name = step.state.peer, step.state.config.peer
    if peer.alternated_ms is None:
        return
    since_ms = max(peer.alternated_ms, step.state.listening_since_ms)
    if step.now_ms - since_ms >= step.state.config.deadtime_ms:
        step.change_peer(alternated_ms=None)
        sentence = f"one machine alone uses the name {name} again"
        step.clear_alarm(Code.PEER_DUPLICATE_NAME, Subject.node(name), sentence)


def _meet_new_boot(step: StepContext, beat: Beat) -> None:
    peer, name = step.state.peer, step.state.config.peer
    if beat.boot_id in peer.retired_boot_ids:
        disputed = tuple(dict.fromkeys((*peer.disputed_boot_ids, peer.boot_id, beat.boot_id)))
        step.change_peer(alternated_ms=step.now_ms, disputed_boot_ids=disputed[-RETIRED_BOOT_IDS_MAX:])
        boots = " and ".join(sorted((beat.boot_id[:8], peer.boot_id[:8])))
        step.alarm(
            Code.PEER_DUPLICATE_NAME,
            Subject.node(name),
            f"two machines use the name {name}: boots {boots} are both heard. "
            f"Neither is believed, and {step.state.config.node} does not take over",
        )
    elif peer.boot_id and peer.heard:
        sentence = f"{name} has rebooted: boot {beat.boot_id[:8]} follows boot {peer.boot_id[:8]}"
        step.say(Code.PEER_REBOOTED, Subject.node(name), sentence)
    retired = (
        *(old for old in peer.retired_boot_ids if old != beat.boot_id),
        *((peer.boot_id,) if peer.boot_id else ()),
    )
    step.change_peer(
        boot_id=beat.boot_id,
        beat=None,
        retired_boot_ids=retired[-RETIRED_BOOT_IDS_MAX:],
        booted_ms=step.now_ms,
    )


def _kept_groups(known: Beat | None, beat: Beat) -> tuple[GroupBeat, ...]:
    """A restarting daemon has not probed yet: what its boot was last known to hold stays valid."""
    if known is not None and known.boot_id == beat.boot_id and BeatFlag.RESTARTING in beat.flags:
        return known.groups
    return beat.groups


def _tell_link(step: StepContext, before: LinkState, condition: LinkCondition) -> None:
    name, peer, config = before.name, step.state.config.peer, step.state.config
    subject = Subject.link(name)
    match condition:
        case LinkCondition.UP:
            cleared = step.clear_alarm(Code.LINK_DOWN, subject, f"link {name} carries beats of {peer} again")
            if not cleared and before.condition is LinkCondition.UNHEARD:
                step.say(Code.LINK_HEARD, subject, f"{peer} is heard on link {name}")
        case LinkCondition.LATE:
            step.say(Code.LINK_LATE, subject, f"{peer} is late on link {name}: no beat for {config.warntime_ms} ms")
        case LinkCondition.DOWN:
            step.alarm(Code.LINK_DOWN, subject, f"link {name} is down: no beat of {peer} for {config.deadtime_ms} ms")
        case LinkCondition.UNHEARD:
            pass


PEER_ALARMS = {
    PeerCondition.SILENT: Code.PEER_SILENT,
    PeerCondition.NEVER_SEEN: Code.PEER_NEVER_SEEN,
    PeerCondition.STORAGE_ONLY: Code.PEER_STORAGE_ONLY,
    PeerCondition.UNREADABLE: Code.PEER_UNREADABLE,
}
"""Each alarm stands while the peer is in that condition, and while the shelves are read for the next condition."""


def _end_peer_alarms(step: StepContext, condition: PeerCondition) -> None:
    if condition is PeerCondition.CHECKING_STORAGE:
        return
    peer = step.state.config.peer
    ends = {
        PeerCondition.LEFT: f"{peer} has left the pair cleanly",
        PeerCondition.SILENT: f"{peer} is silent now",
        PeerCondition.STORAGE_ONLY: f"the disk heartbeat of {peer} shows that it runs",
    }
    for standing, code in PEER_ALARMS.items():
        if standing is not condition:
            step.clear_alarm(code, Subject.node(peer), ends.get(condition, f"{peer} is heard again"))


def _tell_peer(step: StepContext, condition: PeerCondition) -> None:
    config = step.state.config
    peer, subject = config.peer, Subject.node(config.peer)
    match condition:
        case PeerCondition.ONLINE:
            step.say(Code.PEER_ONLINE, subject, f"{peer} is online")
        case PeerCondition.LATE:
            step.say(Code.PEER_LATE, subject, f"{peer} is late on all links")
        case PeerCondition.RESTARTING:
            step.say(Code.PEER_RESTARTING, subject, f"the daemon on {peer} is restarting; its resources keep running")
        case PeerCondition.LEFT:
            step.say(Code.PEER_LEFT, subject, f"{peer} has left the pair and owns nothing")
        case PeerCondition.SILENT:
            links = ", ".join(link.name for link in step.state.links)
            sentence = f"{peer} is silent: no beat on any link ({links}) for {config.deadtime_ms} ms"
            step.alarm(Code.PEER_SILENT, subject, sentence)
        case PeerCondition.CHECKING_STORAGE:
            sentence = f"no link to {peer} is left: {config.node} reads the disk heartbeat of {peer}"
            step.say(Code.PEER_CHECKING_STORAGE, subject, sentence)
        case PeerCondition.STORAGE_ONLY:
            step.alarm(
                Code.PEER_STORAGE_ONLY,
                subject,
                f"{peer} is heard by disk heartbeat only: every link to it is down. {peer} keeps serving what it "
                "owns; repair the links",
            )
        case PeerCondition.UNREADABLE:
            sentence = (
                f"{peer} runs, but {config.node} cannot read its beats, and neither fences it nor takes over. If "
                f"nobody serves, switch it off: aoeha fence {peer} --off"
            )
            step.alarm(Code.PEER_UNREADABLE, subject, sentence)
        case PeerCondition.NEVER_SEEN:
            sentence = f"{peer} has not been heard on any link since this daemon started"
            step.alarm(Code.PEER_NEVER_SEEN, subject, sentence)
        case PeerCondition.BOOTING:
            pass
