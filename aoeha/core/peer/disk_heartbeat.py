"""The shelves as the link of last resort (home of R6; also R13, R15).

Rules. A node that holds a group's legs and is not heard on any other link stamps a record into every one of them, again
and again, for as long as that lasts. A node that finds the peer's name on legs and hears nothing from the peer reads
those records. A stamp that moves is a sign of life. The peer is silent there only after at least two answered readings
without a moved stamp, over the time from warntime to deadtime, or a whole deadtime after the last sign of life. A
record that cannot be read says nothing, so the count starts again with each leg that begins to respond. Nor does one
that was read before its leg came to show the peer: who took the leg since is alive. A record that
changes to an older one is none of both: a switch asked for an old stamp again, whether its sender lives or not. The
record does not stand still then, and nobody was seen to live. But a question
that stays open excuses the peer for `QUESTION_DEADTIMES` at most, counted from the last sign of life (R18): a shelf
that answers too slowly, or now and then, must not keep a dead peer alive for ever. A record that was read before this
node stalled says nothing either. Records of legs that do not show the peer are not read: the reservation takes
precedence. A stamp carries the message about the pause of the pair, as a beat does.

Each term begins with a stamp on every address, and an address that comes back is stamped too. So a node that boots
alone finds how far its peer has counted, and epochs only grow (R21). A stamp tells which legs may lack acknowledged
writes (R4), so that every address is stamped anew, links or not, when that has changed. A storage fence reads the
records before it takes a leg, after it has read whose the legs are: an owner that has come meanwhile has stamped them.

A node that has messages for the peer (`aoeha.core.ownership.client_isolation`) reads each record and then writes its
own in its place, whether or not it holds the leg.

What this file does not know: what may be done about a silent peer.
"""

from aoeha.core.model import law, shelf_patience
from aoeha.core.model.actions import CancelTask
from aoeha.core.model.beat import GroupBeat
from aoeha.core.model.config import PairConfig
from aoeha.core.model.events import TaskDone
from aoeha.core.model.law import Act
from aoeha.core.model.legs import LegState, ShelfLinkState
from aoeha.core.model.shelves import Holder, LockRecord, SeenRecord
from aoeha.core.model.state import GroupState, LinkCondition, NodeState, Question
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import RecordsRead, RecordTask, TaskKind

EVERY_MIN_MS = 100
STAMPS = 3
ANSWERED_BEATS = 2
"""An answer to a beat may be older than warntime by so many, though both nodes hear each other (R6)."""
QUESTION_DEADTIMES = 3
"""So many deadtimes without a sign of life end every question to the shelves (R18)."""


def every_ms(config: PairConfig) -> int:
    """Return how often a record is stamped and read: two stamps must fall between twice warntime and deadtime."""
    return max((config.deadtime_ms - 2 * config.warntime_ms) // STAMPS, EVERY_MIN_MS)


def decide(step: StepContext, words: dict[str, GroupBeat]) -> None:
    """Stamp what we hold and read what the peer holds, while no link is up; one task at a time for each group.

    What we hold is stamped once in each term anyway.

    `words` are the messages about groups that go into the records as well.
    """
    for name in [group.name for group in step.state.groups if group.legs]:
        _forget_lost_stamps(step, name)
        group = step.state.group(name)
        link = group.shelf_link
        if link.task_id or law.stops(step.state, Act.STAMP) is not None:
            continue
        wish = _wish(step.state, group, speaks=name in words)
        if wish is TaskKind.WRITE_RECORD and step.now_ms >= _write_due_ms(step.state.config, group):
            _ask(step, group, _stamp(step.state, group, words.get(name)))
        elif wish is TaskKind.READ_RECORDS and step.now_ms >= _read_due_ms(step.state, group):
            _ask(step, group, None)
        elif wish is None and link != (kept := _kept(step.state, group)):
            step.change_group(name, shelf_link=kept)


def task_done(step: StepContext, task: RecordTask, done: TaskDone) -> None:
    """Process what the records say, or that ours were stamped."""
    group = step.state.group(task.group)
    link = group.shelf_link
    if link.task_id != task.id:
        return
    step.change_shelf_link(group.name, task_id=0, answering=_answers(step.state, task))
    if task.kind is TaskKind.WRITE_RECORD:
        _note_stamped(step, group, task, done)
        return
    step.change_shelf_link(group.name, looked_ms=link.asked_ms)
    silent = _at(group, Holder.SILENT)
    known = {place: record for place, record in _seen(group).items() if place not in silent}
    records = done.outcome.records if isinstance(done.outcome, RecordsRead) else ()
    read = {(seen.leg, seen.address): seen.record for seen in records}
    both = [place for place in read if place in known]
    step.change_shelf_link(
        group.name, seen=tuple(SeenRecord(*place, record) for place, record in (known | read).items())
    )
    if not read:
        return
    step.change_shelf_link(group.name, read_ms=link.asked_ms)
    moved = [
        record for place in both if (record := read[place]) is not None and _moved(known[place], record, link.said)
    ]
    if moved:
        said = max(moved, key=lambda record: record.stamped_ms)
        step.change_peer(question=None)
        step.change_shelf_link(group.name, heard_ms=link.asked_ms, quiet_since_ms=link.asked_ms, said=said)
    elif len(both) < len(read) or any(known[place] != read[place] for place in both):
        heard_ms = None if _is_silent(step.state.config, link) else link.heard_ms
        step.change_shelf_link(group.name, heard_ms=heard_ms, quiet_since_ms=link.asked_ms)


def forget(step: StepContext) -> None:
    """Start to count again: a node that was stalled cannot say for how long a record has stood still."""
    for group in step.state.groups:
        if group.shelf_link != ShelfLinkState():
            step.change_group(group.name, shelf_link=ShelfLinkState())


def heard_ms(state: NodeState) -> int | None:
    """Return when the peer's record was last seen to move, None for not since the other links fell quiet.

    A move that was followed by too long a standstill says nothing any more.
    """
    moving = [group.shelf_link for group in state.groups if not _is_silent(state.config, group.shelf_link)]
    return max((link.heard_ms for link in moving if link.heard_ms is not None), default=None)


def confirms_silence(state: NodeState) -> bool:
    """Whether every leg that shows the peer tells that the peer is silent there."""
    return all(_confirms_silence(state, group) for group in state.groups if group.legs and not group.holding)


def question_of(state: NodeState) -> Question | None:
    """The question to the shelves as it stands now, None where there is none.

    One that was not open for as long as it may stay open is a new one.
    """
    known = state.peer.question
    if confirms_silence(state):
        return known
    is_new = known is None or state.now_ms - known.open_ms >= question_patience_ms(state.config)
    return Question(state.now_ms if is_new or known is None else known.since_ms, state.now_ms)


def question_patience_ms(config: PairConfig) -> int:
    """How long the shelves may leave a question open without a sign of life."""
    return QUESTION_DEADTIMES * config.deadtime_ms


def shows_peer(state: NodeState) -> bool:
    """Whether a leg that a storage fence may preempt is reserved for the peer, or a stamp of the peer moves."""
    named = any(leg.shows_anywhere(Holder.PEER) for group in state.groups if not group.holding for leg in group.legs)
    return state.config.storage_suffices and (named or heard_ms(state) is not None)


def peer_message(state: NodeState, group: GroupState) -> LockRecord | None:
    """The peer's record that tells of the group on the peer, where no link carries its beats; None for none (R13).

    The record was seen to move lately, and is of the boot that was heard last: of another boot nothing else is known.
    """
    link, config = group.shelf_link, state.config
    if not config.reference_hosts or link.said is None or link.said.message is None or not is_quiet(state):
        return None
    fresh = link.heard_ms is not None and state.now_ms - link.heard_ms < config.deadtime_ms
    known = (state.peer.boot_id, state.peer.incarnation)
    return link.said if fresh and known[0] == link.said.boot_id and known[1] <= link.said.incarnation else None


def recorded_epoch(group: GroupState) -> int:
    """The highest epoch that the peer's records tell of, as far as they were read; 0 for none (R21)."""
    return max((seen.record.epoch for seen in group.shelf_link.seen if seen.record is not None), default=0)


def has_read_for(state: NodeState, group: GroupState) -> bool:
    """Whether the records were read since the storage fence under way was begun, as far as their targets answer.

    Before a leg is taken from the peer they are read once more after the leg showed it: a reading that was begun before
    tells nothing of an owner that came after it. A fence that has taken a leg by force is finished whatever they tell,
    and a peer that is heard on a link is fenced because it asks for it, not for silence.
    """
    fence, looked_ms = group.storage_fence, group.shelf_link.looked_ms
    if not _shows(group, Holder.PEER):
        return looked_ms >= fence.since_ms
    return not _before_force(state, group) or (fence.shown_ms is not None and looked_ms >= fence.shown_ms)


def read_before_force(step: StepContext, name: str) -> None:
    """Give up the reading that is under way: it was begun too early to count, and slow legs would hold up the next.

    One that was given up before and has not ended yet is waited for first, so that they do not pile up.
    """
    group = step.state.group(name)
    task_id = group.shelf_link.task_id
    readings = [task for task in step.state.tasks if task.kind is TaskKind.READ_RECORDS and task.group == name]
    if _before_force(step.state, group) and [reading.id for reading in readings] == [task_id]:
        step.do(CancelTask(task_id))
        step.change_shelf_link(name, task_id=0)


def is_quiet(state: NodeState) -> bool:
    """Whether no link carries beats of the peer."""
    return all(link.condition is not LinkCondition.UP for link in state.links)


def next_wakes_ms(state: NodeState) -> tuple[int, ...]:
    """When something has to be stamped or read again."""
    wakes = []
    for group in state.groups:
        if not group.legs or group.shelf_link.task_id:
            continue
        if _stamping(state, group):
            wakes.append(_write_due_ms(state.config, group))
        elif _watching(state, group):
            wakes.append(_read_due_ms(state, group))
    return tuple(wakes)


def _wish(state: NodeState, group: GroupState, *, speaks: bool) -> TaskKind | None:
    if speaks:
        return TaskKind.WRITE_RECORD if group.shelf_link.answering else TaskKind.READ_RECORDS
    if _stamping(state, group):
        return TaskKind.WRITE_RECORD
    return TaskKind.READ_RECORDS if _watching(state, group) else None


def _answers(state: NodeState, task: RecordTask) -> bool:
    """Whether what was read may now be answered with a message of our own."""
    return task.kind is TaskKind.READ_RECORDS and bool(state.config.reference_hosts)


def _kept(state: NodeState, group: GroupState) -> ShelfLinkState:
    """What stays known when nothing is to be read: for a deadtime, when the last sign of life was seen.

    An owner that leaves gives its legs away in the middle of it. A storage fence under way goes by what was read for
    it.
    """
    link, fencing = group.shelf_link, group.storage_fence.victim_boot_id is not None
    heard_ms = link.heard_ms if _moved_lately(state, link) else None
    return ShelfLinkState(heard_ms=heard_ms, looked_ms=link.looked_ms if fencing else 0)


def _moved_lately(state: NodeState, link: ShelfLinkState) -> bool:
    return link.heard_ms is not None and is_quiet(state) and state.now_ms - link.heard_ms < state.config.deadtime_ms


def _write_due_ms(config: PairConfig, group: GroupState) -> int:
    """When to stamp again. The first stamp of a term does not wait: until it is written nobody sees a new owner."""
    link = group.shelf_link
    is_first = group.term is not None and link.asked_ms < group.term.taken_ms
    return link.asked_ms + (0 if link.answering or is_first else every_ms(config))


def _confirms_silence(state: NodeState, group: GroupState) -> bool:
    """Whether a record stood still; or none moved lately, and no leg has just lost its reservation.

    A target that restarts loses it.
    """
    if _in_question(state, group):
        return _is_silent(state.config, group.shelf_link) and not _unread(group)
    return not _moved_lately(state, group.shelf_link) and not any(
        address.holder is Holder.NOBODY and state.now_ms - address.since_ms < state.config.deadtime_ms
        for leg in group.legs
        for address in leg.addresses
    )


def _seen(group: GroupState) -> dict[tuple[str, str], LockRecord | None]:
    return {(seen.leg, seen.address): seen.record for seen in group.shelf_link.seen}


def _at(group: GroupState, holder: Holder) -> set[tuple[str, str]]:
    """The addresses that show this holder, each after its leg."""
    return {(leg.name, address.name) for leg in group.legs for address in leg.addresses if address.holder is holder}


def _unread(group: GroupState) -> bool:
    """Whether an address shows the peer, and its record was not read since it began to respond, or to show the peer."""
    seen, read_ms = _seen(group), group.shelf_link.read_ms
    return any(
        address.holder is Holder.PEER and ((leg.name, address.name) not in seen or address.since_ms > read_ms)
        for leg in group.legs
        for address in leg.addresses
    )


def _moved(before: LockRecord | None, after: LockRecord, said: LockRecord | None) -> bool:
    """Whether a record was stamped between two readings of one address. A record older than `said` is no news."""
    if said is not None and said.boot_id == after.boot_id and after.stamped_ms < said.stamped_ms:
        return False
    return before is None or after.boot_id != before.boot_id or after.stamped_ms > before.stamped_ms


def _is_silent(config: PairConfig, link: ShelfLinkState) -> bool:
    return link.quiet_since_ms is not None and link.read_ms - link.quiet_since_ms >= _patience_ms(config, link)


def _patience_ms(config: PairConfig, link: ShelfLinkState) -> int:
    """How long a record must stand still. Until it was seen to move, the time since the last beat counts as well."""
    return config.deadtime_ms - (config.warntime_ms if link.heard_ms is None else 0)


def _read_due_ms(state: NodeState, group: GroupState) -> int:
    """When to read again. One reading falls on the moment at which silence may be judged; a fence does not wait."""
    config, link, shown_ms = state.config, group.shelf_link, group.storage_fence.shown_ms
    if shown_ms is not None and link.asked_ms < shown_ms and _before_force(state, group):
        return shown_ms
    regular_ms = link.asked_ms + every_ms(config)
    if link.quiet_since_ms is None:
        return link.asked_ms and regular_ms
    verdict_ms = link.quiet_since_ms + _patience_ms(config, link)
    return min(regular_ms, verdict_ms) if link.asked_ms < verdict_ms else regular_ms


def _stamping(state: NodeState, group: GroupState) -> bool:
    if not group.holding or law.stops(state, Act.STAMP, group) is not None or not _shows(group, Holder.US):
        return False
    return is_quiet(state) or _not_heard_by_the_peer(state) or bool(_unstamped(group))


def _before_force(state: NodeState, group: GroupState) -> bool:
    """Whether a storage fence that has taken nothing by force yet is to take a leg from a peer that is not heard."""
    fence = group.storage_fence
    under_way = fence.victim_boot_id is not None and not fence.forced
    return under_way and is_quiet(state) and _shows(group, Holder.PEER)


def _watching(state: NodeState, group: GroupState) -> bool:
    fencing = group.storage_fence.victim_boot_id is not None and not has_read_for(state, group)
    return (fencing or _in_question(state, group)) and is_quiet(state)


def _unstamped(group: GroupState) -> set[tuple[str, str]]:
    """The addresses that are ours and do not carry our newest record."""
    return _at(group, Holder.US) - set(group.term.stamped) if group.term is not None else set()


def _forget_lost_stamps(step: StepContext, name: str) -> None:
    """A target that restarted lost its record, one that did not answer may have, and one that is outdated misleads."""
    group = step.state.group(name)
    if group.term is None or not group.term.stamped:
        return
    is_true = group.term.told == _lacking(group)
    stamped = tuple(place for place in group.term.stamped if is_true and place in _at(group, Holder.US))
    if stamped != group.term.stamped:
        step.change_term(name, stamped=stamped)


def _note_stamped(step: StepContext, group: GroupState, task: RecordTask, done: TaskDone) -> None:
    """Record which addresses took a record of this term, and what it tells of the legs."""
    if group.term is None or task.record is None or task.record.epoch != group.held_epoch:
        return
    records = done.outcome.records if isinstance(done.outcome, RecordsRead) else ()
    written = {(seen.leg, seen.address) for seen in records} & _at(group, Holder.US)
    before = group.term.stamped if group.term.told == task.record.lacking else ()
    step.change_term(group.name, stamped=tuple(sorted({*before, *written})), told=task.record.lacking)


def _shows(group: GroupState, holder: Holder) -> bool:
    return any(leg.shows_anywhere(holder) for leg in group.legs)


def _in_question(state: NodeState, group: GroupState) -> bool:
    """Whether the peer may own the group: a leg shows it, or us although we do not, as in the middle of a hand-over."""
    holders = (Holder.PEER, Holder.US) if state.config.reference_hosts else (Holder.PEER,)
    return not group.holding and any(leg.shows_anywhere(holder) for leg in group.legs for holder in holders)


def _not_heard_by_the_peer(state: NodeState) -> bool:
    """Whether the peer says that it has not heard us for warntime, or no newer beat of ours was answered by its beats.

    A slow link tells late that the peer hears nothing any more. A prompt one takes two beats each way for an answer.
    """
    peer, warntime_ms = state.peer, state.config.warntime_ms
    ages_ms = peer.beat.link_ages_ms if peer.beat is not None else ()
    unheard = bool(ages_ms) and all(age_ms >= warntime_ms for age_ms in ages_ms)
    patience_ms = warntime_ms + ANSWERED_BEATS * state.config.keepalive_ms
    return unheard or (peer.answered_ms is not None and state.now_ms - peer.answered_ms >= patience_ms)


def _stamp(state: NodeState, group: GroupState, word: GroupBeat | None) -> LockRecord:
    identity = state.identity
    return LockRecord(
        state.config.node,
        identity.boot_id,
        identity.incarnation,
        group.held_epoch if word is None else word.epoch,
        state.now_ms,
        state.pause_number,
        state.paused,
        word,
        _lacking(group),
    )


def _lacking(group: GroupState) -> tuple[int, ...]:
    """The places of the legs that our ledger does not call whole: all, while it is not known how the mirror stands."""
    whole = group.ledger.start if group.ledger is not None else ()
    return tuple(place for place in range(len(group.legs)) if group.holding and place not in whole)


def _patience_of(state: NodeState, group: GroupState, record: LockRecord | None) -> int:
    """How long a task about the records may take.

    A reading waits for a shelf that needs more than the time between two readings, and a leg that shows the peer and
    did not answer in time gets as long as for its reservation. A stamp waits for nobody while it is what the peer
    watches: what it asked for happens all the same, and the other leg needs the next one in time. Before a leg is taken
    by force the one that is taken first is waited for alone.
    """
    config, is_late = state.config, group.shelf_link.asked_ms > 0 and _unread(group)
    watched = record is not None and (is_quiet(state) or _not_heard_by_the_peer(state))
    addresses = [address for leg in _waited_for(state, group) for address in leg.addresses]
    slow = not watched and any(shelf_patience.is_too_short(every_ms(config), address) for address in addresses)
    wanted_ms = config.shelf_timeout_ms if is_late and record is None else 0
    return max(every_ms(config), wanted_ms, shelf_patience.reading_ms(config, group) if slow else 0)


def _waited_for(state: NodeState, group: GroupState) -> tuple[LegState, ...]:
    if not _before_force(state, group):
        return group.legs
    return tuple(leg for leg in group.legs if leg.name == group.storage_fence.arbiter)


def _ask(step: StepContext, group: GroupState, record: LockRecord | None) -> None:
    state = step.state
    reason = f"{state.config.peer} is not heard on any other link"
    patience_ms = _patience_of(state, group, record)
    task = RecordTask(state.next_task_id, patience_ms, reason, group.name, record)
    step.begin(task)
    step.change_shelf_link(group.name, task_id=task.id, asked_ms=step.now_ms)
