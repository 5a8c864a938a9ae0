"""`aoeha replay`: replay a gateway's decisions from its journal, and verify that this version decides the same."""

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the journal, where to stop, and whether to explain that point."""
    parser.add_argument("journal", metavar="JOURNAL", help="a journal file, or the directory of its parts")
    parser.add_argument(
        "--until",
        metavar="TIME|LINE",
        default="",
        help="stop at a line (120), at seconds since the start of the part (4.5s) or at a time of day (14:03:22.5)",
    )
    parser.add_argument(
        "--why", action="store_true", help="show the status at the end, as `aoeha status` showed it then"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the decisions. Return 0 when every action is the same, 1 at the first that differs, 112 if unreadable."""
    from aoeha.cli.simulator.replay_report import report  # noqa: PLC0415  loads msgspec and the core

    return int(report(arguments.journal, until=arguments.until, why=arguments.why))
