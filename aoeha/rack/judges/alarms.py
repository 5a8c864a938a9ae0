"""Which alarms a drill calls for. A false alarm is a fault, however well the service went on.

Each drill breaks parts, and an alarm that only says which part is broken needs no mention. Any other alarm speaks of
data, of ownership, of a service that fails, or of a mistake of a human: the drill's text has to name it.
"""

import re

from aoeha.rack.evidence.record import Record

__all__ = ["OF_BROKEN_PARTS", "uncalled"]

RAISED = re.compile(r"<\d>\[([a-z.-]+)\] ALARM: (.*)")
"""How a daemon writes an alarm that begins; its level stands before it, as for the system's journal."""
OF_BROKEN_PARTS = frozenset(
    {
        "device.unreachable", "disk.write-failed", "fence.failed", "link.down", "mirror.leg-out", "mirror.leg-waiting",
        "mirror.writes-wait", "pair.not-protected", "path.interface-silent", "path.silent", "peer.never-seen",
        "peer.silent", "peer.storage-only", "resource.degraded",
    }
)  # fmt: skip


def uncalled(record: Record) -> tuple[bool, str]:
    """Return whether each alarm was called for, with a sentence that names those that were not."""
    called = OF_BROKEN_PARTS | set(record.drill["alarms"])
    false: dict[str, str] = {}
    for event in record.of("line"):
        raised = RAISED.match(event["text"]) if event["source"] == "aoeha" else None
        if raised is not None and raised[1] not in called:
            false.setdefault(raised[1], f"{event['who']} raised {raised[1]}: {raised[2]}")
    return not false, "; ".join(false.values()) or "none that the drill does not call for"
