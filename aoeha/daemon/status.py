"""The status document: what the core says of itself, with what only the daemon can count."""

from collections.abc import Mapping, Sequence
from typing import Any

from aoeha.core.model.code_book import BOOK
from aoeha.core.model.conditions import Alarm, Code
from aoeha.core.model.state import NodeState
from aoeha.core.status import status
from aoeha.journal.codec import to_plain

__all__ = ["status_document"]


def status_document(
    state: NodeState, counters: Mapping[str, Mapping[str, int]], own: Sequence[Alarm], watchdog: str
) -> dict[str, Any]:
    """Return the document of schema 2 as plain values; `own` are the daemon's own alarms.

    `counters` are by link, and for the daemon itself under "daemon". `watchdog` tells whether it is in use. What an
    alarm means, the rule and the file that decide it come from the code book, as `remedy`, `rules` and `home`.
    """
    document: dict[str, Any] = to_plain(status(state))
    document["counters"] = {name: dict(counts) for name, counts in counters.items()}
    alarms = [*document["alarms"], *(_plain(alarm, state.now_ms) for alarm in own)]
    document["alarms"] = [alarm | _explained(alarm["code"]) for alarm in alarms]
    document["why"] |= _explained(document["why"]["code"])
    document["watchdog"] = watchdog
    return document


def _plain(alarm: Alarm, now_ms: int) -> dict[str, Any]:
    condition: dict[str, Any] = to_plain(alarm.condition)
    return condition | {"since_ms_ago": now_ms - alarm.since_ms}


def _explained(code: str) -> dict[str, Any]:
    entry = BOOK[Code(code)]
    return {"rules": entry.rules.split(), "home": entry.home, "remedy": entry.remedy}
