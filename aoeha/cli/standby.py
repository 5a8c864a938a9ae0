"""`aoeha standby`: hand all groups over and serve nothing until `aoeha unstandby`."""

import argparse

from aoeha.cli.request import add_output, add_wait, request

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the node."""
    parser.add_argument("node", nargs="?", metavar="NODE", help="the node to put into standby (this one)")
    add_wait(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Send the request and return the exit code."""
    words = {"node": arguments.node} if arguments.node else {}
    return request(arguments, "standby", words)
