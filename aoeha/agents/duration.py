"""Durations as text: "200ms", "2s", "10m"."""

import re

__all__ = ["DURATION_EXAMPLES", "parse_duration", "render_duration"]

DURATION_EXAMPLES = '"200ms", "2s" or "10m"'

_SHAPE = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_duration(text: str) -> int:
    """Return milliseconds. Raises ValueError with a sentence for anything but a whole number and a unit."""
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected a duration like {DURATION_EXAMPLES}, got {text!r}")
    return int(match[1]) * _UNIT_MS[match[2]]


def render_duration(duration_ms: int) -> str:
    """Return the duration in the largest unit that keeps it a whole number: 2000 is "2s", 1500 is "1500ms"."""
    for unit in ("d", "h", "m", "s"):
        if duration_ms and duration_ms % _UNIT_MS[unit] == 0:
            return f"{duration_ms // _UNIT_MS[unit]}{unit}"
    return f"{duration_ms}ms"
