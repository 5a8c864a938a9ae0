"""`aoeha check`: validate the configuration and this host."""

import argparse

from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]

DEFAULT_FILE = "/etc/aoeha/aoeha.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, and whether to check and fix the host."""
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help=f"({DEFAULT_FILE}); the agents that it names are run, to describe themselves",
    )
    parser.add_argument(
        "--host",
        action="store_true",
        help="also check this host, its ports and addresses, and print the command that fixes each finding",
    )
    parser.add_argument(
        "--fences",
        action="store_true",
        help="also query every fence device (metadata, settings, monitor, status of each plug), switch nothing, "
        "and list what a person must verify",
    )
    parser.add_argument(
        "--over",
        metavar="COMMAND",
        help='with --fences: also query from the peer, where COMMAND runs a program there, like "ssh beta"',
    )
    parser.add_argument(
        "--node",
        default="",
        metavar="NAME",
        help="with --fences or --host: the name of this node (default: the output of hostname -s)",
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="with --host: fix every finding that a changed file can fix; backups are kept",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="with --fix: show the changes of files without making them"
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        help="with --host: check (and fix) another root file system, such as a mounted image (/)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the findings. Return 0 when the file has no errors and the host has no findings."""
    if (arguments.fix or arguments.root) and not arguments.host:
        print_error("cannot understand the command: --fix and --root are about the host; add --host")
        return Exit.USAGE
    if arguments.dry_run and not arguments.fix:
        print_error("cannot understand the command: --dry-run shows what --fix would change; add --fix")
        return Exit.USAGE
    if arguments.over and not arguments.fences:
        print_error("cannot understand the command: --over is about the fence devices; add --fences")
        return Exit.USAGE
    if arguments.node and not (arguments.fences or arguments.host):
        print_error("cannot understand the command: --node is about this gateway; add --fences or --host")
        return Exit.USAGE
    from aoeha.cli.check.report import FenceCheck, HostCheck, check  # noqa: PLC0415  loads msgspec and every agent

    host = (
        HostCheck(arguments.root or "/", arguments.node, arguments.fix, arguments.dry_run) if arguments.host else None
    )
    fences = FenceCheck(arguments.file, arguments.node, arguments.over or "") if arguments.fences else None
    return int(check(arguments.file, DEFAULT_FILE, host, fences))
