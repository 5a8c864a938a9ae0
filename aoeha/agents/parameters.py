"""An agent's typed parameters, from a table of aoeha.toml or from the strings that an OCF agent is given."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from aoeha.agents.duration import DURATION_EXAMPLES
from aoeha.agents.duration_type import is_duration, typed_duration
from aoeha.agents.expectation import bare, refusal
from aoeha.agents.secret_file import SecretFile
from aoeha.core.model.text import shown

__all__ = ["ParameterError", "parameters_from_strings", "takes_secret", "typed_parameters"]

P = TypeVar("P", bound=msgspec.Struct)


class ParameterError(ValueError):
    """Parameters that an agent cannot take. `findings` holds one sentence each, the key first."""

    def __init__(self, findings: tuple[str, ...]) -> None:
        self.findings = tuple(map(shown, findings))
        super().__init__("; ".join(self.findings))


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
            values[info.name] = _value(info.type, table[key])
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
    kind = bare(declared)
    if get_origin(kind) is tuple:
        return _table(text) if text.lstrip().startswith("[") else text.split()
    if kind in (int, bool):
        return msgspec.convert(text, kind, strict=False)
    return text


def _table(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def takes_secret(declared: Any) -> bool:
    """Tell whether a parameter of this type is a secret, written `{ file = "/path" }`."""
    kind = bare(declared)
    return kind is SecretFile or SecretFile in get_args(kind)


def _value(declared: Any, raw: object) -> Any:
    try:
        return msgspec.convert(_milliseconds(declared, raw) if is_duration(declared) else raw, declared)
    except msgspec.ValidationError as error:
        if "regex" not in str(error):
            raise
        raise ValueError(refusal(declared, raw)) from None  # People cannot read a pattern.


def _milliseconds(declared: Any, raw: object) -> int:
    if not isinstance(raw, str):
        raise ValueError(f"expected a duration like {DURATION_EXAMPLES}, got {raw!r}")  # noqa: TRY004  one kind for all
    return typed_duration(declared, raw)
