"""A second reading beside the ordinary ones, for addresses that are silent (R3, R18).

Rules. An address that does not answer within the ordinary time counts as silent, and everything goes on without it. It
is asked in a reading of its own, which waits as long as any may, so that a shelf that is only slow is found and then
given its time. What that reading tells counts only for an address that was silent from before it was asked until the
answer came: any other one was asked in the meantime, and perhaps changed.

What this file does not know: what an address that answers again means for an owner.
"""

from aoeha.core.model import shelf_patience
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.task import ReservationTask, TaskKind


def has_asked(state: NodeState, group: GroupState, since_ms: int, *, renewing: bool) -> bool:
    """Whether an address that has been silent since then was asked patiently and did not answer."""
    patience_ms = shelf_patience.longest_ms(state.config, renewing=renewing)
    if patience_ms <= state.config.shelf_timeout_ms:
        return True
    begun_ms = group.shelves.patient_ms
    ended = begun_ms >= since_ms and not group.shelves.patient_id
    return ended or begun_ms >= since_ms + patience_ms


def next_task(state: NodeState, group: GroupState, *, renewing: bool) -> ReservationTask | None:
    """The reading to begin now, None for none. `renewing`: addresses of ours live on only by what readings find."""
    silent = any(leg.shows_anywhere(Holder.SILENT) for leg in group.legs)
    patience_ms = shelf_patience.longest_ms(state.config, renewing=renewing)
    if group.shelves.patient_id or not silent or patience_ms <= state.config.shelf_timeout_ms:
        return None
    if state.now_ms - group.shelves.patient_ms < state.config.hold_every_ms:
        return None
    reason, kind = "find out whether a silent shelf is only slow", TaskKind.READ_RESERVATIONS
    return ReservationTask(state.next_task_id, patience_ms, reason, kind, group.name, group.name)
