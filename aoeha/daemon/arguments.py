"""The command line of `aoeha daemon`. Imports nothing heavy."""

import argparse
import socket
from dataclasses import dataclass

__all__ = ["DRY_RUN", "Settings", "add_arguments", "settings"]

DRY_RUN = "--dry-run"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where this node's daemon finds its configuration and keeps its files."""

    config: str
    node: str
    run_directory: str
    state_directory: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the configuration, this node's name and the two directories."""
    parser.add_argument(DRY_RUN, action="store_true", help="read what a start needs, say what is wrong, and end")
    parser.add_argument(
        "-c",
        "--config",
        default="/etc/aoeha/aoeha.toml",
        metavar="FILE",
        help="the configuration (/etc/aoeha/aoeha.toml)",
    )
    parser.add_argument(
        "--node", default="", metavar="NAME", help="the name of this node (default: the output of hostname -s)"
    )
    parser.add_argument(
        "--run-directory",
        default="/run/aoeha",
        metavar="DIRECTORY",
        help="the directory of the socket and of state for this boot (/run/aoeha)",
    )
    parser.add_argument(
        "--state-directory",
        default="/var/lib/aoeha",
        metavar="DIRECTORY",
        help="the directory of state on disk (/var/lib/aoeha)",
    )


def settings(arguments: argparse.Namespace) -> Settings:
    """Return the arguments, with defaults for those that were not given."""
    return Settings(
        config=arguments.config,
        node=getattr(arguments, "node", "") or socket.gethostname().partition(".")[0],
        run_directory=getattr(arguments, "run_directory", "/run/aoeha"),
        state_directory=getattr(arguments, "state_directory", "/var/lib/aoeha"),
    )
