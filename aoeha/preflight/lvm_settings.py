"""Reads the values of LVM's configuration language (lvm.conf(5), SYNTAX)."""

import re
from collections.abc import Iterator
from itertools import pairwise

__all__ = ["settings"]

_TOKEN = re.compile(r'#[^\n]*|"(?:\\.|[^"\\])*"|[{}\[\]=,]|[^\s{}\[\]=,#"]+')


def settings(text: str) -> dict[str, tuple[str, ...]]:
    """Return each value under "section/key", as a list of one where it is no list. The last of several counts."""
    words = [word for word in _TOKEN.findall(text) if word[0] != "#"]
    found: dict[str, tuple[str, ...]] = {}
    sections: list[str] = []
    rest = pairwise((*words, ""))
    for word, following in rest:
        if word == "}":
            del sections[-1:]
        elif following == "{":
            sections.append(word)
        elif following == "=":
            next(rest)
            found["/".join((*sections, word))] = _value(rest)
    return found


def _value(rest: Iterator[tuple[str, str]]) -> tuple[str, ...]:
    first, _ = next(rest, ("", ""))
    if first != "[":
        return (_plain(first),)
    values = []
    for word, _ in rest:
        if word == "]":
            break
        if word != ",":
            values.append(_plain(word))
    return tuple(values)


def _plain(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word
