"""`aoeha status`: the state of the pair on one screen, and why."""

import argparse
import json
import sys
import time

from aoeha.cli.control import ControlError, ask
from aoeha.cli.screen import print_error, wants_colour
from aoeha.cli.status_text import render_status
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]

_CLEAR = "\x1b[H\x1b[J"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the output format and --watch."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the output")
    parser.add_argument(
        "-w",
        "--watch",
        nargs="?",
        const=1.0,
        type=_seconds,
        metavar="SECONDS",
        help="repeat every second (or every SECONDS) until Ctrl-C",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the status once, or repeatedly."""
    if arguments.watch is None:
        return _show(arguments, prefix="")
    prefix = _CLEAR if sys.stdout.isatty() and arguments.output == "text" else ""
    while True:
        _show(arguments, prefix=prefix)
        time.sleep(arguments.watch)


def _show(arguments: argparse.Namespace, prefix: str) -> int:
    try:
        reply = ask(arguments.socket, "status")
    except ControlError as error:
        print_error(str(error))
        return error.code
    if reply.document is None:
        print_error(reply.sentence or "cannot show the status: the daemon sent none")
        return reply.exit_code or Exit.CANNOT_DETERMINE
    if arguments.output == "json":
        indent = None if arguments.watch is not None else 2
        print(json.dumps(reply.document, indent=indent, ensure_ascii=False), flush=True)
    else:
        print(prefix + render_status(reply.document, colour=wants_colour(sys.stdout)), end="", flush=True)
    return reply.exit_code


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3_600:
        raise argparse.ArgumentTypeError(f"expected seconds from 0.1 to 3600, got {text!r}")
    return seconds
