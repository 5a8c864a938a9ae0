"""`aoeha confirm NODE`: a human's word that a gateway is off. The one proof that a machine cannot check."""

import argparse
import sys

from aoeha.cli.control import ControlError, ask
from aoeha.cli.evidence import evidence
from aoeha.cli.request import add_wait, request
from aoeha.cli.screen import print_error
from aoeha.cli.typed_name import name_was_typed

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the node, and for scripts the name once more."""
    parser.add_argument("node", metavar="NODE", help="the gateway that you have seen to be off")
    parser.add_argument("--typed", metavar="NODE", help="the same name again, where nobody can be asked (scripts)")
    add_wait(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show what is known, have the name typed, then pass the word on."""
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
        f"You are about to vouch that {node} is OFF: that it has no power.\n"
        f"This gateway will then mount the disks. If {node} still writes, the data is destroyed.\n"
        "The word is logged with your name, and is void as soon as that gateway is heard.",
    )
    return code or request(arguments, "confirm", {"node": node})
