"""Storage fences: the legs of a silent peer are preempted, one after the other (home of R11; also R2, R7).

Rules. A storage fence starts for the same reasons as a power fence, where the configuration calls it enough. It begins
with a fresh reading of every reservation: a node that could not serve from these legs would only take the service from
a peer that is alive. Before the first leg is taken by force the records are read too, since the legs showed the peer
(`disk_heartbeat`). The first leg must respond; otherwise no leg is preempted. The fence is complete only when every
address of every leg that the peer may still write to (`ledger`) is ours: an address that does not respond may still
accept the peer's writes. Legs are taken in their configured order, and each one is followed by another reading. A node
that finds that a leg which it took shows the peer again yields: the peer is alive. Legs that no node holds are taken
only when no node has held them for a while, without force, and then no node is powered off. Once a leg was taken by
force the fence is finished, whatever is heard; but a node that stalled in the middle of it starts again.

Without any ledger only the legs tell whether a fence, of whatever kind, would restore the service: all of them must
respond, and either one must show the peer, or all must be free of it.

The first leg is the arbiter of a fence race: a power fence is requested when the leg still shows us a moment after it
was taken by force. Where it was taken without force, a power fence is requested only if another leg is out of reach:
then the storage fence alone proves nothing. An arbiter that does not decide within `ARBITRATED_DEADTIMES` is not waited
for any longer (R18).

What this file does not know: how a reservation is made, and what the proof is used for.
"""

from aoeha.core.model import law, shelf_patience
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.config import PairConfig
from aoeha.core.model.fence import FencePhase
from aoeha.core.model.law import Act
from aoeha.core.model.legs import LegState, StorageFenceState
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.peer import disk_heartbeat
from aoeha.core.storage import coverage, leg_ledger, reservations

STANDS_MS = 50
"""The first leg must still be ours this long after it was taken before a power fence is requested."""
ARBITRATED_DEADTIMES = 3
"""So many deadtimes after a power fence was due, it no longer waits for the first leg."""
POWER_UNDER_WAY = (FencePhase.SWITCHING_OFF, FencePhase.READING_BACK, FencePhase.SETTLING)
FREE_PERIODS = 3
"""Legs that no node holds count as free after this many periods of the hold check, and not before deadtime."""


def decide(step: StepContext, wanted: tuple[str, ...], delay_ms: int) -> None:
    """Advance every storage fence. `wanted` names the groups that a silent peer should lose to us.

    A storage fence begins `delay_ms` after its group was first wanted: the peer may want to take something from us too
    (R7).
    """
    for name in [group.name for group in step.state.groups if group.legs and not group.holding]:
        _end_for_new_boot(step, name)
        group = step.state.group(name)
        if group.shelves.task_id or law.stops(step.state, Act.PREEMPT) is not None:
            continue
        if group.storage_fence.victim_boot_id is not None:
            _go_on(step, group, still_wanted=name in wanted)
        elif name not in wanted or not coverage.suffices(step.state):
            _forget_wish(step, group)
        elif _is_due(step, group, delay_ms):
            _begin(step, group)
    for name in [group.name for group in step.state.groups if group.storage_fence.first_ms is not None]:
        _watch_the_first(step, name)


def drop_rounds(step: StepContext) -> None:
    """Start again after a stall or a pause: what was read before it may no longer be so (R7)."""
    for group in step.state.groups:
        if group.storage_fence.victim_boot_id is not None:
            step.change_group(group.name, storage_fence=StorageFenceState())


def arbitrates(state: NodeState, wanted: tuple[str, ...]) -> bool:
    """Whether the first leg of a group decides which node may request power: it responds, and is or will be taken."""
    return coverage.suffices(state) and any(
        group.legs
        and (group.name in wanted or group.storage_fence.victim_boot_id is not None)
        and not _cannot_be_taken(_arbiter(state, group))
        for group in state.groups
    )


def first_leg_stands(state: NodeState) -> bool:
    """Whether a first leg became ours and stayed so, and power is needed too: the peer held it, or may hold another."""
    return any(
        group.storage_fence.first_stands and (group.storage_fence.forced or _is_stuck(state, group))
        for group in state.groups
    )


def patience_ms(config: PairConfig) -> int:
    """How long a power fence waits for the first leg at most."""
    return ARBITRATED_DEADTIMES * config.deadtime_ms


def peer_yielded_to(state: NodeState, group: GroupState) -> bool:
    """Whether the peer showed at the shelves that it is alive, so that it is not fenced for now."""
    return state.now_ms < group.storage_fence.yielded_until_ms


def in_vain(state: NodeState, group: GroupState) -> str:
    """Why no fence starts for this group yet: it could not be started, or its owner is alive (R7). Empty for no reason.

    A node that never heard a ledger needs every leg for a start, or the legs' own superblocks, which it cannot read
    before it holds the legs. And a peer whose name is on no address that responds may serve by an address that does
    not.
    """
    if not group.legs or group.heard_ledger is not None or group.storage_fence.forced:
        return ""
    node, peer = state.config.node, state.config.peer
    way_out = f"If {peer} has no power: aoeha confirm {peer}"
    missed = [leg.name for leg in group.legs if not reservations.answers(leg)]
    if missed:
        return (
            f"{' and '.join(missed)} of {group.name} does not answer {node}, which never heard whether the other leg "
            f"has all that was acknowledged: {peer} is not fenced for what could not be started. {way_out}"
        )
    unclear = [
        f"{leg.name} at {address.name} ({address.holder.value})"
        for leg in group.legs
        for address in leg.addresses
        if address.holder not in (Holder.NOBODY, Holder.US)
    ]
    if not unclear or any(leg.shows_anywhere(Holder.PEER) for leg in group.legs):
        return ""
    return f"no leg of {group.name} within reach shows {peer}, which may serve by {', '.join(unclear)}. {way_out}"


def _forget_wish(step: StepContext, group: GroupState) -> None:
    if group.storage_fence.wanted_ms is not None:
        step.change_storage_fence(group.name, wanted_ms=None)


def _is_due(step: StepContext, group: GroupState, delay_ms: int) -> bool:
    fence = group.storage_fence
    if fence.wanted_ms is None:
        step.change_storage_fence(group.name, wanted_ms=step.now_ms)
    wanted_ms = step.now_ms if fence.wanted_ms is None else fence.wanted_ms
    return step.now_ms >= max(wanted_ms + delay_ms, fence.retry_ms)


def _begin(step: StepContext, group: GroupState) -> None:
    arbiter, about = _arbiter(step.state, group).name, step.state.peer.boot_id
    step.change_group(group.name, storage_fence=StorageFenceState(about, arbiter, since_ms=step.now_ms))
    reservations.glance(step, step.state.group(group.name), "read the reservations before the first leg is preempted")


def _end_for_new_boot(step: StepContext, name: str) -> None:
    """A storage fence is about one boot of the peer (R2): once another one is heard, it proves nothing."""
    group, peer = step.state.group(name), step.state.config.peer
    if group.storage_fence.victim_boot_id in (None, step.state.peer.boot_id):
        return
    _end(step, group)
    sentence = f"{peer} has rebooted: the legs of {name} are not needed as a proof"
    step.say(Code.STORAGE_FENCE_PEER_REBOOTED, Subject.group(name), sentence)


def _go_on(step: StepContext, group: GroupState, *, still_wanted: bool) -> None:
    fence, name, peer = group.storage_fence, group.name, step.state.config.peer
    if not fence.forced and not still_wanted:
        _end(step, group)
        sentence = f"there is no reason to reserve the legs of {name} any more"
        step.say(Code.STORAGE_FENCE_STOOD_DOWN, Subject.group(name), sentence)
        return
    if _power_goes_first(step.state, group) or not _is_read_since(step, group, fence.since_ms):
        return
    if fence.shown_ms is None:
        step.change_storage_fence(name, shown_ms=step.now_ms)
        disk_heartbeat.read_before_force(step, name)
        group = step.state.group(name)
    if not disk_heartbeat.has_read_for(step.state, group):
        return
    if _lost(step.state, group):
        yielded_until_ms = step.now_ms + step.state.config.deadtime_ms
        _end(step, group)
        sentence = f"{peer} has reserved a leg of {name} again, so it is alive and is not fenced"
        step.say(Code.STORAGE_FENCE_YIELDED, Subject.group(name), sentence)
        step.change_storage_fence(name, yielded_until_ms=yielded_until_ms)
        return
    if _cannot_be_taken(_arbiter(step.state, group)):
        _refuse(step, group)
        _end(step, group)
        return
    _take_next(step, group)


def _take_next(step: StepContext, group: GroupState) -> None:
    """Take the next leg that responds and is not ours. When all of them are ours, the proof is complete."""
    name, peer = group.name, step.state.config.peer
    needed = leg_ledger.fence_legs(step.state, group)
    for leg in needed:
        held = leg.shows_anywhere(Holder.PEER)
        if held or (leg.shows_anywhere(Holder.NOBODY) and _is_free(step.state, leg)):
            step.change_storage_fence(
                name, forced=group.storage_fence.forced or held, since_ms=step.now_ms + 1, shown_ms=None, done=False
            )
            reservations.take(step, step.state.group(name), leg, f"{peer} is silent")
            return
    done = _holds_all(step.state, group)
    if done and not group.storage_fence.done:
        legs = ", ".join(leg.name for leg in needed)
        sentence = f"{peer} cannot write to {name} any more: {legs} is reserved for {step.state.config.node}"
        step.say(Code.STORAGE_FENCE_DONE, Subject.group(name), sentence)
    elif not done:
        _refuse(step, group)
    step.change_storage_fence(name, done=done)


def _power_goes_first(state: NodeState, group: GroupState) -> bool:
    """Whether only slow legs are left to take, which may last, and power is about to be asked for or under way."""
    arbiter, left = (
        _arbiter(state, group),
        [leg for leg in leg_ledger.fence_legs(state, group) if not leg.shows(Holder.US)],
    )
    if group.storage_fence.first_ms is None or not left or shelf_patience.is_slow(state.config, arbiter):
        return False
    if not all(shelf_patience.is_slow(state.config, leg) for leg in left):
        return False
    return not group.storage_fence.first_stands or state.fence.phase in POWER_UNDER_WAY


def _is_read_since(step: StepContext, group: GroupState, since_ms: int) -> bool:
    """Whether the shelves were read since then; else they are. Nobody waits for a slow leg before it is its turn."""
    untaken = (leg for leg in leg_ledger.fence_legs(step.state, group) if not leg.shows(Holder.US))
    concerned = (_arbiter(step.state, group), next(untaken, None))
    hurried = not any(leg is None or shelf_patience.is_slow(step.state.config, leg) for leg in concerned)
    read_ms = group.shelves.glanced_ms if hurried else group.shelves.read_ms
    if read_ms is not None and read_ms >= since_ms:
        return True
    (reservations.glance if hurried else reservations.read)(step, group, "read the reservations again")
    return False


def _watch_the_first(step: StepContext, name: str) -> None:
    """Read the first leg again a moment after it became ours."""
    group = step.state.group(name)
    fence = group.storage_fence
    due_ms = (fence.first_ms or 0) + STANDS_MS
    if fence.first_stands or step.now_ms < due_ms:
        return
    slow = shelf_patience.is_slow(step.state.config, _arbiter(step.state, group))
    read_ms = group.shelves.read_ms if slow else group.shelves.glanced_ms
    if read_ms is not None and read_ms >= due_ms:
        step.change_storage_fence(name, first_stands=_arbiter(step.state, group).shows(Holder.US))
    elif not group.shelves.task_id:
        look = reservations.read if slow else reservations.glance
        look(step, group, "check that the first leg is still reserved")


def _arbiter(state: NodeState, group: GroupState) -> LegState:
    """The leg that is taken first: of those that the peer may still write to, as known when the fence was begun."""
    named = [leg for leg in group.legs if leg.name == group.storage_fence.arbiter]
    return named[0] if named else leg_ledger.fence_legs(state, group)[0]


def _lost(state: NodeState, group: GroupState) -> bool:
    """Whether the first leg was ours in this fence and shows the peer now."""
    return group.storage_fence.first_ms is not None and _arbiter(state, group).shows_anywhere(Holder.PEER)


def _is_free(state: NodeState, leg: LegState) -> bool:
    """Whether no node has held the leg for so long that an owner would have reserved it again."""
    patience_ms = max(state.config.deadtime_ms, FREE_PERIODS * state.config.hold_every_ms)
    return all(
        address.holder is Holder.US
        or (address.holder is Holder.NOBODY and state.now_ms - address.since_ms >= patience_ms)
        for address in leg.addresses
    )


def _is_stuck(state: NodeState, group: GroupState) -> bool:
    """Whether the fence cannot be completed, because a leg that the peer may still write to is out of reach."""
    return any(_cannot_be_taken(leg) for leg in leg_ledger.fence_legs(state, group))


def _cannot_be_taken(leg: LegState) -> bool:
    return leg.shows_anywhere(Holder.SILENT) or leg.shows_anywhere(Holder.STRANGER)


def _refuse(step: StepContext, group: GroupState) -> None:
    """Say which leg cannot be taken, unless a graver reason stands: two that are told in turn would never end."""
    if group.refusal is None or group.refusal.code is Code.TAKEOVER_REFUSED_LEG_NOT_RESERVED:
        step.refuse(group.name, Code.TAKEOVER_REFUSED_LEG_NOT_RESERVED, _incomplete(step.state, group))


def _incomplete(state: NodeState, group: GroupState) -> str:
    where = [
        f"{leg.name} at {address.name} ({address.holder.value})"
        for leg in leg_ledger.fence_legs(state, group)
        for address in leg.addresses
        if address.holder is not Holder.US
    ]
    return (
        f"{state.config.node} does not take over {group.name}: {state.config.peer} may still write to "
        f"{', '.join(where)}, and only its power-off can prove that it does not"
    )


def _end(step: StepContext, group: GroupState) -> None:
    step.change_group(
        group.name, storage_fence=StorageFenceState(retry_ms=step.now_ms + step.state.config.hold_every_ms)
    )


def next_wakes_ms(state: NodeState) -> tuple[int, ...]:
    """When a first leg must be read again."""
    return tuple(
        group.storage_fence.first_ms + STANDS_MS
        for group in state.groups
        if group.storage_fence.first_ms is not None and not group.storage_fence.first_stands
    )


def note_first(step: StepContext, name: str) -> None:
    """After an answer of the shelves: record when the first leg became ours."""
    group = step.state.group(name)
    if group.storage_fence.victim_boot_id is None and not group.storage_fence.done:
        return
    if group.storage_fence.first_ms is None and _arbiter(step.state, group).shows(Holder.US):
        step.change_storage_fence(name, first_ms=step.now_ms)


def complete(state: NodeState, group: GroupState) -> bool:
    """Whether the peer, at its known boot, cannot write to any leg of the group, as was read since the fence began."""
    return group.storage_fence.done and _holds_all(state, group)


def _holds_all(state: NodeState, group: GroupState) -> bool:
    """Whether every address of every leg that the peer may still write to shows us."""
    return all(leg.shows(Holder.US) for leg in leg_ledger.fence_legs(state, group))
