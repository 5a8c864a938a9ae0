"""The folder that a drill leaves behind. Everything in it was written as it happened, at the driver's one clock.

`events.jsonl` has every event of the run, one JSON object a line: at_ms, who, kind and facts. The text files beside it
are the same for people: journal-NODE.txt (what the node logged), power.txt, console-NODE.txt (the guest kernel's own).
"""

import json
from pathlib import Path
from typing import IO, Any

from aoeha.rack.machines.guest_link import GuestEvent, now_ms

__all__ = ["Evidence"]


class Evidence:
    """Takes events and writes them down at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began_ms = now_ms()
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, IO[str]] = {}

    def take(self, event: GuestEvent) -> None:
        """Write down what a guest said."""
        self._write("events.jsonl", {"at_ms": event.at_ms, "who": event.guest, "kind": event.kind, **event.facts})
        if event.kind == "line":
            text = f"{(event.at_ms - self.began_ms) / 1000:9.3f} {event.facts['source']}: {event.facts['text']}"
            self._append(f"journal-{event.guest}.txt", text)

    def note(self, who: str, kind: str, **facts: Any) -> None:
        """Write down what the driver did or saw."""
        at_ms = now_ms()
        self._write("events.jsonl", {"at_ms": at_ms, "who": who, "kind": kind, **facts})
        if who == "power-switch":
            told = " ".join(str(value) for value in facts.values())
            self._append("power.txt", f"{(at_ms - self.began_ms) / 1000:9.3f} {kind}: {told}")

    def save(self, name: str, content: object) -> None:
        """Put a whole document into the folder."""
        (self.folder / name).write_text(content if isinstance(content, str) else json.dumps(content, indent=1))

    def keep_journals(self, node: str) -> None:
        """Keep a gateway's journals so far: a daemon throws old parts away, however short they are."""
        kept = self.folder / f"kept-{node}"
        kept.mkdir(exist_ok=True)
        for path in (self.folder / f"state-{node}" / "journal").glob("*.jsonl"):
            if not (kept / path.name).exists():
                (kept / path.name).hardlink_to(path)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._append(name, json.dumps(content))

    def _append(self, name: str, text: str) -> None:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = (self.folder / name).open("a", buffering=1)
        file.write(text + "\n")

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()
