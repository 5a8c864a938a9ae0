"""What `aoeha daemon` is told on its command line. Imports nothing heavy."""

import argparse
import socket
from dataclasses import dataclass

__all__ = ["Settings", "add_arguments", "settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where this node's daemon finds and keeps things."""

    config: str
    node: str
    run_directory: str
    state_directory: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration, this node's name and where things are kept."""
    parser.add_argument(
        "-c", "--config", default="/etc/aoeha/aoeha.toml", metavar="FILE", help="the pair (/etc/aoeha/aoeha.toml)"
    )
    parser.add_argument("--node", default="", metavar="NAME", help="which of the two this is (what hostname -s prints)")
    parser.add_argument(
        "--run-directory", default="/run/aoeha", metavar="DIRECTORY", help="for this boot: socket, memory (/run/aoeha)"
    )
    parser.add_argument(
        "--state-directory", default="/var/lib/aoeha", metavar="DIRECTORY", help="on disk (/var/lib/aoeha)"
    )


def settings(arguments: argparse.Namespace) -> Settings:
    """Return what the arguments say; what they leave out takes its default."""
    return Settings(
        config=arguments.config,
        node=getattr(arguments, "node", "") or socket.gethostname().partition(".")[0],
        run_directory=getattr(arguments, "run_directory", "/run/aoeha"),
        state_directory=getattr(arguments, "state_directory", "/var/lib/aoeha"),
    )
