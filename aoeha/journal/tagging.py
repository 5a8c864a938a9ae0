"""Dataclasses with fields that may hold one of several dataclasses, as plain values and back.

msgspec reads a union of dataclasses only where they are its own structs, which the core does not know. So what holds no
such union goes through msgspec as it is; the rest is taken apart here, and each object of a union bears its class name
as `type`.
"""

import functools
import types
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

__all__ = ["UntaggedError", "tagged", "untagged"]


class UntaggedError(Exception):
    """An object's `type` is missing or not one of those that its field may hold, or a field is. One sentence."""


def tagged(thing: Any, declared: Any) -> Any:
    """Return a value as plain values; `declared` is its type as its field is annotated."""
    if not _holds_union(declared):
        return msgspec.to_builtins(thing)
    if members := _members(declared):
        if thing is None:
            return None
        kind = type(thing)
        assert kind in members, f"{kind.__name__} is none of what may stand here"
        inner = tagged(thing, kind)
        return {"type": kind.__name__, **inner} if len(members) > 1 else inner
    if get_origin(declared) is tuple:
        return [tagged(one, kind) for one, kind in zip(thing, _items(declared, len(thing)), strict=True)]
    return {name: tagged(getattr(thing, name), kind) for name, kind in _hints(declared).items()}


def untagged(plain: Any, declared: Any, path: str = "$") -> Any:
    """Return the value that plain values describe. Raises UntaggedError and msgspec.ValidationError."""
    if not _holds_union(declared):
        return _converted(plain, declared, path)
    if members := _members(declared):
        if plain is None and type(None) in get_args(declared):
            return None
        return untagged(*_chosen(plain, members, path), path)
    if get_origin(declared) is tuple:
        if not isinstance(plain, list | tuple):
            raise UntaggedError(f"Expected `array` - at `{path}`")
        kinds = _items(declared, len(plain))
        return tuple(
            untagged(one, kind, f"{path}[{at}]") for at, (one, kind) in enumerate(zip(plain, kinds, strict=True))
        )
    if not isinstance(plain, dict):
        raise UntaggedError(f"Expected `object` - at `{path}`")
    given = {n: untagged(plain[n], kind, f"{path}.{n}") for n, kind in _hints(declared).items() if n in plain}
    lacking = [f.name for f in fields(declared) if f.default is f.default_factory is MISSING and f.name not in given]
    if lacking:
        raise UntaggedError(f"Object missing required field `{lacking[0]}` - at `{path}`")
    return declared(**given)


def _converted(plain: Any, declared: Any, path: str) -> Any:
    try:
        return msgspec.convert(plain, declared)
    except msgspec.ValidationError as error:
        words = str(error)
        if "`$" in words:
            raise UntaggedError(words.replace("`$", f"`{path}", 1)) from error
        raise UntaggedError(f"{words} - at `{path}`") from error


def _chosen(plain: Any, members: tuple[type, ...], path: str) -> tuple[Any, type]:
    """The fields of an object of a union, and its class."""
    if len(members) == 1:
        return plain, members[0]
    name = plain.get("type") if isinstance(plain, dict) else None
    kind = next((member for member in members if member.__name__ == name), None)
    if kind is None:
        known = ", ".join(sorted(member.__name__ for member in members))
        raise UntaggedError(f"its type is {name!r}, expected one of {known} - at `{path}`")
    return {key: value for key, value in plain.items() if key != "type"}, kind


@functools.cache
def _holds_union(declared: Any) -> bool:
    return any(len(_members(one)) > 1 for one in _reached(declared, set()))


def _reached(declared: Any, seen: set[Any]) -> Iterator[Any]:
    """All types that a value of this one may hold, itself included."""
    if declared in seen:
        return
    seen.add(declared)
    yield declared
    parts = list(get_args(declared))
    if is_dataclass(declared):
        parts += _hints(declared).values()  # type: ignore[arg-type]  # is_dataclass narrows to an instance too
    for part in parts:
        yield from _reached(part, seen)


def _members(declared: Any) -> tuple[type, ...]:
    """The dataclasses of a union, of one of them and None too; empty for everything else."""
    if get_origin(declared) not in (Union, types.UnionType):
        return ()
    return tuple(member for member in get_args(declared) if is_dataclass(member) and isinstance(member, type))


def _items(declared: Any, number: int) -> tuple[Any, ...]:
    kinds = get_args(declared)
    return (kinds[0],) * number if len(kinds) == 2 and kinds[1] is Ellipsis else kinds


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
