"""`aoeha confirm NODE`: a human's word that a gateway is off. The one proof that a machine cannot check."""

import argparse
import sys

from aoeha.cli.exits import Exit
from aoeha.cli.request import add_wait, request
from aoeha.cli.screen import print_error

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the node, and for scripts the name once more."""
    parser.add_argument("node", metavar="NODE", help="the gateway that you have seen to be off")
    parser.add_argument("--typed", metavar="NODE", help="the same name again, where nobody can be asked (scripts)")
    add_wait(parser)


def run(arguments: argparse.Namespace) -> int:
    """Have the name typed, then pass the word on."""
    node = arguments.node
    typed = arguments.typed
    if typed is None:
        if not sys.stdin.isatty():
            print_error(f"cannot ask for the name: no terminal; check the machine, then add --typed {node}")
            return Exit.USAGE
        typed = _ask_for_name(node)
    if typed != node:
        print_error(f'cannot confirm {node}: the name typed was "{typed}"; nothing was done')
        return Exit.UNSAFE
    return request(arguments, "confirm", {"node": node})


def _ask_for_name(node: str) -> str:
    print(
        f"You are about to vouch that {node} is OFF: that it has no power.\n"
        f"This gateway will then mount the disks. If {node} still writes, the data is destroyed.\n"
        "The word is logged with your name, and is void as soon as that gateway is heard.",
        file=sys.stderr,
    )
    print(f"Type the name of the gateway that is off ({node}): ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
