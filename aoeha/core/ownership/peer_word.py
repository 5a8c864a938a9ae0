"""What the peer says about a group: in its beats, or in its record on the shelves where no link carries any (R13)."""

from dataclasses import dataclass

from aoeha.core.model.beat import GroupBeat
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.peer import disk_heartbeat, membership


@dataclass(frozen=True, slots=True)
class Said:
    """What the peer, at this boot and incarnation, says about a group."""

    boot_id: str
    incarnation: int
    group: GroupBeat


def said(state: NodeState, group: GroupState) -> Said | None:
    """What the peer says now, after its own probes: in its beats, or in its record where no link carries any (R13)."""
    record, beat, theirs = disk_heartbeat.peer_message(state, group), state.peer.beat, state.peer_group(group.name)
    if record is not None and record.message is not None:
        return Said(record.boot_id, record.incarnation, record.message)
    if beat is None or theirs is None or not membership.has_reported(state):
        return None
    return Said(beat.boot_id, beat.incarnation, theirs)


def theirs(state: NodeState, group: GroupState) -> GroupBeat | None:
    """The peer's newest message, however old it is."""
    record = disk_heartbeat.peer_message(state, group)
    return record.message if record is not None else state.peer_group(group.name)
