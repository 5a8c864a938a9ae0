"""`aoeha check`: everything that is wrong with a configuration, and with this machine, before it matters."""

import argparse

from aoeha.cli.exits import Exit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file and whether to look at the machine."""
    parser.add_argument(
        "file", nargs="?", default="/etc/aoeha/aoeha.toml", metavar="FILE", help="(/etc/aoeha/aoeha.toml)"
    )
    parser.add_argument(
        "--host", action="store_true", help="also judge this machine, with the command that mends each finding"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 0 when there are warnings at most."""
    from aoeha.cli.check_report import check  # noqa: PLC0415  loads msgspec and every agent

    return int(check(arguments.file, look_at_host=arguments.host) or Exit.DONE)
