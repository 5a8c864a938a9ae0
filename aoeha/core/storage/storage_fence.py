"""Storage fences: the legs of a silent peer are taken from it, one after the other (R2, R7).

Rules. A storage fence is begun for the same reasons as a power fence, where the configuration calls it enough, after a
fresh look at every leg: who could not go on by it alone would only take the service from a peer that lives. The first
leg must answer, or none is taken. It is complete only when every address of every leg that the peer may still write to
(`ledger`) is ours: one that does not answer may still take its writes. Legs are taken in their configured order, and
each act is followed by another look. Who finds that a leg which it took shows the peer again yields: the peer lives.
Legs that nobody holds are taken only when nobody has held them for a while, without force, and then nobody is powered
off. Once a leg was taken by force it is finished, whatever is heard; but who was away in the middle of it begins anew.

Without any ledger only the legs tell whether a fence, of whatever kind, would serve anybody: all of them must answer,
and one must show the peer, or all must be free of it.

The first leg is the arbiter of a duel: power is asked for when it still shows us a moment after it was taken.

What this file does not know: how a reservation is made, and what the proof is used for.
"""

from aoeha.core.model.actions import Level
from aoeha.core.model.legs import LegState, SeizureState
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import Turn
from aoeha.core.storage import leg_ledger, reservations

STANDS_MS = 50
"""The first leg must still be ours so long after it was taken before power is asked for."""
FREE_PERIODS = 3
"""Legs that nobody holds count as free after so many periods of the hold check, and not before deadtime."""


def decide(turn: Turn, wanted: tuple[str, ...], delay_ms: int) -> None:
    """Move every storage fence on. `wanted` names the groups that a silent peer should lose to us.

    One is begun `delay_ms` after it was first wanted: the peer may want to take something from us too (R7).
    """
    for name in [group.name for group in turn.state.groups if group.legs]:
        group = turn.state.group(name)
        if group.holding or group.shelf_task_id or turn.state.paused:
            continue
        if group.seizure.victim_boot_id is not None:
            _go_on(turn, group, still_wanted=name in wanted)
        elif name not in wanted or not turn.state.config.storage_suffices:
            _forget_wish(turn, group)
        elif _is_due(turn, group, delay_ms):
            _begin(turn, group)
    for name in [group.name for group in turn.state.groups if group.seizure.first_ms is not None]:
        _watch_the_first(turn, name)


def drop_rounds(turn: Turn) -> None:
    """Begin anew after an absence or a pause: what was read before it may not be so any more (R7)."""
    for group in turn.state.groups:
        if group.seizure.victim_boot_id is not None:
            turn.change_group(group.name, seizure=SeizureState())


def arbitrates(state: NodeState, wanted: tuple[str, ...]) -> bool:
    """Whether the first leg of a group decides who may ask for power: it answers, and is taken or about to be."""
    return state.config.storage_suffices and any(
        group.legs
        and (group.name in wanted or group.seizure.victim_boot_id is not None)
        and not _cannot_be_taken(_arbiter(state, group))
        for group in state.groups
    )


def first_leg_stands(state: NodeState) -> bool:
    """Whether a first leg was taken from the peer by force and stayed ours."""
    return any(group.seizure.forced and group.seizure.first_stands for group in state.groups)


def peer_yielded_to(state: NodeState, group: GroupState) -> bool:
    """Whether the peer showed at the shelves that it lives, so that it is left alone for now."""
    return state.now_ms < group.seizure.yielded_until_ms


def in_vain(state: NodeState, group: GroupState) -> str:
    """Why nobody is fenced for this group yet, empty for no reason: it could not be started, or its owner lives (R7).

    Who never heard a ledger needs every leg for a start, or the legs' own word, which it cannot read before it has
    them. And a peer whose name is on no address within reach may serve by one that is out of reach.
    """
    if not group.legs or group.heard_ledger is not None or group.seizure.forced:
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


def _forget_wish(turn: Turn, group: GroupState) -> None:
    if group.seizure.wanted_ms is not None:
        turn.change_seizure(group.name, wanted_ms=None)


def _is_due(turn: Turn, group: GroupState, delay_ms: int) -> bool:
    seizure = group.seizure
    if seizure.wanted_ms is None:
        turn.change_seizure(group.name, wanted_ms=turn.now_ms)
    wanted_ms = turn.now_ms if seizure.wanted_ms is None else seizure.wanted_ms
    return turn.now_ms >= max(wanted_ms + delay_ms, seizure.retry_ms)


def _begin(turn: Turn, group: GroupState) -> None:
    arbiter, about = _arbiter(turn.state, group).name, turn.state.peer.boot_id
    turn.change_group(group.name, seizure=SeizureState(about, arbiter, since_ms=turn.now_ms))
    reservations.read(turn, turn.state.group(group.name), "a look before the first leg is taken")


def _go_on(turn: Turn, group: GroupState, *, still_wanted: bool) -> None:
    seizure, name, peer = group.seizure, group.name, turn.state.config.peer
    if seizure.victim_boot_id != turn.state.peer.boot_id and turn.state.peer.heard:
        _end(turn, group, f"{peer} has rebooted: its legs of {name} are not needed as a proof")
        return
    if not seizure.forced and not still_wanted:
        _end(turn, group, f"no reason to take the legs of {name} any more")
        return
    if group.shelf_read_ms is None or group.shelf_read_ms < seizure.since_ms:
        reservations.read(turn, group, "whose are the legs now?")
        return
    if _lost(turn.state, group):
        yielded_until_ms = turn.now_ms + turn.state.config.deadtime_ms
        _end(turn, group, f"{peer} has taken a leg of {name} back: it lives, and is left alone")
        turn.change_seizure(name, yielded_until_ms=yielded_until_ms)
        return
    if _cannot_be_taken(_arbiter(turn.state, group)):
        turn.refuse(name, _incomplete(turn.state, group))
        _end(turn, group, "")
        return
    _take_next(turn, group)


def _take_next(turn: Turn, group: GroupState) -> None:
    """Take the next leg that answers and is not ours. With all of them ours, the proof is complete."""
    name, peer = group.name, turn.state.config.peer
    needed = leg_ledger.fence_legs(turn.state, group)
    for leg in needed:
        held = leg.shows_anywhere(Holder.PEER)
        if held or (leg.shows_anywhere(Holder.NOBODY) and _is_free(turn.state, leg)):
            turn.change_seizure(name, forced=group.seizure.forced or held, since_ms=turn.now_ms + 1, done=False)
            reservations.take(turn, turn.state.group(name), leg, f"{peer} is silent")
            return
    done = all(leg.shows(Holder.US) for leg in needed)
    if done and not group.seizure.done:
        legs = ", ".join(leg.name for leg in needed)
        turn.say(Level.WARNING, name, f"{peer} cannot write to {name} any more: reserved for us: {legs}")
    elif not done:
        turn.refuse(name, _incomplete(turn.state, group))
    turn.change_seizure(name, done=done)


def _watch_the_first(turn: Turn, name: str) -> None:
    """Look again a moment after the first leg became ours."""
    group = turn.state.group(name)
    seizure = group.seizure
    due_ms = (seizure.first_ms or 0) + STANDS_MS
    if seizure.first_stands or turn.now_ms < due_ms:
        return
    if group.shelf_read_ms is not None and group.shelf_read_ms >= due_ms:
        turn.change_seizure(name, first_stands=_arbiter(turn.state, group).shows(Holder.US))
    elif not group.shelf_task_id:
        reservations.read(turn, group, "is the first leg still ours?")


def _arbiter(state: NodeState, group: GroupState) -> LegState:
    """The leg that is taken first: of those that the peer may still write to, as known when the fence was begun."""
    named = [leg for leg in group.legs if leg.name == group.seizure.arbiter]
    return named[0] if named else leg_ledger.fence_legs(state, group)[0]


def _lost(state: NodeState, group: GroupState) -> bool:
    """Whether the first leg was ours in this fence and shows the peer now."""
    return group.seizure.first_ms is not None and _arbiter(state, group).shows_anywhere(Holder.PEER)


def _is_free(state: NodeState, leg: LegState) -> bool:
    """Whether nobody has held the leg for so long that an owner would have reserved it again."""
    patience_ms = max(state.config.deadtime_ms, FREE_PERIODS * state.config.hold_every_ms)
    return all(
        address.holder is Holder.US
        or (address.holder is Holder.NOBODY and state.now_ms - address.since_ms >= patience_ms)
        for address in leg.addresses
    )


def _cannot_be_taken(leg: LegState) -> bool:
    return leg.shows_anywhere(Holder.SILENT) or leg.shows_anywhere(Holder.STRANGER)


def _incomplete(state: NodeState, group: GroupState) -> str:
    where = [
        f"{leg.name} at {address.name} ({address.holder.value})"
        for leg in leg_ledger.fence_legs(state, group)
        for address in leg.addresses
        if address.holder is not Holder.US
    ]
    return (
        f"no storage proof for {group.name}: {state.config.peer} might still write to {', '.join(where)}; "
        "only its power-off can prove that it does not"
    )


def _end(turn: Turn, group: GroupState, sentence: str) -> None:
    turn.change_group(group.name, seizure=SeizureState(retry_ms=turn.now_ms + turn.state.config.hold_every_ms))
    if sentence:
        turn.say(Level.INFO, group.name, sentence)


def next_wakes_ms(state: NodeState) -> tuple[int, ...]:
    """When a first leg has to be looked at again."""
    return tuple(
        group.seizure.first_ms + STANDS_MS
        for group in state.groups
        if group.seizure.first_ms is not None and not group.seizure.first_stands
    )


def note_first(turn: Turn, name: str) -> None:
    """After an answer of the shelves: note when the first leg became ours."""
    group = turn.state.group(name)
    if group.seizure.victim_boot_id is None and not group.seizure.done:
        return
    if group.seizure.first_ms is None and _arbiter(turn.state, group).shows(Holder.US):
        turn.change_seizure(name, first_ms=turn.now_ms)


def complete(state: NodeState, group: GroupState) -> bool:
    """Whether the peer, at the boot that it is known by, cannot write to any leg of the group."""
    about = group.seizure.victim_boot_id
    ours = all(leg.shows(Holder.US) for leg in leg_ledger.fence_legs(state, group))
    return group.seizure.done and about == state.peer.boot_id and ours
