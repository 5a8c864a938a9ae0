"""`aoeha confirm NODE`: an operator confirms that a gateway is off. No program can check this proof."""

import argparse
import sys

from aoeha.cli.control import ControlError, ask
from aoeha.cli.evidence import evidence
from aoeha.cli.request import add_output, add_wait, request
from aoeha.cli.screen import print_error
from aoeha.cli.typed_name import name_was_typed

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the node, and for scripts the option that repeats its name."""
    parser.add_argument("node", metavar="NODE", help="the gateway that you have seen to be powered off")
    parser.add_argument("--typed", metavar="NODE", help="the same name again, for scripts without a terminal")
    add_wait(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the evidence, have the name typed, then pass the confirmation to the daemon."""
    node = arguments.node
    try:
        reply = ask(arguments.socket, "status")
    except ControlError as error:
        print_error(str(error))
        return error.code
    for line in evidence(reply.document or {}, node):
        print(line, file=sys.stderr)
    code = name_was_typed(
        node,
        arguments.typed,
        f"You are about to confirm that {node} is OFF: that it has no power.\n"
        f"This gateway will then mount the disks. If {node} still writes, the data is destroyed.\n"
        "Your confirmation is logged with your name. It becomes void as soon as that gateway is heard.",
    )
    return code or request(arguments, "confirm", {"node": node})
