"""Read aoeha.toml from disk: the result is a Configuration, or all its errors."""

import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aoeha.agents.narrow_types import is_plain
from aoeha.config.build import Broken, Builder
from aoeha.config.document import DocumentError, parse, unprintable
from aoeha.config.findings import ConfigurationError, Finding, KeyFinding, KeyPath
from aoeha.config.lines import LineIndex
from aoeha.config.lint import lint
from aoeha.config.schema import Configuration, Timing

__all__ = ["Inspection", "inspect", "load"]

MAXIMUM_BYTES = 1 << 20

_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_EMPTY_SECTIONS: dict[str, Any] = {
    "cluster": "",
    "nodes": (),
    "links": (),
    "groups": (),
    "fences": (),
    "timing": Timing(),
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of reading a file. `configuration` is None exactly when a finding is an error, not a warning.

    `draft` holds the sections that could be read, and empty ones for the others. Use it for further checks only.
    """

    configuration: Configuration | None
    findings: tuple[Finding, ...]
    source: "Source | None" = None
    draft: Configuration | None = None


class Source:
    """The text of one file and the lines of its keys."""

    def __init__(self, file: str, text: str, data: dict[str, Any]) -> None:
        self.file = file
        self.data = data
        self._index = LineIndex(text)

    def located(self, finding: KeyFinding) -> Finding:
        """Return the finding with its file, its line and a readable key."""
        return Finding(
            file=self.file,
            line=self._index.line(finding.path),
            key=self._readable(finding.path),
            sentence=finding.sentence,
            warning=finding.warning,
        )

    def _readable(self, path: KeyPath) -> str:
        """Return ("link", 1, "port") as link[lan].port, or as link[#2].port when that table has no name."""
        words = ""
        value: Any = self.data
        for part in path:
            here: Any = None
            if isinstance(value, dict):
                here = value.get(str(part))
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                here = value[part]
            if isinstance(part, int):
                name = here.get("name") if isinstance(here, dict) else None
                words += f"[{name}]" if isinstance(name, str) and name and is_plain(name) else f"[#{part + 1}]"
            else:
                word = part if is_plain(part) else ascii(part)
                words += f".{word}" if words else word
            value = here
        return words


def load(path: Path | str) -> Configuration:
    """Return the configuration in the file. Raises ConfigurationError with all findings when one is an error."""
    inspection = inspect(path)
    if inspection.configuration is None:
        raise ConfigurationError(inspection.findings)
    return inspection.configuration


def inspect(path: Path | str, restart_gap_ms: int | None = None) -> Inspection:
    """Read the file and check it. Never raises, whatever the file is or contains.

    `restart_gap_ms` is the measured time from a daemon's death to its successor's first beat, where known.
    """
    file = str(path)
    try:
        text = _read(Path(path))
    except ConfigurationError as error:
        return Inspection(None, error.findings)
    try:
        data = parse(text)
    except DocumentError as error:
        return Inspection(None, (_syntax_finding(file, text, str(error)),))
    source = Source(file, text, data)
    builder = Builder()
    fields = builder.fields(Configuration, data, ())
    assert not isinstance(fields, Broken)  # A TOML document is always a table.
    broken = frozenset(name for name, value in fields.items() if isinstance(value, Broken))
    draft = Configuration(**(_EMPTY_SECTIONS | {name: fields[name] for name in fields if name not in broken}))
    hidden = tuple(unprintable(data))
    shown = {finding.path for finding in hidden}
    judged = (*builder.findings, *lint(draft, broken, restart_gap_ms))
    found = [*hidden, *(finding for finding in judged if finding.path not in shown)]
    findings = sorted((source.located(finding) for finding in found), key=lambda finding: finding.line)
    is_usable = all(finding.warning for finding in findings)
    return Inspection(draft if is_usable else None, tuple(findings), source, draft)


def _read(path: Path) -> str:
    """Return the text. Raises ConfigurationError with one finding."""
    file = str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _refused(file, "expected a file, got a directory; name the file in it")
        if not stat.S_ISREG(status.st_mode):
            raise _refused(file, "expected a plain file, got a device, pipe or socket; name the file")
        if status.st_size > MAXIMUM_BYTES:
            raise _refused(
                file, f"expected at most {MAXIMUM_BYTES} bytes, got {status.st_size}; is this the right file?"
            )
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise _refused(file, "cannot read the file: there is none; copy etc/aoeha.toml there and edit it") from error
    except PermissionError as error:
        raise _refused(file, "cannot read the file: permission denied; run this as root") from error
    except OSError as error:
        raise _refused(file, f"cannot read the file: {error.strerror}; check the path and the disk") from error
    except ValueError as error:
        raise _refused(ascii(file), "cannot read the file: its name has a NUL in it; name it correctly") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise _refused(file, f"expected UTF-8 text, got the byte 0x{byte:02x}; save the file as UTF-8", line) from error
    if text.startswith("\ufeff"):
        raise _refused(file, "expected TOML, got a byte order mark; save the file as UTF-8 without one", 1)
    if not text.strip():
        raise _refused(file, "expected a configuration, got an empty file; copy etc/aoeha.toml there and edit it")
    return text


def _refused(file: str, sentence: str, line: int = 0) -> ConfigurationError:
    return ConfigurationError((Finding(file, line, "", sentence),))


def _syntax_finding(file: str, text: str, message: str) -> Finding:
    """Return tomllib's message as a finding. tomllib stops at the first error, so there is only one."""
    match = _TOML_PLACE.search(message)
    what = _TOML_PLACE.sub("", message)
    if match is not None and match[1]:
        return Finding(file, int(match[1]), "", f"expected TOML: {what[:1].lower()}{what[1:]} at column {match[2]}")
    last_line = text.count("\n", 0, len(text.rstrip())) + 1
    return Finding(
        file, last_line, "", f"expected TOML: {what[:1].lower()}{what[1:]}; the file ends too early; was it cut off?"
    )
