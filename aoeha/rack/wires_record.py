"""Who wrote and who answered, by what went over the wires, held against who owned the group at that time."""

from itertools import pairwise

from aoeha.rack.ownership_record import LOG_LAG_MS, periods
from aoeha.rack.record import Record

__all__ = ["ADDRESS_LIFETIME_MS", "answerers", "writers"]

ADDRESS_LIFETIME_MS = 3_000
"""So long may two gateways answer for one address (DESIGN.md, I3)."""


def writers(record: Record) -> tuple[bool, str]:
    """Whether each acknowledged write came from the owner, and a sentence. Before there was an owner, anybody may."""
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
        if each["until_ms"] >= since_ms and not may_write:
            return False, f"{each['place']} took a write of {each['who']}, which did not own the group"
    return bool(landed), f"{len(landed)} stretches of writes, each by the owner"


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
