"""Conditions without sentences: the text of a condition changes nothing of what follows."""

from aoeha.core.model.conditions import Code, Condition, Subject

__all__ = ["UNWORDED_PANIC"]

UNWORDED_PANIC = Condition(Code.OWNERSHIP_SUPERSEDED, Subject.node(""), "")
"""What every reboot of a node by itself is put down to."""
