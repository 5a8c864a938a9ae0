"""An agent's typed parameters, from a table of aoeha.toml or from the strings that an OCF agent is given."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from aoeha.agents.secret_file import SecretFile

__all__ = ["Duration", "ParameterError", "is_duration", "parameters_from_strings", "takes_secret", "typed_parameters"]

Duration = Annotated[int, Meta(description='a duration like "200ms", "2s" or "10m"', extra={"duration": True})]
"""Milliseconds here, "2s" in the file."""

_SHAPE = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

P = TypeVar("P", bound=msgspec.Struct)


class ParameterError(ValueError):
    """Parameters that an agent cannot take. `findings` holds one sentence each, the key first."""

    def __init__(self, findings: tuple[str, ...]) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings


def typed_parameters(kind: type[P], table: Mapping[str, Any]) -> P:
    """Build an agent's parameters from its table in aoeha.toml. Raises ParameterError that names each bad key."""
    known = {info.encode_name: info for info in msgspec.structs.fields(kind)}
    findings = [f"{key}: no such parameter; known are {', '.join(sorted(known))}" for key in table if key not in known]
    values: dict[str, Any] = {}
    for key, info in known.items():
        if key not in table:
            if info.required:
                findings.append(f"{key}: this parameter is required")
            continue
        try:
            raw = _milliseconds(table[key]) if is_duration(info.type) else table[key]
            values[info.name] = msgspec.convert(raw, info.type)
        except ValueError as error:
            findings.append(f"{key}: {error}")
    if findings:
        raise ParameterError(tuple(findings))
    try:
        return kind(**values)
    except ValueError as error:
        raise ParameterError((str(error),)) from None


def parameters_from_strings(kind: type[P], strings: Mapping[str, str]) -> P:
    """Build them from strings, as OCF_RESKEY_* are: lists separated by blanks, tables as JSON."""
    known = {info.encode_name: info.type for info in msgspec.structs.fields(kind)}
    table: dict[str, Any] = {}
    for key, text in strings.items():
        declared = known.get(key, str)
        try:
            table[key] = _from_string(declared, text)
        except ValueError as error:
            raise ParameterError((f"{key}: {error}",)) from None
    return typed_parameters(kind, table)


def _from_string(declared: Any, text: str) -> Any:
    if is_duration(declared):
        return text
    if takes_secret(declared):
        return {"file": text}
    bare = _bare(declared)
    if get_origin(bare) is tuple:
        return json.loads(text) if text.lstrip().startswith("[") else text.split()
    if bare in (int, bool):
        return msgspec.convert(text, bare, strict=False)
    return text


def _bare(declared: Any) -> Any:
    return get_args(declared)[0] if get_origin(declared) is Annotated else declared


def is_duration(declared: Any) -> bool:
    """Tell whether a parameter of this type is milliseconds here and written "2s" in the file."""
    notes = get_args(declared)[1:] if get_origin(declared) is Annotated else ()
    return any(isinstance(note, Meta) and (note.extra or {}).get("duration") for note in notes)


def takes_secret(declared: Any) -> bool:
    """Tell whether a parameter of this type is a secret, written `{ file = "/path" }`."""
    bare = _bare(declared)
    return bare is SecretFile or SecretFile in get_args(bare)


def _milliseconds(raw: object) -> int:
    match = _SHAPE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if match is None:
        raise ValueError(f'expected a duration like "200ms", "2s" or "10m", got {raw!r}')
    return int(match[1]) * _UNIT_MS[match[2]]
