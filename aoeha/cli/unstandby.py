"""`aoeha unstandby`: let a node serve again."""

import argparse

from aoeha.cli.request import add_wait, request

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the node."""
    parser.add_argument("node", nargs="?", metavar="NODE", help="the gateway that may serve again (this one)")
    add_wait(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask for it. Nothing moves back by itself."""
    words = {"node": arguments.node} if arguments.node else {}
    return request(arguments, "unstandby", words)
