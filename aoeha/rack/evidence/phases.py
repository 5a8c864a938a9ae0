"""Where a drill's time went, told by its events."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["Stages", "stages"]

Stages = dict[str, int]
"""Milliseconds of each stage, in order; what was never reached is left out."""

BOOT, STORAGE, START, DRILL, READING = "boot", "storage", "start", "drill", "reading back"
OF_STATEMENTS = {"boot": BOOT, "storage": STORAGE}
"""Statements before the first mark that are a stage of their own. All others there start daemons and the client."""


def stages(folder: Path) -> Stages:
    """Read an evidence folder, as far as it goes. From the first mark to the reading back all is the drill itself."""
    took: Stages = {}
    stage, since = "", 0
    is_marked = False
    for event in _events(folder):
        match event["kind"]:
            case "play" if not is_marked:
                word = event["text"].partition(" ")[0]
                is_marked = word == "mark"
                entered = DRILL if is_marked else OF_STATEMENTS.get(word, START)
            case "played":
                entered = READING
            case "read":
                entered = ""
            case _:
                continue
        if stage:
            took[stage] = took.get(stage, 0) + event["at_ms"] - since
        stage, since = entered, event["at_ms"]
    return took


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    with suppress(OSError, ValueError):  # a driver that was killed leaves nothing, or half a line at the end
        for line in (folder / "events.jsonl").read_text().splitlines():
            yield json.loads(line)
