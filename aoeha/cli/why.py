"""`aoeha why`: the most pressing reason for how things are, in one sentence."""

import argparse
from typing import Any

from aoeha.cli.control import ControlError, ask
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take whether the rule is wanted too."""
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="also the rule, the file that decides it, the code, and each alarm"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    try:
        reply = ask(arguments.socket, "why")
    except ControlError as error:
        print_error(str(error))
        return error.code
    if reply.exit_code != Exit.DONE:
        print_error(reply.sentence)
        return reply.exit_code
    print(reply.sentence)
    if arguments.verbose and reply.document is not None:
        _print_origin(reply.document.get("why"))
        for alarm in reply.document.get("alarms", ()):
            print(f"ALARM  {alarm.get('sentence', '')}")
            _print_origin(alarm)
    return Exit.DONE


def _print_origin(condition: Any) -> None:
    """Print by which rule, where and under which code something is told, and what to do about it."""
    if not isinstance(condition, dict):
        return
    home = condition.get("home", "")
    words = [*condition.get("rules", ()), home and f"aoeha/{home}", condition.get("code", "")]
    print(f"  [{' '.join(str(word) for word in words if word)}]")
    if condition.get("remedy"):
        print(f"  {condition['remedy']}")
