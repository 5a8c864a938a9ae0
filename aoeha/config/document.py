"""What must be true of a TOML document before anything in it is read as a key of ours.

Every text in it shows as what it is: no control character, none that turns the direction of writing, no blank but the
ordinary one. A name with a newline breaks every line of an exports table, of a lock record and of the log, and the
kernel cuts a path or an interface at NUL and opens another one. And tables do not stand within each other without end:
whatever walks through them would not come back.
"""

import tomllib
from collections.abc import Iterator
from typing import Any

from aoeha.agents.narrow_types import is_plain
from aoeha.config.findings import KeyFinding, KeyPath

__all__ = ["DEPTH_MAX", "DocumentError", "parse", "unprintable"]

DEPTH_MAX = 16
"""Tables and lists within each other. Nothing of ours needs more than eight."""


class DocumentError(ValueError):
    """The text is no TOML document that can be read. The message is tomllib's, or a sentence."""


def parse(text: str) -> dict[str, Any]:
    """Return the document. Raises DocumentError, whatever the text is."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise DocumentError("lists and tables are nested too deeply") from None
    except ValueError as error:
        raise DocumentError(str(error).partition(";")[0]) from None
    if any(len(path) > DEPTH_MAX for path, _ in _values(document)):
        raise DocumentError("lists and tables are nested too deeply")
    return document


def unprintable(document: dict[str, Any]) -> Iterator[KeyFinding]:
    """Yield a finding for each key and each text that has a character in it which does not show."""
    for path, value in _values(document):
        key = path[-1]
        if isinstance(key, str) and not is_plain(key):
            yield KeyFinding(path, f"expected a key of printable characters, got {key!a}; type it again")
        if isinstance(value, str) and not is_plain(value):
            yield KeyFinding(path, f"expected one line of printable characters, got {value!a}; type it again")


def _values(document: dict[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Yield everything in the document with its path, without recursion. Below DEPTH_MAX nothing is looked at."""
    left: list[tuple[KeyPath, Any]] = [((), document)]
    while left:
        path, value = left.pop()
        if path:
            yield path, value
        if len(path) > DEPTH_MAX:
            continue
        if isinstance(value, dict):
            left.extend(((*path, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            left.extend(((*path, number), inner) for number, inner in enumerate(value))
