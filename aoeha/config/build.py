"""Build typed tables from raw TOML and collect every finding. msgspec alone stops at the first."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from aoeha.agents.duration import DURATION_EXAMPLES
from aoeha.agents.duration_type import is_duration, typed_duration
from aoeha.agents.expectation import bare, expectation, refusal, shown
from aoeha.config.findings import KeyFinding, KeyPath
from aoeha.config.schema import FORMER_KEYS

__all__ = ["Broken", "Builder", "closest"]

_SECRET_WORDS = ("pass", "secret", "token", "community")


class Broken:
    """Stands for a value that could not be built."""


class Builder:
    """Builds tables of msgspec.Struct types and collects errors in `findings`."""

    def __init__(self) -> None:
        self.findings: list[KeyFinding] = []

    def table(self, kind: type[msgspec.Struct], raw: object, path: KeyPath) -> msgspec.Struct | Broken:
        """Return the table, or Broken after reporting every error in it."""
        values = self.fields(kind, raw, path)
        if isinstance(values, Broken) or any(isinstance(value, Broken) for value in values.values()):
            return Broken()
        try:
            return kind(**values)
        except ValueError as error:
            key, _, sentence = str(error).partition(": ")
            known = isinstance(raw, Mapping) and key in raw
            self.report((*path, key) if known else path, sentence if known else str(error))
            return Broken()

    def fields(self, kind: type[msgspec.Struct], raw: object, path: KeyPath) -> dict[str, Any] | Broken:
        """Return the values in the file by attribute name, with Broken for each bad or missing one."""
        if not isinstance(raw, Mapping):
            self.report(path, f"expected a table, got {shown(raw)}")
            return Broken()
        known = {info.encode_name: info for info in msgspec.structs.fields(kind)}
        tag_field = kind.__struct_config__.tag_field
        guessed = self._unknown_keys([key for key in raw if key not in known and key != tag_field], known, path)
        values: dict[str, Any] = {}
        for key, info in known.items():
            if key in raw:
                values[info.name] = self._value(info.type, raw[key], (*path, key))
            elif info.required:
                values[info.name] = Broken()
                if key not in guessed:
                    self.report(path, self._missing(key, info))
        return values

    def report(self, path: KeyPath, sentence: str) -> None:
        """Add a finding about the value at `path`."""
        self.findings.append(KeyFinding(path, sentence))

    def _unknown_keys(self, unknown: list[str], known: Mapping[str, FieldInfo], path: KeyPath) -> set[str]:
        guessed = set()
        for key in unknown:
            if key in FORMER_KEYS:
                self.report((*path, key), f"expected a known key, got {key!r}: {FORMER_KEYS[key]}")
                continue
            guess = closest(key, known)
            if guess:
                guessed.add(guess)
                self.report((*path, key), f"expected a known key, got {key!r}; did you mean {guess!r}?")
            else:
                self.report((*path, key), f"expected a known key, got {key!r}; known here: {', '.join(sorted(known))}")
        return guessed

    @staticmethod
    def _missing(key: str, info: FieldInfo) -> str:
        if _element_types(info.type):
            return f"expected at least one [[{key}]] table, got none; add one (etc/aoeha.toml shows how)"
        return f"expected the key {key!r} ({expectation(info.type)}), got none; add it to this table"

    def _value(self, kind: Any, raw: object, path: KeyPath) -> Any:
        if elements := _element_types(kind):
            return self._array(elements, raw, path)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.table(kind, raw, path)
        if is_duration(kind):
            return self._duration(kind, raw, path)
        try:
            value = msgspec.convert(raw, kind)
        except msgspec.ValidationError:
            secret = f"expected {expectation(kind)}, got a value that is kept secret"
            self.report(path, secret if _is_secret(path) else refusal(kind, raw))
            return Broken()
        return value if self._each(kind, value, path) else Broken()

    def _each(self, kind: Any, value: Any, path: KeyPath) -> bool:
        """Tell whether every text is good of a key that has one text for both nodes, or one for each."""
        notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
        narrow = next((note.extra["each"] for note in notes if isinstance(note, msgspec.Meta) and note.extra), None)
        for text in (value.values() if isinstance(value, dict) else (value,)) if narrow else ():
            try:
                msgspec.convert(text, narrow)
            except msgspec.ValidationError:
                self.report(path, refusal(narrow, text))
                return False
        return True

    def _duration(self, kind: Any, raw: object, path: KeyPath) -> int | Broken:
        if isinstance(raw, str):
            try:
                return typed_duration(kind, raw)
            except ValueError as error:
                self.report(path, str(error).replace(repr(raw), shown(raw)))
                return Broken()
        advice = f'; write "{raw}ms" or "{raw}s"' if isinstance(raw, int) and not isinstance(raw, bool) else ""
        self.report(path, f"expected a duration like {DURATION_EXAMPLES}, got {shown(raw)}{advice}")
        return Broken()

    def _array(self, kinds: tuple[type[msgspec.Struct], ...], raw: object, path: KeyPath) -> tuple[Any, ...] | Broken:
        if not isinstance(raw, list):
            self.report(path, f"expected tables headed [[{path[-1]}]], got {shown(raw)}; use two brackets")
            return Broken()
        built = [self._element(kinds, element, (*path, number)) for number, element in enumerate(raw)]
        return Broken() if any(isinstance(element, Broken) for element in built) else tuple(built)

    def _element(self, kinds: tuple[type[msgspec.Struct], ...], raw: object, path: KeyPath) -> Any:
        if len(kinds) == 1:
            return self.table(kinds[0], raw, path)
        if not isinstance(raw, Mapping):
            self.report(path, f"expected a table, got {shown(raw)}")
            return Broken()
        by_tag = {str(kind.__struct_config__.tag): kind for kind in kinds}
        tag_field = str(kinds[0].__struct_config__.tag_field)
        choices = " or ".join(f'"{tag}"' for tag in by_tag)
        if tag_field not in raw:
            self.report(path, f"expected the key {tag_field!r} ({choices}), got none; add it to this table")
            return Broken()
        tag = raw[tag_field]
        if tag not in by_tag:
            guess = closest(str(tag), by_tag)
            advice = f'; did you mean "{guess}"?' if guess else ""
            self.report((*path, tag_field), f"expected {choices}, got {shown(tag)}{advice}")
            return Broken()
        return self.table(by_tag[tag], raw, path)


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that the user probably meant, or an empty string."""
    matches = difflib.get_close_matches(word.replace("-", "_"), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""


def _element_types(kind: Any) -> tuple[type[msgspec.Struct], ...]:
    """Return the table types of an array of tables, nothing for any other type."""
    if get_origin(bare(kind)) is not tuple:
        return ()
    element = get_args(bare(kind))[0]
    kinds = get_args(element) or (element,)
    return tuple(k for k in kinds if isinstance(k, type) and issubclass(k, msgspec.Struct))


def _is_secret(path: KeyPath) -> bool:
    return any(word in str(path[-1]).lower() for word in _SECRET_WORDS)
