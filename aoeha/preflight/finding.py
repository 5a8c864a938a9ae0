"""One finding about the host: a sentence, and its fix."""

from dataclasses import dataclass
from typing import Self

from aoeha.preflight.edits import Edit, command

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` is a shell command. `edit` makes the same change in the file, or is None when only the command can."""

    sentence: str
    fix: str
    edit: Edit | None = None

    @classmethod
    def fixed_by(cls, edit: Edit, sentence: str) -> Self:
        """Return a finding that one change of one file fixes."""
        return cls(sentence, command(edit), edit)
