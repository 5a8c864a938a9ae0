"""Output: answers go to stdout, errors to stderr, and colour only to a terminal."""

import json
import os
import sys
import time
from typing import Any, TextIO

from aoeha.core.model.text import shown

__all__ = ["counted", "print_error", "print_json", "print_saying", "subject_of", "wants_colour"]


def wants_colour(stream: TextIO) -> bool:
    """Tell whether this is a terminal whose user did not ask for plain text (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: "1 finding", "2 findings"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def print_error(sentence: str) -> None:
    """Print a sentence as an error of this command."""
    print(f"aoeha: {shown(sentence)}", file=sys.stderr)


def print_json(line: dict[str, Any]) -> None:
    """Print an object on one line, at once."""
    print(json.dumps(line, ensure_ascii=False), flush=True)


def print_saying(line: dict[str, Any]) -> None:
    """Print one `say` line of the daemon as it comes."""
    level = str(line.get("level", "info"))
    mark = {"alarm": "ALARM  ", "warning": "warning  "}.get(level, "")
    moment = f"{_local_time(line['wall_ms'])}  " if isinstance(line.get("wall_ms"), int) else ""
    print(f"{moment}{mark}{subject_of(line)}: {line.get('sentence', '')}", flush=True)


def subject_of(line: dict[str, Any]) -> str:
    """Name what a condition is about, "link serial"; "?" where the daemon does not tell."""
    subject = line.get("subject")
    return f"{subject.get('kind', '')} {subject.get('name', '')}" if isinstance(subject, dict) else "?"


def _local_time(wall_ms: int) -> str:
    """Write milliseconds since 1970 as the wall clock here shows them."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(wall_ms // 1_000))}.{wall_ms % 1_000:03}"
