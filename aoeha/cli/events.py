"""`aoeha events`: what was decided, refused and alarmed, newest last."""

import argparse

from aoeha.cli.control import ControlError, ask
from aoeha.cli.screen import print_error, print_json, print_saying
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take how many, the form, and whether to go on."""
    parser.add_argument("-n", "--number", type=int, default=50, metavar="COUNT", help="how many past ones (50)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as they happen, until Ctrl-C")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: one object a line")


def run(arguments: argparse.Namespace) -> int:
    """Print them as the daemon sends them."""
    words = {"number": str(max(arguments.number, 0))}
    if arguments.follow:
        words["follow"] = "true"
    try:
        reply = ask(
            arguments.socket,
            "events",
            words,
            deadline_seconds=None if arguments.follow else 10.0,
            saying=print_json if arguments.output == "json" else print_saying,
        )
    except ControlError as error:
        print_error(str(error))
        return error.code
    if reply.exit_code != Exit.DONE:
        print_error(reply.sentence)
    return reply.exit_code
