"""`aoeha daemon`: the gateway's process itself."""

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration."""
    parser.add_argument(
        "-c", "--config", default="/etc/aoeha/aoeha.toml", metavar="FILE", help="the pair (/etc/aoeha/aoeha.toml)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until told to leave."""
    from aoeha.daemon.main import main  # noqa: PLC0415  the client verbs must not pay for asyncio

    return main(arguments)
