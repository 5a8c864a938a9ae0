"""The type of a duration in a table of aoeha.toml: milliseconds here, "2s" in the file, within bounds.

The type names its bounds, so that a finding can name them too. Nothing is waited for longer than a day: what is waited
for longer is in truth waited for without an end.
"""

from typing import Annotated, Any, get_args, get_origin

from msgspec import Meta

from aoeha.agents.duration import DURATION_EXAMPLES, parse_duration, render_duration

__all__ = ["Duration", "duration_between", "is_duration", "typed_duration"]


def duration_between(least: str, most: str) -> Meta:
    """Return the note that makes `Annotated[int, ...]` a duration: milliseconds here, "2s" in the file."""
    bounds = parse_duration(least), parse_duration(most)
    return Meta(description=f"a duration like {DURATION_EXAMPLES}", extra={"duration": bounds})


def is_duration(declared: Any) -> bool:
    """Tell whether a key of this type is written as a duration in the file."""
    return _bounds(declared) is not None


def typed_duration(declared: Any, text: str) -> int:
    """Return milliseconds within the bounds of a type. Raises ValueError with a sentence."""
    bounds = _bounds(declared)
    assert bounds is not None
    duration_ms = parse_duration(text)
    if not bounds[0] <= duration_ms <= bounds[1]:
        least, most = map(render_duration, bounds)
        raise ValueError(f'expected a duration from "{least}" to "{most}", got "{text.strip()}"')
    return duration_ms


def _bounds(declared: Any) -> tuple[int, int] | None:
    notes = get_args(declared)[1:] if get_origin(declared) is Annotated else ()
    found = ((note.extra or {}).get("duration") for note in notes if isinstance(note, Meta))
    return next((bounds for bounds in found if bounds), None)


Duration = Annotated[int, duration_between("0ms", "1d")]
