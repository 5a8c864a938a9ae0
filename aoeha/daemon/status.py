"""The status document: what the core says of itself, with what only the daemon can count."""

from collections.abc import Mapping
from typing import Any

from aoeha.core.model.state import NodeState
from aoeha.core.status import status
from aoeha.journal.codec import to_plain

__all__ = ["status_document"]


def status_document(
    state: NodeState, counters: Mapping[str, Mapping[str, int]], alarms: Mapping[str, str], watchdog: str
) -> dict[str, Any]:
    """Return the document of schema 1 as plain values; `alarms` are the daemon's own, by what they are about.

    `watchdog` is a sentence about the one in use, empty for none.
    """
    document: dict[str, Any] = to_plain(status(state))
    document["counters"] = {name: dict(counts) for name, counts in counters.items()}
    own = [{"about": about, "sentence": sentence} for about, sentence in alarms.items()]
    document["alarms"] = [*document["alarms"], *own]
    document["watchdog"] = watchdog
    return document
