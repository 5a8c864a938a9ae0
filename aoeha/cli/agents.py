"""`aoeha agents`: the types that `type = "..."` can name."""

import argparse

from aoeha.cli.exits import Exit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take a type to describe."""
    parser.add_argument("type", nargs="?", metavar="TYPE", help="show the parameters of this type")


def run(arguments: argparse.Namespace) -> int:
    """List all types, or the parameters of one."""
    from aoeha.cli.agents_text import describe, listing  # noqa: PLC0415  loads msgspec and every agent

    if arguments.type is None:
        print(listing(), end="")
        return Exit.DONE
    return describe(arguments.type)
