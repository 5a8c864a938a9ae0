"""Reservations: whose the legs of a group are, as their targets say (home of R3; also R12).

Rules. The owner of a group holds every address of its legs, for itself alone, before it starts anything. It reads the
reservations each second, and whenever a target announces itself. Only a proof permits force: a node that owns the group
by a proof may preempt an address that still shows the peer, once in each term. An address that was held in this term
and shows the peer means that this node was fenced: the node never preempts it back, it reboots. An address that shows
nobody belongs to a target that restarted, and is reserved again; but one that was out of reach since the term began has
lost nothing. A stranger's reservation is a lost leg and an alarm, and the stranger may write there. A node that gives a
group up transfers its legs to the peer, and tells the peer afterwards. But it keeps out a peer that was fenced at the
shelves alone, and may still run, whatever happens to the group.

What this file does not know: why the group is owned.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aoeha.core.model import law, shelf_patience
from aoeha.core.model.actions import CancelTask
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import TargetStarted, TaskDone
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.state import GroupState, NodeState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import AddressRenewal, ReservationsRead, ReservationTask, TaskKind
from aoeha.core.model.term import Term
from aoeha.core.peer import membership
from aoeha.core.storage import address_lifetime, leg_ledger, patient_reading, suspect_legs, target_restarts

Request = tuple[TaskKind, str, Holder]
"""What the shelves are asked to do, on which leg, and which holder it is expected to show."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What addresses answered, each after its leg, when they were asked, and how long that might take.

    `awaited`: a mirror that runs here waits for what does not answer, and no reading may take longer.
    `looked_ms`: when the complete reading before this one was begun. `patient`: only addresses that were silent
    meanwhile are to be noted.
    """

    answers: Mapping[tuple[str, str], Reservation]
    asked_ms: int
    within_ms: int
    looked_ms: int = 0
    awaited: bool = False
    patient: bool = False


ADVERT_PAUSE_MS = 20
"""The least time between two readings that adverts or beats cause: a flood of them must not keep this node busy."""
ANSWERS = (Holder.NOBODY, Holder.US, Holder.PEER, Holder.STRANGER)


def decide(step: StepContext) -> None:
    """Reserve the legs that we own, transfer those given up, and read when due; one task at a time for each group."""
    for name in [group.name for group in step.state.groups if group.legs]:
        group = step.state.group(name)
        patient = patient_reading.next_task(step.state, group, renewing=renews(step.state, group))
        if patient is not None:
            step.begin(patient)
            step.change_shelves(name, patient_id=patient.id, patient_ms=step.now_ms)
        if group.shelves.task_id:
            continue
        if group.term is not None:
            if _stopped_for_the_peer(group) and law.stops(step.state, Act.TRANSFER, group) is None:
                _leave(step, group)
            else:
                _reserve(step, group, group.term)
        if not step.state.group(name).shelves.task_id and _read_due(step.state, group):
            read(step, group, "read the reservations")


def next_wakes_ms(state: NodeState) -> tuple[int, ...]:
    """When the legs of a group must be read again. A node with a shorter keepalive reads them as often as it beats."""
    if state.config.keepalive_ms <= state.config.hold_every_ms:
        return ()
    idle = (group for group in state.groups if group.legs and not group.shelves.task_id)
    return tuple(group.shelves.asked_ms + state.config.hold_every_ms for group in idle)


def read(step: StepContext, group: GroupState, reason: str) -> None:
    """Read the reservation of every address of every leg, and renew what depends on the answer (R12)."""
    request = (TaskKind.READ_RESERVATIONS, group.name, Holder.UNKNOWN)
    _ask(step, group, request, reason, address_lifetime.renewal(step.state, group))


def glance(step: StepContext, group: GroupState, reason: str) -> None:
    """Read every reservation without waiting for addresses that are slow: what they show stays as it is known."""
    request = (TaskKind.READ_RESERVATIONS, group.name, Holder.UNKNOWN)
    _ask(step, group, request, reason, address_lifetime.renewal(step.state, group), hurried=True)


def take(step: StepContext, group: GroupState, leg: LegState, reason: str) -> None:
    """Reserve one leg for us: by force if it shows the peer, else where no node holds it."""
    forces = leg.shows_anywhere(Holder.PEER)
    request = (TaskKind.PREEMPT, leg.name, Holder.PEER) if forces else (TaskKind.RESERVE, leg.name, Holder.NOBODY)
    _ask(step, group, request, reason)


def target_started(step: StepContext, event: TargetStarted) -> None:
    """Check at once whether a target has lost a reservation: until it is restored, any node may write there.

    An operator may have replaced its disk: if the leg was to be left alone for a while, that ends.
    """
    for group in step.state.groups:
        if any(leg.name == event.leg and _has_address(leg, event.address) for leg in group.legs):
            step.change_leg(group.name, event.leg, rests_until_ms=0)
            target_restarts.announced(step, group.name, event.leg)
            read_soon(step, group.name)
            if group.term is not None:
                step.change_term(group.name, reserve_at_ms=0)


def read_anew(step: StepContext) -> None:
    """Read all reservations at once, for the last reading does not count any more, nor one that is under way."""
    for group in step.state.groups:
        step.change_shelves(group.name, read_ms=None)
        drop_readings(step, group.name)


def read_soon(step: StepContext, name: str) -> None:
    """Read all reservations of a group as soon as no other task is under way."""
    step.change_shelves(name, due=True)


def drop_readings(step: StepContext, name: str) -> None:
    """Give up the readings that are under way: what they will tell may be older than what has just happened (R3)."""
    shelves, kinds = step.state.group(name).shelves, {task.id: task.kind for task in step.state.tasks}
    if kinds.get(shelves.task_id) is TaskKind.READ_RESERVATIONS:
        step.do(CancelTask(shelves.task_id))
        step.change_shelves(name, task_id=0, due=True)
    if shelves.patient_id:
        step.do(CancelTask(shelves.patient_id))
        step.change_shelves(name, patient_id=0)


def task_done(step: StepContext, task: ReservationTask, done: TaskDone) -> None:
    """Process what the shelves answered. An address that did not respond is silent."""
    group = step.state.group(task.group)
    if group.shelves.patient_id == task.id:
        _learn_patiently(step, group, task, done)
        return
    if group.shelves.task_id != task.id:
        return
    step.change_shelves(group.name, task_id=0)
    address_lifetime.look_at_expired(step, group, done)
    longest = task.deadline_ms >= shelf_patience.longest_ms(step.state.config, renewing=renews(step.state, group))
    answers, asked_ms, awaited = _by_place(done), group.shelves.asked_ms, longest and _is_in_use(group)
    read = _Reading(answers, asked_ms, task.deadline_ms, group.shelves.read_ms or 0, awaited=awaited)
    if task.kind is TaskKind.READ_RESERVATIONS:
        complete = not any(
            shelf_patience.is_too_short(task.deadline_ms, address) for leg in group.legs for address in leg.addresses
        )
        read_ms = group.shelves.asked_ms if complete else group.shelves.read_ms
        step.change_shelves(group.name, read_ms=read_ms, glanced_ms=group.shelves.asked_ms)
    if task.kind is TaskKind.TRANSFER and group.term is not None:
        step.change_term(group.name, legs_transferred=(*group.term.legs_transferred, task.subject))
    for leg in group.legs:
        if task.kind is TaskKind.READ_RESERVATIONS or leg.name == task.subject:
            _note(step, group.name, leg, read)
    group = step.state.group(group.name)
    _judge(step, group)
    tried = task.kind in (TaskKind.RESERVE, TaskKind.PREEMPT)
    if tried and group.holding and not group.leg(task.subject).shows(Holder.US):
        step.change_term(group.name, reserve_at_ms=step.now_ms + step.state.config.hold_every_ms)


def _learn_patiently(step: StepContext, group: GroupState, task: ReservationTask, done: TaskDone) -> None:
    """Record what addresses show that were silent from before they were asked until now: others were read since."""
    step.change_shelves(group.name, patient_id=0)
    read = _Reading(_by_place(done), group.shelves.patient_ms, task.deadline_ms, patient=True)
    for leg in group.legs:
        _note(step, group.name, leg, read)
    _judge(step, step.state.group(group.name))


def shown(done: TaskDone) -> tuple[Reservation, ...]:
    """What the shelves that answered showed."""
    return done.outcome.reservations if isinstance(done.outcome, ReservationsRead) else ()


def _by_place(done: TaskDone) -> dict[tuple[str, str], Reservation]:
    return {(hold.leg, hold.address): hold for hold in shown(done)}


def unusable(state: NodeState, group: GroupState) -> str:
    """Why this node could not serve from the group's legs, else empty. A node that sees no shelf never fences.

    One that a human has told that the peer is off fences nobody: its legs' own superblocks tell whether it may start.
    """
    if not group.legs:
        return ""
    if group.shelves.read_ms is None:
        return f"{state.config.node} has not asked the shelves of {group.name} yet"
    if not any(answers(leg) for leg in group.legs):
        return f"no shelf of {group.name} answers {state.config.node}"
    needed, all_of_them = leg_ledger.needed_legs(state, group)
    answering = [leg for leg in needed if answers(leg)]
    if not needed or len(answering) == len(needed) or (answering and not all_of_them):
        return ""
    node, peer, confirmed = state.config.node, state.config.peer, state.fence.confirmed
    if confirmed is not None and confirmed.boot_id == state.peer.boot_id:
        return ""
    missed = ", ".join(leg.name for leg in needed if leg not in answering)
    return (
        f"{missed} of {group.name} does not answer {node}: acknowledged writes may be there alone. Bring it back, or, "
        f"if it is lost, make sure that {peer} is off and run `aoeha confirm {peer}`"
    )


def foreign(state: NodeState, group: GroupState) -> str:
    """Why no start could follow, else empty: a leg that is reserved for a stranger is never reserved for us (R3).

    One that has left the mirror by a current ledger is not needed. Where the peer gives the group away, the superblock
    of any leg that is free tells whether the others are.
    """
    theirs, needed = state.peer_group(group.name), leg_ledger.fence_legs(state, group)
    given = theirs is not None and membership.is_alive(state) and (theirs.yielding or not theirs.holding)
    if given and any(answers(leg) and not leg.shows_anywhere(Holder.STRANGER) for leg in group.legs):
        return ""
    legs = [leg.name for leg in needed if leg.shows_anywhere(Holder.STRANGER)]
    return f"{' and '.join(legs)} of {group.name} is reserved for a stranger" if legs else ""


def can_tell_owner(state: NodeState) -> bool:
    """Whether the shelves can tell the owner of every group: a leg of each has responded since we started."""
    return all(group.legs and not unusable(state, group) for group in state.groups)


def answers(leg: LegState) -> bool:
    """Whether the leg's shelf responds to this node at any address."""
    return any(address.holder in ANSWERS for address in leg.addresses)


def are_passed_on(state: NodeState, group: GroupState) -> bool:
    """Whether every leg was transferred to the peer, as far as its shelf responded and the peer may have it."""
    return suspect_legs.fenced_node_may_write(state, group) or all(_is_transferred(group, leg) for leg in group.legs)


def _is_transferred(group: GroupState, leg: LegState) -> bool:
    return group.term is not None and leg.name in group.term.legs_transferred


def _stopped_for_the_peer(group: GroupState) -> bool:
    return bool(group.yielding) and phase_of(group) is GroupPhase.STOPPED


def _leave(step: StepContext, group: GroupState) -> None:
    if are_passed_on(step.state, group):
        return
    for leg in group.legs:
        if not _is_transferred(group, leg):
            _ask(step, group, (TaskKind.TRANSFER, leg.name, Holder.US), group.yielding)
            return


def _reserve(step: StepContext, group: GroupState, term: Term) -> None:
    """Reserve the first leg that is not held in this term; none while it is not known whose the legs are (R10)."""
    may_not_preempt = law.stops(step.state, Act.PREEMPT, group) is not None
    if law.stops(step.state, Act.RESERVE, group) is not None or step.now_ms < term.reserve_at_ms:
        return
    for leg in group.legs:
        if leg.shows_anywhere(Holder.UNKNOWN):
            read(step, group, "read the reservations before a leg is reserved")
            return
        if leg.shows_anywhere(Holder.PEER):
            old_grant = _may_be_an_old_grant(step.state, term)
            if old_grant and group.shelves.asked_ms < term.taken_ms:
                glance(step, group, "read the reservations before a leg is preempted")
                return
            if may_not_preempt or old_grant:
                continue
        if any(_takeable(group, address) for address in leg.addresses):
            take(step, group, leg, f"owned at epoch {term.epoch}")
            return


def _may_be_an_old_grant(state: NodeState, term: Term) -> bool:
    """Whether the peer may own the group again: it gave it away in a beat, and has not answered us since.

    Such a beat may have waited while this node's clock stood still; then newer ones wait behind it. After deadtime they
    were heard, or the peer is not alive any more.
    """
    beat = state.peer.beat
    answered = beat is None or beat.echo_sequence > term.taken_sequence
    is_new = state.now_ms - term.taken_ms < state.config.deadtime_ms
    return term.proof.kind is ProofKind.HANDED_OVER and membership.is_alive(state) and is_new and not answered


def _has_address(leg: LegState, name: str) -> bool:
    return any(address.name == name for address in leg.addresses)


def _takeable(group: GroupState, address: AddressState) -> bool:
    return address.holder in (Holder.NOBODY, Holder.US, Holder.PEER) and address.held_epoch != group.held_epoch


def _read_due(state: NodeState, group: GroupState) -> bool:
    age_ms = state.now_ms - group.shelves.asked_ms
    doubtful = not group.holding and membership.look_is_due(state, group)
    asked_for = (group.shelves.due or doubtful) and age_ms >= ADVERT_PAUSE_MS
    return asked_for or group.shelves.read_ms is None or age_ms >= state.config.hold_every_ms


def _note(step: StepContext, name: str, leg: LegState, read: _Reading) -> None:
    """Record what the addresses of a leg show."""
    group = step.state.group(name)
    addresses = tuple(_noted(group, leg, address, read) for address in leg.addresses)
    if addresses == leg.addresses:
        return
    step.change_leg(name, leg.name, addresses=addresses)
    group = step.state.group(name)
    if group.leg(leg.name).shows_anywhere(Holder.NOBODY):
        target_restarts.note(step, name, leg.name, read.asked_ms)
    back = leg.shows_anywhere(Holder.SILENT) and not group.leg(leg.name).shows_anywhere(Holder.SILENT)
    if back and group.term is not None:
        # A start that failed because this leg was missing need not wait out its pause.
        step.change_term(name, retry_at_ms=0)


def _is_in_use(group: GroupState) -> bool:
    """Whether a mirror runs here: an owner changes nothing on its legs, so only readings tell that one is silent."""
    return any(one.config.mirror and leg_ledger.may_run(group, one) for one in group.resources)


def _noted(group: GroupState, leg: LegState, address: AddressState, read: _Reading) -> AddressState:
    answer = read.answers.get((leg.name, address.name))
    if answer is None and shelf_patience.is_too_short(read.within_ms, address):
        needs_ms = shelf_patience.needs_at_most_ms(address.needs_ms) if read.awaited else address.needs_ms
        return replaced(address, needs_ms=needs_ms)
    if read.patient and (answer is None or address.holder is not Holder.SILENT or address.since_ms > read.asked_ms):
        return address
    holder = Holder.SILENT if answer is None else answer.holder
    needs_ms = address.needs_ms if answer is None else shelf_patience.needs_ms(address.needs_ms, answer.took_ms)
    if holder is address.holder:
        return address if needs_ms == address.needs_ms else replaced(address, needs_ms=needs_ms)
    silenced = holder is Holder.SILENT and address.holder is not Holder.UNKNOWN and len(leg.addresses) > 1
    held_epoch, answered_ms = _held_epoch(group, address), read.looked_ms if silenced else 0
    return AddressState(address.name, holder, read.asked_ms, held_epoch, answered_ms, needs_ms=needs_ms)


def _held_epoch(group: GroupState, address: AddressState) -> int:
    """The term in which an address was last held: one that showed us while we own by a storage proof was part of it.

    Such a proof may rest on reservations that we made long ago, and the peer may be preempting them now.
    """
    fenced = group.holding and group.proof is not None and group.proof.kind is ProofKind.STORAGE_FENCED
    return group.held_epoch if fenced and address.holder is Holder.US else address.held_epoch


def _judge(step: StepContext, group: GroupState) -> None:
    """What the answers mean for an owner."""
    if group.holding:
        for leg in group.legs:
            _judge_leg(step, group, leg)
    elif step.state.alarms:
        _end_alarms(step, group)


def _judge_leg(step: StepContext, group: GroupState, leg: LegState) -> None:
    """A leg of ours that shows nobody may have lost acknowledged writes (R5), and a stranger may write to its own."""
    forgot = any(suspect_legs.has_forgotten(step.state, group, address) for address in leg.addresses)
    was_ours = any(address.held_epoch == group.held_epoch for address in leg.addresses)
    taken = was_ours and leg.shows_anywhere(Holder.STRANGER)
    tainted = taken or (forgot and suspect_legs.fenced_node_may_write(step.state, group))
    addresses = tuple(_judged(step, group, leg, address) for address in leg.addresses)
    if addresses != leg.addresses:
        step.change_leg(group.name, leg.name, addresses=addresses)
    if forgot or taken or target_restarts.before_term(group, leg):
        suspect, in_doubt = tainted or leg.suspect, leg.copying or leg.returning or leg.copy_in_doubt
        step.change_leg(group.name, leg.name, reservation_lost=True, suspect=suspect, copy_in_doubt=in_doubt)


def _judged(step: StepContext, group: GroupState, leg: LegState, address: AddressState) -> AddressState:
    was_ours = address.held_epoch == group.held_epoch
    where, node, peer = f"{leg.name} at {address.name}", step.state.config.node, step.state.config.peer
    subject = Subject.address(group.name, leg.name, address.name)
    if address.holder is not Holder.STRANGER:
        sentence = f"{where} is not reserved for another machine any more"
        step.clear_alarm(Code.LEG_FOREIGN_RESERVATION, subject, sentence)
    match address.holder:
        case Holder.US:
            unsettled = law.stands(step.state, Kind.REVALIDATING)
            return address if was_ours or unsettled else address.held_in(group.held_epoch)
        case Holder.PEER if was_ours and not _is_transferred(group, leg):
            sentence = f"{node} was fenced: {where} is reserved for {peer} now"
            step.panic(Code.OWNERSHIP_FENCED, Subject.group(group.name), sentence)
        case Holder.STRANGER:
            sentence = f"{where} is reserved for a machine that is neither {node} nor {peer}: neither can write there"
            step.alarm(Code.LEG_FOREIGN_RESERVATION, subject, sentence)
        case Holder.NOBODY if was_ours:
            sentence = f"{where} has lost the reservation of {node}: the target has restarted"
            step.say(Code.LEG_RESERVATION_LOST, subject, sentence)
            return address.held_in(0)
        case _:
            pass
    return address


def _end_alarms(step: StepContext, group: GroupState) -> None:
    """End the alarms: only the owner reports about reservations."""
    for leg in group.legs:
        for address in leg.addresses:
            subject = Subject.address(group.name, leg.name, address.name)
            sentence = f"{step.state.config.node} does not own {group.name} any more"
            step.clear_alarm(Code.LEG_FOREIGN_RESERVATION, subject, sentence)


def renews(state: NodeState, group: GroupState) -> bool:
    """Whether addresses of ours live on only by readings that come in time."""
    return bool(address_lifetime.bounded(state, group)) and law.stops(state, Act.EXPIRE) is None


def _ask(
    step: StepContext,
    group: GroupState,
    request: Request,
    reason: str,
    renewal: AddressRenewal | None = None,
    *,
    hurried: bool = False,
) -> None:
    kind, subject, expected = request
    patience_ms = step.state.config.shelf_timeout_ms if hurried else _patience_ms(step.state, group, request)
    task = ReservationTask(step.state.next_task_id, patience_ms, reason, kind, group.name, subject, expected, renewal)
    step.begin(task)
    due = group.shelves.due and kind is not TaskKind.READ_RESERVATIONS
    step.change_shelves(group.name, task_id=task.id, asked_ms=step.now_ms, due=due)


def _patience_ms(state: NodeState, group: GroupState, request: Request) -> int:
    """How long the shelves may take: a reading asks all of them, a change asks one leg three times."""
    kind, subject, _ = request
    if kind is TaskKind.READ_RESERVATIONS:
        return shelf_patience.reading_ms(state.config, group, renewing=renews(state, group))
    return shelf_patience.change_ms(state.config, group.leg(subject))
