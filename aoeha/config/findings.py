"""What is wrong with a configuration, said so that it can be mended with an editor."""

from dataclasses import dataclass

__all__ = ["Complaint", "ConfigurationError", "Finding", "KeyPath"]

KeyPath = tuple[str | int, ...]
"""Where a value is, from the top: ("link", 1, "port"). Indexes count from 0."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A sentence about one key, before anybody knows its line."""

    path: KeyPath
    sentence: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about one line of one file. `line` is 0 when the file as a whole is meant."""

    file: str
    line: int
    key: str
    sentence: str
    warning: bool = False

    def __str__(self) -> str:
        """Render as compilers do, so that editors can jump there."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        return f"{place}: {'warning: ' if self.warning else ''}{key}{self.sentence}"


class ConfigurationError(Exception):
    """The file cannot be used. `findings` holds everything that is wrong, in the order of the lines."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings
