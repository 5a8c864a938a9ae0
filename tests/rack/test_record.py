"""An evidence folder is read whole: every part of every journal once, on the driver's clock."""

import json
from pathlib import Path
from typing import Any

from aoeha.rack.evidence.record import load
from aoeha.rack.machines.evidence_folder import Evidence

JOURNAL = [{"schema": 1, "identity": {"boot_id": "first"}, "now_ms": 5, "actions": []}]


def evidence_in(folder: Path) -> tuple[Evidence, Path]:
    evidence = Evidence(folder)
    for name, content in (("drill.json", {}), ("facts.json", {}), ("wires.json", {"unseen": 0, "stretches": []})):
        evidence.save(name, content)
    evidence.note("alpha", "hello", boot_id="first", clock_ms=0)
    journal = folder / "state-alpha" / "journal"
    journal.mkdir(parents=True)
    return evidence, journal


def part(now_ms: int) -> str:
    entry: dict[str, Any] = {"now_ms": now_ms, "actions": [{"type": "Persist"}]}
    return "".join(json.dumps(line) + "\n" for line in (*JOURNAL, entry))


def test_a_part_that_the_daemon_threw_away_is_read_where_it_was_kept(tmp_path: Path) -> None:
    evidence, journal = evidence_in(tmp_path)
    (journal / "1.jsonl").write_text(part(10))
    evidence.keep_journals("alpha")
    with (journal / "1.jsonl").open("a") as file:
        file.write(json.dumps({"now_ms": 15, "actions": [{"type": "Persist"}]}) + "\n")
    evidence.keep_journals("alpha")
    (journal / "1.jsonl").unlink()
    (journal / "2.jsonl").write_text(part(20))
    evidence.keep_journals("alpha")
    record = load(tmp_path)
    began = record.events[0]["at_ms"]
    assert [(entry.at_ms - began, entry.node) for entry in record.journal] == [
        (10, "alpha"),
        (15, "alpha"),
        (20, "alpha"),
    ]
