"""`aoeha switchover`: move a group to the peer while both gateways are up."""

import argparse

from aoeha.cli.request import add_output, add_wait, request

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the group."""
    parser.add_argument(
        "group", nargs="?", metavar="GROUP", help="the group to move (the only one that this gateway owns)"
    )
    add_wait(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Send the request and return the exit code."""
    words = {"group": arguments.group} if arguments.group else {}
    back = " ".join(["aoeha switchover", *words.values()])
    return request(arguments, "switchover", words, undo=f"To undo: on the other gateway, once it serves: {back}")
