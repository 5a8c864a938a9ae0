"""What the client suffered after each mark, and how long each step of a takeover took."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from aoeha.rack.evidence.record import Record

__all__ = ["Outage", "outages"]

STILL_GOING_MS = 2_000


@dataclass(frozen=True, slots=True)
class Outage:
    """One mark. Gaps are the longest without an answer from then on, None if none came.

    `steps` are milliseconds from the moment that the plug was pulled (or from the mark) to the end of each step.
    `processes` were started by the survivor from the mark until it served, None where that was not measured.
    """

    mark: str
    at_ms: int
    address_ms: int | None
    write_ms: int | None
    steps: dict[str, int] = field(default_factory=dict)
    processes: int | None = None


def outages(record: Record) -> list[Outage]:
    """One for each mark."""
    marks = record.of("mark")
    end = next((event["at_ms"] for event in record.of("played")), record.events[-1]["at_ms"])
    limits = [*(mark["at_ms"] for mark in marks[1:]), end][: len(marks)]
    return [_outage(record, mark, until) for mark, until in zip(marks, limits, strict=True)]


def _outage(record: Record, mark: dict[str, Any], until: int) -> Outage:
    since = mark["at_ms"]
    pulled = next((e["at_ms"] for e in record.of("unplugged") if since <= e["at_ms"] < until), since)
    answers = [event["at_ms"] for event in record.of("answered")]
    writes = [event["at_ms"] for event in record.of("acknowledged")]
    steps = _steps(record, pulled, until)
    for name, times in (("address answers", answers), ("first write", writes)):
        gap = _longest(times, since, until)
        if gap is not None and steps:
            steps[name] = gap[1] - pulled
    address, write = _longest(answers, since, until), _longest(writes, since, until)
    return Outage(
        mark["name"],
        since,
        None if address is None else address[1] - max(address[0], since),
        None if write is None else write[1] - max(write[0], since),
        steps,
        _processes(record, mark, until),
    )


def _longest(times: list[int], since: int, until: int) -> tuple[int, int] | None:
    """The longest pause that ends between `since` and `until`; None if the last one there has no end."""
    seen = [time for time in times if time <= until]
    longest = max(((a, b) for a, b in pairwise(seen) if b > since), key=lambda pause: pause[1] - pause[0], default=None)
    if longest is None or until - seen[-1] > max(longest[1] - longest[0], STILL_GOING_MS):
        return None
    return longest


def _steps(record: Record, since: int, until: int) -> dict[str, int]:
    """When the peer was found silent, when proof was complete, when each resource ran."""
    steps: dict[str, int] = {}
    tasks: dict[tuple[str, int], dict[str, Any]] = {}
    for entry in record.journal:
        if not since <= entry.at_ms < until:
            continue
        if entry.type == "StartTask":
            task = entry.fields["task"]
            tasks[entry.node, task["id"]] = task
            if task.get("kind") == "power_off":
                steps.setdefault("silent", entry.at_ms - since)
            elif task.get("kind") == "start":
                steps.setdefault("proof", entry.at_ms - since)
        elif entry.type == "TaskDone":
            done = tasks.get((entry.node, entry.fields["task_id"]))
            if done and done.get("kind") == "start" and entry.fields["result"] == "ok":
                steps.setdefault(done["subject"], entry.at_ms - since)
    return steps


def _processes(record: Record, mark: dict[str, Any], until: int) -> int | None:
    """The survivor's count at the moment it served, less that at the mark."""
    for event in record.of("runs"):
        if mark["at_ms"] <= event["at_ms"] < until:
            before, after = mark["processes"].get(event["node"]), event["processes"].get(event["node"])
            return None if before is None or after is None else after - before
    return None
