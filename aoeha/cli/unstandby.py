"""`aoeha unstandby`: end standby."""

import argparse

from aoeha.cli.request import add_output, add_wait, request

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the node."""
    parser.add_argument("node", nargs="?", metavar="NODE", help="the node to take out of standby (this one)")
    add_wait(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Send the request and return the exit code. No group moves back by itself."""
    words = {"node": arguments.node} if arguments.node else {}
    return request(arguments, "unstandby", words)
