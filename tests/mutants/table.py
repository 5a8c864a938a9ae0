"""All mutants, and that they cover the core.

What this file does not know: how a mutant is tried.
"""

import ast

import in_fencing
import in_leg_choice
import in_ownership
import in_peer
import in_service
import in_step
import in_storage
import in_storage_fence
from mutant import CORE, Mutant, TextError, edited, whole_text

__all__ = ["MUTANTS", "NOTHING_TO_BREAK", "faults", "undecided"]

MUTANTS: tuple[Mutant, ...] = (
    *in_peer.MUTANTS,
    *in_storage.MUTANTS,
    *in_storage_fence.MUTANTS,
    *in_leg_choice.MUTANTS,
    *in_ownership.MUTANTS,
    *in_fencing.MUTANTS,
    *in_service.MUTANTS,
    *in_step.MUTANTS,
)

NOTHING_TO_BREAK = {
    "status.py": "it words what the state says",
    "operator/answers.py": "it words answers",
    "storage/leg_sentences.py": "it words refusals",
}
"""Files of the core, outside its model, that decide nothing."""


def faults() -> list[str]:
    """Every entry that does not fit the code, each in a sentence."""
    found = []
    for mutant in MUTANTS:
        try:
            edited(mutant)
        except TextError as error:
            found.append(str(error))
    twice = {str(mutant) for mutant in MUTANTS if [str(other) for other in MUTANTS].count(str(mutant)) > 1}
    return found + [f"{name}: two entries have this name" for name in sorted(twice)]


def undecided() -> list[str]:
    """Files of the core that decide something, and that no mutant changes."""
    changed = {mutant.path for mutant in MUTANTS}
    deciding = [path for path in sorted(CORE.rglob("*.py")) if "model" not in path.parts and _decides(whole_text(path))]
    names = [str(path.relative_to(CORE)) for path in deciding if path not in changed]
    return [name for name in names if name not in NOTHING_TO_BREAK]


def _decides(text: str) -> bool:
    return any(isinstance(node, ast.FunctionDef) for node in ast.parse(text).body)
