"""The node's public state as a beat, and what must be remembered.

Rules. A beat goes out every keepalive, and at once when anything that the peer acts on has changed. What it promises
was remembered before: `Persist` stands before it in the same step.
"""

from aoeha.core import commands, devices, ownership
from aoeha.core.actions import Persist, SendBeat
from aoeha.core.legs import LegState
from aoeha.core.membership import lives
from aoeha.core.state import GroupState, LinkState, NodeState, phase_of
from aoeha.core.turn import Turn
from aoeha.core.types import NEVER_MS, Beat, BeatFlag, GroupBeat, GroupMemory, Holder, Memory


def remember(turn: Turn) -> None:
    """Persist what changed, before everything else that this step asks for."""
    memory = memory_of(turn.state)
    if memory == turn.state.remembered:
        return
    turn.change(remembered=memory)
    turn.actions.insert(0, Persist(memory))


def send(turn: Turn) -> None:
    """Send a beat if it is time, or if the peer should know something now."""
    state = turn.state
    groups, flags = tuple(group_beat(state, group) for group in state.groups), _flags(state)
    news = groups != state.last_groups or flags != state.last_flags
    if turn.now_ms < state.next_beat_ms and not news:
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
    )
    leaving_beats = state.leaving_beats + (1 if BeatFlag.LEAVING in flags else 0)
    next_ms = turn.now_ms + state.config.keepalive_ms
    turn.change(
        sequence=sequence, next_beat_ms=next_ms, last_groups=groups, last_flags=flags, leaving_beats=leaving_beats
    )
    if not state.peer.mark_sequence:
        turn.change_peer(mark_sequence=sequence, mark_ms=turn.now_ms)
    turn.do(SendBeat(beat))


def memory_of(state: NodeState) -> Memory:
    """What a daemon that starts after this one must know."""
    return Memory(
        boot_id=state.identity.boot_id,
        incarnation=state.identity.incarnation,
        peer_boot_id=state.peer.boot_id,
        peer_was_alive=lives(state),
        standby=state.standby,
        panicked=state.panicking,
        left=state.left and not any(group.holding for group in state.groups),
        paused=state.paused,
        pause_number=state.pause_number,
        groups=tuple(
            GroupMemory(g.name, g.epoch, max(g.floor, g.claim_epoch), g.holding, g.proof, g.grant, g.claims, _held(g))
            for g in state.groups
        ),
        devices=devices.remembered(state),
    )


def _held(group: GroupState) -> tuple[tuple[str, str], ...]:
    """What was held in this ownership, though its target has forgotten it: no disk is waited for to take that again."""
    if not group.holding:
        return ()
    return tuple(
        (leg.name, address.name)
        for leg in group.legs
        for address in leg.addresses
        if address.held_epoch == group.held_epoch or (address.holder is Holder.NOBODY and _is_missed(group, leg))
    )


def _is_missed(group: GroupState, leg: LegState) -> bool:
    return leg.forgot is True and not group.unsure


def group_beat(state: NodeState, group: GroupState) -> GroupBeat:
    """What this node says about a group."""
    holding_back = state.now_ms < group.hold_back_until_ms
    return GroupBeat(
        name=group.name,
        phase=phase_of(group),
        holding=group.holding,
        yielding=bool(group.yielding),
        willing=ownership.willing(state, group).yes and not group.yielding and not holding_back,
        epoch=group.held_epoch or group.epoch,
        floor=group.floor,
        claim=group.claim,
        claim_epoch=group.claim_epoch,
        grant=group.grant,
        ledger=group.ledger if group.holding else None,
        acknowledged=_acknowledged(state, group),
    )


def _acknowledged(state: NodeState, group: GroupState) -> int:
    heard = group.heard_ledger
    return heard.ledger.version if heard is not None and heard.boot_id == state.peer.boot_id else 0


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
    if commands.may_announce_leave(state):
        flags |= BeatFlag.LEAVING
    return flags


def _age_ms(state: NodeState, link: LinkState) -> int:
    return NEVER_MS if link.heard_ms is None else min(state.now_ms - link.heard_ms, NEVER_MS)
