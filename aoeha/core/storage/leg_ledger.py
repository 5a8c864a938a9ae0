"""The ledger: which legs the owner may still write to, and which hold every acknowledged write (home of R4 and R5).

Rules. The owner sends both sets in every beat, under a version. A node that hears them acknowledges the version. A set
may change for the worse only behind a gate. Before a leg leaves the mirror it leaves the start set; before a leg joins
the mirror it is in the fence set; and both wait until the peer cannot be wrong about it any more. That is so when the
peer acknowledged this version, or left, or was proved off and not heard since; or when any ledger that the peer can
have heard is too old to be used. Other changes are sent afterwards.

A node that hears a ledger uses it for `ledger_lease` at most, counted from its own beat that the owner had answered. To
prove that the owner cannot write, the node needs the legs of the fence set and no others, and it may start from one leg
of the start set. A beat of a daemon that has not looked at its mirror yet carries no ledger: it renews nothing, and
until that daemon has looked, the ledger of the one before it is not relied on, for the kernel may have dropped a leg
meanwhile. Without a ledger, all legs count, and the legs' superblocks decide. An owner that does not know how its
mirror stands, because it has failed, is being stopped, has not been seen, or has changed since it was seen last, says
just that: all legs are in the fence set, and none in the start set. So an owner whose kernel has dropped a leg says so
before its agents have looked which one. For the peer that is no ledger, but it has a version, so that the gate opens
all the same, and a silent leg may leave. A ledger that is too old can only make a node refuse. A node that gives a
group up, or loses it, withdraws its ledger. No ledger is learned from shelves or from disk. But what the owner's own
records on the legs call lacking, in the same term, is in no start set: md drops a leg without asking, and where all
links are cut no beat tells of it.

What this file does not know: why a leg should leave or return, and how.
"""

from aoeha.core.model.beat import BeatFlag, Ledger
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.config import PairConfig
from aoeha.core.model.legs import HeardLedger, LegState
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import LockRecord
from aoeha.core.model.state import UP, GroupState, NodeState, PeerCondition, ResourcePhase, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.storage import suspect_legs, target_restarts

CLOCKS_PERCENT = 10
"""How much longer the gate waits than a ledger is used: two clocks may run at different rates."""


GONE = (ResourcePhase.UNKNOWN, ResourcePhase.STOPPED, ResourcePhase.STARTING)
"""The phases in which no mirror of ours is known to run."""


def learn(step: StepContext) -> None:
    """Take the owner's ledger from its newest beat. A ledger that the owner withdrew, or gave up, is forgotten."""
    for name in [group.name for group in step.state.groups if group.legs]:
        heard = _heard(step.state, step.state.group(name))
        if heard != step.state.group(name).heard_ledger:
            step.change_group(name, heard_ledger=heard)
        target_restarts.learn(step, name)


def publish(step: StepContext, name: str, mirror: ResourceState | None) -> None:
    """Bring our own ledger up to date with the mirror that runs here; the next beat carries it."""
    group = step.state.group(name)
    sets = _sets(group, mirror)
    if sets is None:
        if group.ledger is not None:
            step.change_term(name, ledger=None)
    elif group.ledger is None or (group.ledger.fence, group.ledger.start) != sets:
        version = max(group.ledger_version, step.state.sequence) + 1
        step.change_group(name, ledger_version=version)
        step.change_term(name, ledger=Ledger(version, *sets), ledger_since_ms=step.now_ms)


def note_copies(step: StepContext, name: str, copying: tuple[str, ...]) -> None:
    """A leg onto which our mirror copies is written to and is not whole, whichever daemon or owner began the copy.

    It becomes at least as good as the others are now: what these lose later, it may have.
    """
    group = step.state.group(name)
    in_doubt = not any(suspect_legs.is_sound(group, leg) for leg in suspect_legs.whole_legs(group))
    for leg in group.legs:
        if leg.name in copying and not leg.copying:
            step.change_leg(name, leg.name, copying=True, copy_in_doubt=in_doubt or leg.copy_in_doubt)
            step.say(Code.MIRROR_LEG_COPYING, Subject.leg(name, leg.name), f"{leg.name} is being resynchronised")


def gate_is_open(state: NodeState, group: GroupState) -> bool:
    """Whether the peer can neither start nor prove anything by sets that are better than ours."""
    term = group.term
    if term is None or term.ledger is None:
        return False
    theirs = state.peer_group(group.name)
    if theirs is not None and theirs.acknowledged == term.ledger.version:
        return True
    if state.peer.condition is PeerCondition.LEFT or _off_and_unheard_since(state):
        return True
    heard_ms = state.heard_ms
    unheard_since_ms = state.started_ms if heard_ms is None else heard_ms
    return state.now_ms - min(term.ledger_since_ms, unheard_since_ms) >= patience_ms(state.config)


def patience_ms(config: PairConfig) -> int:
    """How long the gate stays shut at most."""
    return config.ledger_lease_ms * (100 + CLOCKS_PERCENT) // 100


def current(state: NodeState, group: GroupState) -> Ledger | None:
    """The owner's ledger if it is young enough to rely on, and no later ownership is known since, else None."""
    heard, beat = group.heard_ledger, state.peer.beat
    if heard is None or group.epoch > max(heard.epoch, heard.known_epoch):
        return None
    if beat is not None and beat.boot_id == heard.boot_id and BeatFlag.PROBED not in beat.flags:
        return None
    if state.now_ms - heard.as_of_ms > state.config.ledger_lease_ms:
        return None
    records = _records_of_the_term(group, heard)
    if any(record.later for record in records):
        return None
    lacking = {place for record in records for place in record.lacking}
    return replaced(heard.ledger, start=tuple(place for place in heard.ledger.start if place not in lacking))


def _records_of_the_term(group: GroupState, heard: HeardLedger) -> list[LockRecord]:
    """The owner's records of the term in which the ledger was heard: they may be younger, and call legs lacking.

    What one of a later format calls lacking cannot be read: the ledger is not relied on then.
    """
    records = [seen.record for seen in group.shelf_link.seen if seen.record is not None]
    return [record for record in records if (record.boot_id, record.epoch) == (heard.boot_id, heard.epoch)]


def fence_legs(state: NodeState, group: GroupState) -> tuple[LegState, ...]:
    """The legs that the peer may still write to as far as this node knows: all, without a current ledger."""
    ledger = current(state, group)
    legs = _at(group, ledger.fence) if ledger is not None else ()
    return legs or group.legs


def complete_legs(state: NodeState, group: GroupState) -> tuple[str, ...]:
    """The legs that are known to hold every acknowledged write: none, without a current ledger."""
    ledger = current(state, group)
    return tuple(leg.name for leg in _at(group, ledger.start)) if ledger is not None else ()


def start_legs(group: GroupState) -> tuple[LegState, ...]:
    """The legs that hold every acknowledged write by our own ledger; all, where the mirror's state is not known."""
    return (_at(group, group.ledger.start) if group.ledger is not None else ()) or group.legs


def needed_legs(state: NodeState, group: GroupState) -> tuple[tuple[LegState, ...], bool]:
    """The legs from which this node could serve, and whether it needs all or any of them; none where nothing is known.

    An old ledger at least tells which legs have left the mirror, so the other legs' superblocks record that too.
    """
    ledger, heard = current(state, group), group.heard_ledger
    if ledger is not None and ledger.start:
        return _at(group, ledger.start), False
    known = heard is not None and bool(heard.ledger.start)
    return (_at(group, heard.ledger.fence), True) if heard is not None and known else ((), False)


def vouching_legs(group: GroupState) -> tuple[str, ...]:
    """The legs in the mirror that runs here: while one is still ours, the peer has no proof of our fencing (R12)."""
    mirror = next((resource for resource in group.resources if resource.config.mirror), None)
    missing = mirror.missing or () if mirror is not None else ()
    return tuple(leg.name for leg in group.legs if leg.name not in missing)


def _off_and_unheard_since(state: NodeState) -> bool:
    """Whether the peer's memory is gone: a new boot of it knows no ledger but one that answers its own beats."""
    off, heard_ms = state.last_off, state.heard_ms
    return off is not None and off.boot_id == state.peer.boot_id and (heard_ms is None or heard_ms < off.at_ms)


def _heard(state: NodeState, group: GroupState) -> HeardLedger | None:
    known, theirs, beat = group.heard_ledger, state.peer_group(group.name), state.peer.beat
    if group.holding:
        return None
    if theirs is None or beat is None or BeatFlag.PROBED not in beat.flags:
        return known
    if not theirs.holding:
        return None if known is not None and known.boot_id == beat.boot_id else known
    alike, answered_ms = beat.config_tag == state.config.config_tag, state.peer.answered_ms
    if theirs.ledger is None or answered_ms is None or not alike:
        return None
    heard = HeardLedger(beat.boot_id, theirs.epoch, theirs.ledger, answered_ms, group.epoch)
    # What is known of later epochs since then does not make an old beat a newer one.
    is_old = known is not None and heard == replaced(known, known_epoch=heard.known_epoch)
    return known if is_old else heard


def may_run(group: GroupState, mirror: ResourceState) -> bool:
    """Whether a mirror of ours holds its legs, as one that failed or is being stopped still does.

    One that no look has told of yet is waited for. After a start that failed none will, if its stop hangs.
    """
    seen = mirror.missing is not None or any(resource.stop_failures for resource in group.resources)
    return group.holding and mirror.phase not in GONE and seen


def waits_for_a_leg(group: GroupState) -> bool:
    """Whether what a mirror of ours writes waits for a leg: whatever looks at the mirror may wait with it."""
    lacking = {name for one in group.resources if one.config.mirror for name in one.missing or ()}
    return group.holding and any(leg.takes_nothing for leg in group.legs if leg.name not in lacking)


def is_known(mirror: ResourceState) -> bool:
    """Whether it is known how a mirror stands: its kernel has not changed it since a look has told."""
    return was_seen(mirror) and not mirror.changed


def was_seen(mirror: ResourceState) -> bool:
    """Whether the last look has told how a mirror stood: one that is degraded lacks a leg, or copies onto one."""
    if mirror.phase not in UP or mirror.missing is None:
        return False
    return mirror.phase is ResourcePhase.RUNNING or bool(mirror.missing or mirror.copying)


def _sets(group: GroupState, mirror: ResourceState | None) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The fence set and the start set, None where no mirror of ours is known to run."""
    if mirror is None or not may_run(group, mirror):
        return None
    legs = list(enumerate(group.legs))
    if not is_known(mirror):
        return tuple(place for place, _ in legs), ()
    within = [(place, leg) for place, leg in legs if leg.name not in (mirror.missing or ())]
    staying = [(place, leg) for place, leg in within if not (leg.copying or leg.leaving)]
    sound = [place for place, leg in staying if suspect_legs.is_sound(group, leg)]
    fence = {place for place, _ in within} | {place for place, leg in legs if leg.returning}
    return tuple(sorted(fence)), tuple(sound or (place for place, _ in staying))


def _at(group: GroupState, places: tuple[int, ...]) -> tuple[LegState, ...]:
    return tuple(leg for place, leg in enumerate(group.legs) if place in places)
