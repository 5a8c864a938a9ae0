"""Which node owned and had the mirror, from three witnesses: the daemons' journals, the kernels' logs, the plugs."""

import re
from dataclasses import dataclass

from aoeha.rack.evidence.record import Record

__all__ = ["FOREVER_MS", "LOG_LAG_MS", "Span", "Turn", "is_proved", "periods", "spans", "turns"]

FOREVER_MS = 1 << 62
LOG_LAG_MS = 100
"""A line of a guest's kernel log reaches the driver by the guest's agent, later than a plug's state does."""
GATEWAYS = ("alpha", "beta")
ASSEMBLED = re.compile(r"md/raid1:(md\d+): active")
STOPPED = re.compile(r"md: (md\d+) stopped")


@dataclass(frozen=True, slots=True)
class Turn:
    """A daemon began to own the group."""

    at_ms: int
    node: str
    epoch: int
    proof: str


@dataclass(frozen=True, slots=True)
class Span:
    """A gateway had the mirror assembled, by its kernel's own log, until it was stopped, lost power or rebooted."""

    node: str
    from_ms: int
    until_ms: int


def turns(record: Record) -> list[Turn]:
    """All turns in order, from what the daemons remembered before they acted."""
    found: list[Turn] = []
    seen: set[tuple[str, int]] = set()
    for entry in record.journal:
        if entry.type != "Persist":
            continue
        for group in entry.fields["memory"]["groups"]:
            # An owner that hears of a higher epoch remembers that one, and owns by the proof for its own.
            proof = group["proof"] or {"kind": "", "epoch": group["epoch"]}
            key = (entry.node, proof["epoch"])
            if group["name"] == record.drill["group"] and group["holding"] and key not in seen:
                seen.add(key)
                found.append(Turn(entry.at_ms, entry.node, proof["epoch"], proof["kind"]))
    return found


def periods(record: Record) -> list[Span]:
    """The owners of the group over time, by the daemons' journals: turns, those of one node in a row joined."""
    history = turns(record)
    first = [turn for number, turn in enumerate(history) if not number or history[number - 1].node != turn.node]
    ends = [*(turn.at_ms for turn in first[1:]), FOREVER_MS][: len(first)]
    return [Span(turn.node, turn.at_ms, end) for turn, end in zip(first, ends, strict=True)]


def spans(record: Record) -> list[Span]:
    """All spans in order of their beginning."""
    open_spans: dict[tuple[str, str], int] = {}
    closed: list[Span] = []
    for event in record.events:
        node = event["who"]
        if node not in GATEWAYS:
            continue
        # A new kernel's first word: whatever the one before it had is gone.
        if event["kind"] == "hello" or (event["kind"] == "power" and event["state"] == "off"):
            lost = [key for key in open_spans if key[0] == node]
            closed.extend(Span(node, open_spans.pop(key), event["at_ms"]) for key in lost)
        if event["kind"] != "line" or event["source"] != "kernel":
            continue
        if began := ASSEMBLED.search(event["text"]):
            open_spans.setdefault((node, began[1]), event["at_ms"])
        elif (ended := STOPPED.search(event["text"])) and (node, ended[1]) in open_spans:
            closed.append(Span(node, open_spans.pop((node, ended[1])), event["at_ms"]))
    closed.extend(Span(node, at_ms, FOREVER_MS) for (node, _), at_ms in open_spans.items())
    return sorted(closed, key=lambda span: span.from_ms)


def is_proved(record: Record, turn: Turn, before: Turn) -> bool:
    """Whether a witness other than the daemon bears out why `turn` could follow `before`."""
    peer = before.node
    window = [event for event in record.events if before.at_ms <= event["at_ms"] <= turn.at_ms + LOG_LAG_MS]
    match turn.proof:
        case "powered off":
            unplugged = [
                e["at_ms"] for e in window if e["kind"] == "power" and e["who"] == peer and e["state"] == "off"
            ]
            told = [(e["request"], e["answer"]) for e in window if e["kind"] == "request"]
            off, read = (f"off {peer}", "ok"), (f"status {peer}", "off")
            return bool(unplugged) and off in told and read in told[told.index(off) :]
        case "handed over":
            earlier = [span for span in spans(record) if span.node == peer and span.from_ms < turn.at_ms]
            return all(span.until_ms <= turn.at_ms + LOG_LAG_MS for span in earlier)
        case "operator's word":
            return any(e["kind"] == "play" and f": confirm {peer}" in e["text"] for e in window)
        case "storage-fenced":
            later = [e for e in record.of("reserved") if e["at_ms"] >= turn.at_ms]
            legs = later[0]["legs"] if later else {}
            return len(legs) > 1 and all(holders == [turn.node] for holders in legs.values())
        case "rebooted":
            return any(e["kind"] == "hello" and e["who"] == peer for e in window)
        case _:
            return False
