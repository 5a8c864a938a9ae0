"""Answers to commands: an exit code, the code that tells why, and a sentence.

Each command is answered once. Programs compare the code; several sentences may share one. A command that a condition of
`aoeha.core.model.law` stops is answered with the code of that condition.

What this file does not know: what is asked for.
"""

from collections.abc import Mapping
from typing import Final

from aoeha.core.model.actions import Answer
from aoeha.core.model.conditions import Code
from aoeha.core.model.events import CommandGiven
from aoeha.core.model.exits import Exit
from aoeha.core.model.law import Kind
from aoeha.core.model.step_context import StepContext

REFUSED: Final[Mapping[Kind, Code]] = {
    Kind.PANICKING: Code.COMMAND_REFUSED_LEAVING,
    Kind.LEAVING: Code.COMMAND_REFUSED_LEAVING,
    Kind.LEFT: Code.COMMAND_REFUSED_LEAVING,
    Kind.PAUSED: Code.COMMAND_REFUSED_PAUSED,
    Kind.DUPLICATE_NAME: Code.COMMAND_REFUSED_DUPLICATE_NAME,
}
"""The conditions that can stop an act that an operator asks for."""


def give(step: StepContext, event: CommandGiven, exit_code: Exit, code: Code, sentence: str) -> None:
    """Answer a command."""
    step.do(Answer(event.command_id, exit_code, code, sentence))


def done(step: StepContext, event: CommandGiven, sentence: str) -> None:
    """What was asked for is so."""
    give(step, event, Exit.DONE, Code.COMMAND_DONE, sentence)


def usage(step: StepContext, event: CommandGiven, sentence: str) -> None:
    """The command makes no sense here."""
    give(step, event, Exit.USAGE, Code.COMMAND_USAGE, sentence)
