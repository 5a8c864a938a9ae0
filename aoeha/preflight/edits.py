"""Changes of configuration files, each in two forms: the new text, and the shell command that makes it.

Paths are below a root folder, without the slash in front.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["AddLine", "Edit", "ReplaceLines", "WriteFile", "command", "edited"]


@dataclass(frozen=True, slots=True)
class AddLine:
    """One more line at the end; the file is made when there is none."""

    path: str
    line: str


@dataclass(frozen=True, slots=True)
class ReplaceLines:
    """Other text in some lines: (number from 1, old text, new text). A line that reads otherwise by now is left."""

    path: str
    lines: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file of our own: a drop-in that replaces another folder's file of that name."""

    path: str
    text: str


Edit = AddLine | ReplaceLines | WriteFile


def edited(edit: Edit, text: str) -> str:
    """Return what the file holds afterwards."""
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
