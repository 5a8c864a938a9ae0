"""A drill's evidence folder as plain data on the driver's clock. Knows the formats, judges nothing.

The journals of the daemons are read as the JSON lines that they are, with none of the daemon's code.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["JournalEntry", "Record", "load"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One event or action of a daemon: where, when on the driver's clock, and the record as it was written."""

    at_ms: int
    node: str
    type: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """All that a drill left. `wires` are stretches as in wires.py; `torn` counts lines that a power loss cut short."""

    drill: dict[str, Any]
    facts: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    journal: tuple[JournalEntry, ...]
    wires: tuple[dict[str, Any], ...] = ()
    unseen: int = 0
    torn: int = 0

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The driver's events of one kind."""
        return [event for event in self.events if event["kind"] == kind]


def load(folder: Path) -> Record:
    """Read a folder. Raises OSError or ValueError when it is none."""
    events = tuple(json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines())
    offsets = {event["boot_id"]: event["at_ms"] - event["clock_ms"] for event in events if event["kind"] == "hello"}
    entries: list[JournalEntry] = []
    torn = 0
    for node, path in _journals(folder):
        found, lost = _entries(node, path.read_text(errors="replace").splitlines(), offsets)
        entries.extend(found)
        torn += lost
    wires = json.loads((folder / "wires.json").read_text())
    return Record(
        json.loads((folder / "drill.json").read_text()),
        json.loads((folder / "facts.json").read_text()),
        events,
        tuple(sorted(entries, key=lambda entry: entry.at_ms)),
        tuple(wires["stretches"]),
        wires["unseen"],
        torn,
    )


def _journals(folder: Path) -> list[tuple[str, Path]]:
    """Each part of each daemon's journal once: those in its state, and those kept before it threw them away."""
    paths = [*folder.glob("kept-*/*.jsonl"), *folder.glob("state-*/journal/*.jsonl")]
    named = {(path.relative_to(folder).parts[0].partition("-")[2], path.name): path for path in paths}
    return [(node, path) for (node, _), path in sorted(named.items())]


def _entries(node: str, lines: list[str], offsets: dict[str, int]) -> tuple[list[JournalEntry], int]:
    entries: list[JournalEntry] = []
    offset: int | None = None
    torn = 0
    for line in lines:
        try:
            content = json.loads(line)
        except ValueError:
            torn += 1
            continue
        if "schema" in content:
            offset = offsets.get(content["identity"]["boot_id"])
        if offset is None:
            torn += 1
            continue
        at_ms = content["now_ms"] + offset
        records = [*([content["event"]] if "event" in content else []), *content["actions"]]
        entries.extend(JournalEntry(at_ms, node, record["type"], record) for record in records)
    return entries, torn
