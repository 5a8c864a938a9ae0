"""`aoeha check`: everything that is wrong with a configuration, and with this machine, before it matters."""

import argparse

from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]

DEFAULT_FILE = "/etc/aoeha/aoeha.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file and whether to look at the machine, and to mend it."""
    parser.add_argument("file", nargs="?", metavar="FILE", help=f"({DEFAULT_FILE})")
    parser.add_argument(
        "--host", action="store_true", help="also judge this machine, with the command that mends each finding"
    )
    parser.add_argument(
        "--fences",
        action="store_true",
        help="also ask every fence device (its metadata, its settings, whether it answers, each plug), switch nothing, "
        "and list what a person must verify",
    )
    parser.add_argument(
        "--over",
        metavar="COMMAND",
        help='with --fences: also from the other gateway, where COMMAND runs a program there, like "ssh beta"',
    )
    parser.add_argument(
        "--node", default="", metavar="NAME", help="with --fences: which of the two this is (what hostname -s prints)"
    )
    parser.add_argument(
        "--fix", action="store_true", help="with --host: mend what a changed file can mend; old texts are kept beside"
    )
    parser.add_argument("--dry-run", action="store_true", help="with --fix: show the changes of files, and make none")
    parser.add_argument(
        "--root",
        metavar="DIR",
        help="with --host: look at (and mend) another root file system, like a mounted image (/)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 0 when there are warnings at most, and nothing stands in the way on this machine."""
    if (arguments.fix or arguments.root) and not arguments.host:
        print_error("cannot understand the command: --fix and --root are about the machine; add --host")
        return Exit.USAGE
    if arguments.dry_run and not arguments.fix:
        print_error("cannot understand the command: --dry-run shows what --fix would change; add --fix")
        return Exit.USAGE
    if (arguments.over or arguments.node) and not arguments.fences:
        print_error("cannot understand the command: --over and --node are about the fence devices; add --fences")
        return Exit.USAGE
    from aoeha.cli.check.report import FenceCheck, HostCheck, check  # noqa: PLC0415  loads msgspec and every agent

    host = HostCheck(arguments.root or "/", fix=arguments.fix, dry_run=arguments.dry_run) if arguments.host else None
    fences = FenceCheck(arguments.file, arguments.node, arguments.over or "") if arguments.fences else None
    return int(check(arguments.file, DEFAULT_FILE, host, fences))
