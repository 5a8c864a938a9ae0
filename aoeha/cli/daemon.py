"""`aoeha daemon`: the daemon of a gateway.

A restarted daemon is silent until its first beat, so this module imports only what that beat needs.
"""

import argparse

from aoeha.cli.parser import Parser
from aoeha.daemon.arguments import add_arguments
from aoeha.daemon.main import main

__all__ = ["add_arguments", "run", "run_daemon"]


def run_daemon(words: list[str]) -> int:
    """Run until told to leave; `words` are what followed `daemon`."""
    parser = Parser(prog="aoeha daemon", description="Run the gateway's process.")
    add_arguments(parser)
    try:
        arguments = parser.parse_args(words)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    return run(arguments)


def run(arguments: argparse.Namespace) -> int:
    """Run until told to leave."""
    return main(arguments)
