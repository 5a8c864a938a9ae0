"""`aoeha agents`: list types for `type = "..."`, list fence_* programs, and install our agents for other clusters."""

import argparse

from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a type to describe, or one of two verbs."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="TYPE | fence [NAME] | install",
        help="TYPE: show the parameters of this type; fence: list the installed fence_* programs, or "
        "show the options of one; install: install our agents for Pacemaker, as ocf:aoeha:TYPE and fence_NAME",
    )
    parser.add_argument(
        "--root", default="/", metavar="DIR", help="with install: install below this directory, for packages (/)"
    )


def run(arguments: argparse.Namespace) -> int:
    """List, describe or install, as the arguments say."""
    match arguments.words:
        case []:
            from aoeha.cli.agents.text import listing  # noqa: PLC0415  loads msgspec and every agent

            print(listing(), end="")
            return Exit.DONE
        case ["install"]:
            from aoeha.cli.agents.install import install  # noqa: PLC0415

            return install(arguments.root)
        case ["fence", *names] if len(names) < 2:
            from aoeha.cli.agents.fence import describe_fence, list_fence  # noqa: PLC0415

            return describe_fence(names[0]) if names else list_fence()
        case [name]:
            from aoeha.cli.agents.text import describe  # noqa: PLC0415

            return describe(name)
    print_error("cannot understand the command: one type, `fence` with at most one name, or `install`")
    return Exit.USAGE
