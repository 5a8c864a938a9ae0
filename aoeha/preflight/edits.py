"""Changes of configuration files, each as new text and as the shell command with the same effect.

Paths are relative to a root directory, without a leading slash.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["AddLine", "Edit", "ReplaceLines", "WriteFile", "command", "edited"]


@dataclass(frozen=True, slots=True)
class AddLine:
    """Append one line. The file is created when it does not exist."""

    path: str
    line: str


@dataclass(frozen=True, slots=True)
class ReplaceLines:
    """Other text in some lines: (number from 1, old text, new text). A line that has changed since is left alone."""

    path: str
    lines: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file of our own: a drop-in that overrides a file of that name in another directory."""

    path: str
    text: str


Edit = AddLine | ReplaceLines | WriteFile


def edited(edit: Edit, text: str) -> str:
    """Return the text of the file after the change."""
    match edit:
        case WriteFile():
            return edit.text
        case AddLine():
            return text + ("\n" if text and not text.endswith("\n") else "") + edit.line + "\n"
        case ReplaceLines():
            lines = text.split("\n")
            for number, old, new in edit.lines:
                if lines[number - 1 : number] == [old]:
                    lines[number - 1] = new
            return "\n".join(lines)


def command(edit: Edit) -> str:
    """Return the shell command with the same effect."""
    file = shlex.quote(f"/{edit.path}")
    folder = f"mkdir -p {shlex.quote(str(PurePosixPath('/', edit.path).parent))}"
    match edit:
        case WriteFile():
            lines = " ".join(map(shlex.quote, edit.text.splitlines()))
            return rf"{folder} && printf '%s\n' {lines} > {file}"
        case AddLine():
            return rf"{folder} && printf '\n%s\n' {shlex.quote(edit.line)} >> {file}"
        case ReplaceLines():
            scripts = " ".join(f"-e {shlex.quote(_substitution(*line))}" for line in edit.lines)
            return f"sed -i {scripts} {file}"


def _substitution(number: int, old: str, new: str) -> str:
    """Return sed's substitution of one line, for that line only."""
    pattern = re.sub(r"[\\.*^$|\[\]]", r"\\\g<0>", old)
    replacement = re.sub(r"[\\&|]", r"\\\g<0>", new)
    return f"{number}s|^{pattern}$|{replacement}|"
