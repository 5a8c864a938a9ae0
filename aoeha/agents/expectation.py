"""What a type accepts, and what was found instead, in words for people."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import msgspec

from aoeha.agents.narrow_types import is_plain

__all__ = ["bare", "expectation", "refusal", "shown"]

_SHOWN_MAX = 60


def bare(kind: Any) -> Any:
    """Return a type without its notes."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def shown(raw: object) -> str:
    """Return a value as the file writes it, cut to fit a line. Nothing in it acts on a terminal."""
    match raw:
        case bool():
            return "true" if raw else "false"
        case str():
            text = json.dumps(raw, ensure_ascii=not is_plain(raw))
            return text if len(text) <= _SHOWN_MAX else f'{text[: _SHOWN_MAX - 4]}..."'
        case Mapping():
            return "a table"
        case list():
            return "a list"
        case tuple():
            return f"[{', '.join(shown(element) for element in raw)}]"
    return str(raw)


def expectation(kind: Any) -> str:
    """Return what a type accepts: its description, or the common name of a plain type."""
    if get_origin(kind) is Annotated:
        for note in get_args(kind)[1:]:
            if isinstance(note, msgspec.Meta) and note.description:
                return note.description
        return expectation(get_args(kind)[0])
    plain: dict[Any, str] = {str: "a string", int: "a whole number", bool: "true or false", float: "a number"}
    return plain.get(kind, "a list" if get_origin(kind) in (tuple, list) else "another kind of value")


def refusal(kind: Any, raw: object) -> str:
    """Return what was expected and what was found where a type refuses a value: of a list, the first bad element."""
    plain = bare(kind)
    if get_origin(plain) is tuple and isinstance(raw, list):
        parts = [(get_args(plain)[0], element) for element in raw]
    elif get_origin(plain) is dict and isinstance(raw, dict):
        parts = [part for pair in raw.items() for part in zip(get_args(plain), pair, strict=True)]
    else:
        parts = []
    for inner, value in parts:
        try:
            msgspec.convert(value, inner)
        except msgspec.ValidationError:
            return refusal(inner, value)
    return f"expected {expectation(kind)}, got {shown(raw)}"
