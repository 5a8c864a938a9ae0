"""Findings about a configuration: each names the key and the line that a person must edit."""

from dataclasses import dataclass

from aoeha.core.model.text import shown

__all__ = ["ConfigurationError", "Finding", "KeyFinding", "KeyPath"]

KeyPath = tuple[str | int, ...]
"""The path of a value from the top of the file: ("link", 1, "port"). Indexes count from 0."""


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """A sentence about one key whose line is not known yet."""

    path: KeyPath
    sentence: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about one line of one file. `line` is 0 when the sentence is about the whole file."""

    file: str
    line: int
    key: str
    sentence: str
    warning: bool = False

    def __str__(self) -> str:
        """Return FILE:LINE: KEY: SENTENCE, as compilers print errors, so that editors can jump to the line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        return shown(f"{place}: {'warning: ' if self.warning else ''}{key}{self.sentence}")


class ConfigurationError(Exception):
    """The file cannot be used. `findings` holds all findings in the order of their lines."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings
