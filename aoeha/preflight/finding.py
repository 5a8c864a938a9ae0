"""One thing that is wrong with the host: a sentence, and what mends it."""

from dataclasses import dataclass
from typing import Self

from aoeha.preflight.edits import Edit, command

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`mend` is a shell command; `edit` does the same to the file, or is None where only the command helps."""

    sentence: str
    mend: str
    edit: Edit | None = None

    @classmethod
    def mended_by(cls, edit: Edit, sentence: str) -> Self:
        """Return a finding that one change of one file mends."""
        return cls(sentence, command(edit), edit)
