"""`aoeha replay`: what a gateway decided and why, repeated from its journal; and proof that it is what it would do."""

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the journal, where to stop, and whether to explain that point."""
    parser.add_argument("journal", metavar="JOURNAL", help="a journal's file, or the folder of its parts")
    parser.add_argument(
        "--until",
        metavar="TIME|LINE",
        default="",
        help="stop there: a line (120), seconds since the part's beginning (4.5s) or a time of day (14:03:22.5)",
    )
    parser.add_argument("--why", action="store_true", help="show the status at the end, as it was shown then")


def run(arguments: argparse.Namespace) -> int:
    """Print the decisions; 0 when every action came out the same, 1 at the first that did not, 112 if unreadable."""
    from aoeha.cli.simulator.replay_report import report  # noqa: PLC0415  loads msgspec and the core

    return int(report(arguments.journal, until=arguments.until, why=arguments.why))
