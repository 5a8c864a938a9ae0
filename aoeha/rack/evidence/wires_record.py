"""Which node wrote, held and answered, by the traffic on the wires, compared with the group's owner at the time."""

from itertools import pairwise
from typing import Any

from aoeha.rack.evidence.ownership_record import FOREVER_MS, LOG_LAG_MS, periods
from aoeha.rack.evidence.record import Record

__all__ = ["ADDRESS_LIFETIME_MS", "answerers", "reservations", "writers"]

ADDRESS_LIFETIME_MS = 3_000
"""How long two gateways may answer for one address (docs/rules.md, I3)."""


def writers(record: Record) -> tuple[bool, str]:
    """Whether each acknowledged write came from the owner, and a sentence. Before there was an owner, any node may."""
    owned = periods(record)
    landed = [each for each in record.wires if each["kind"] == "landed"]
    for each in landed:
        since_ms = max(each["since_ms"], owned[0].from_ms) if owned else each["since_ms"]
        may_write = any(
            span.node == each["who"]
            and span.from_ms - LOG_LAG_MS <= since_ms
            and each["until_ms"] <= span.until_ms + LOG_LAG_MS
            for span in owned
        )
        if each["until_ms"] >= since_ms and not may_write and not _may_be_foreign(record, each):
            return False, f"{each['place']} took a write of {each['who']}, which did not own the group"
    return bool(landed), f"{len(landed)} stretches of writes, each by the owner"


def _may_be_foreign(record: Record, landed: dict[str, Any]) -> bool:
    """Whether these writes lie between a target's restart and the moment in which it is reserved again.

    It is the order that counts, not the time: a fenced gateway repeats its writes when it likes, and on a machine with
    little time for the owner more of them come first. What is reserved takes none.
    """
    shelf, granted_ms = record.drill["foreign"] or ("", 0)
    return landed["place"] == shelf and any(
        started_ms <= landed["since_ms"] and landed["until_ms"] <= started_ms + min(gap_ms, granted_ms)
        for started_ms, gap_ms in zip(_restarts(record, shelf), _since_restarts(record, shelf, "reserved"), strict=True)
    )


def reservations(record: Record) -> tuple[bool, str]:
    """Whether a target that restarted beside a fenced gateway was reserved again in time, and after how long.

    In time is before the next routine reading would have found it: its announcement was heard.
    """
    if record.drill["foreign"] is None:
        return True, "no target restarts beside a fenced gateway in this drill"
    shelf, granted_ms = record.drill["foreign"]
    landed = [each for each in record.wires if each["kind"] == "landed" and _may_be_foreign(record, each)]
    asked, gaps = _since_restarts(record, shelf, "asked"), _since_restarts(record, shelf, "reserved")
    told = f"{shelf} was reserved again after {_milliseconds(gaps)}, asked for after {_milliseconds(asked)}"
    return bool(gaps) and max(gaps) <= granted_ms, f"{told}; {len(landed)} stretches of foreign writes until then"


def _since_restarts(record: Record, shelf: str, kind: str) -> list[int]:
    """How long after each restart of a shelf's target something first happened there."""
    times = [each["since_ms"] for each in record.wires if each["kind"] == kind and each["place"] == shelf]
    return [
        min((at_ms - started_ms for at_ms in times if at_ms >= started_ms), default=FOREVER_MS)
        for started_ms in _restarts(record, shelf)
    ]


def _milliseconds(times: list[int]) -> str:
    return ", ".join("never" if time == FOREVER_MS else f"{time} ms" for time in times) or "no restart"


def _restarts(record: Record, shelf: str) -> list[int]:
    """When a target of the shelf announced itself in the play, from the first mark on."""
    since = next((event["at_ms"] for event in record.of("mark")), 0)
    until = next((event["at_ms"] for event in record.of("played")), FOREVER_MS)
    adverts = [each for each in record.wires if each["kind"] == "advert" and each["place"] == shelf]
    return [each["since_ms"] for each in adverts if since <= each["since_ms"] <= until]


def answerers(record: Record) -> tuple[bool, str]:
    """Whether a former owner fell silent in time once the next one answered for the service address."""
    answers = [each for each in record.wires if each["kind"] == "answered"]
    for _, span in pairwise(periods(record)):
        own = [
            a
            for a in answers
            if a["who"] == span.node and span.from_ms <= a["until_ms"] and a["since_ms"] < span.until_ms
        ]
        if not own:
            continue
        late_ms = max(own[0]["since_ms"], span.from_ms) + ADDRESS_LIFETIME_MS
        for other in answers:
            if (
                other["who"] != span.node
                and other["until_ms"] > late_ms
                and other["since_ms"] < span.until_ms - LOG_LAG_MS
            ):
                return False, f"{other['who']} answered for the service address while {span.node} did"
    return bool(answers), f"{len(answers)} stretches of answers, one gateway at a time"
