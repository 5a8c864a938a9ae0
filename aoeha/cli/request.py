"""What the verbs that change something have in common: ask, show what the daemon says meanwhile, wait if told to."""

import argparse
from typing import Any

from aoeha.cli.control import ControlError, ask
from aoeha.cli.screen import print_error, print_saying
from aoeha.config.duration import parse_duration
from aoeha.core.model.exits import Exit

__all__ = ["DEFAULT_WAIT", "add_wait", "parsed_duration", "request"]

DEFAULT_WAIT = "60s"
ANSWER_SECONDS = 10.0
"""For an answer that needs no waiting; a daemon answers such a request in one turn of its loop."""


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Let the user wait for the end instead of for the daemon's word that it began."""
    parser.add_argument(
        "--wait",
        nargs="?",
        const=DEFAULT_WAIT,
        type=parsed_duration,
        default=0,
        metavar="DURATION",
        help=f"return when it is done, at the latest after DURATION ({DEFAULT_WAIT}); exit code 124 then",
    )


def request(arguments: argparse.Namespace, verb: str, words: dict[str, str], undo: str = "") -> int:
    """Ask the daemon, print its sentence and return its exit code; `undo` is a hint that is printed on success."""
    wait_ms = getattr(arguments, "wait", 0)
    if wait_ms:
        words = words | {"wait_ms": str(wait_ms)}
    said: set[str] = set()

    def show(line: dict[str, Any]) -> None:
        said.add(str(line.get("sentence", "")))
        print_saying(line)

    try:
        reply = ask(arguments.socket, verb, words, deadline_seconds=wait_ms / 1_000 + ANSWER_SECONDS, saying=show)
    except ControlError as error:
        print_error(str(error))
        return error.code
    if reply.code != Exit.DONE:
        print_error(reply.sentence)
        return reply.code
    if reply.sentence and reply.sentence not in said:
        print(reply.sentence)
    if undo:
        print(undo)
    return Exit.DONE


def parsed_duration(text: str) -> int:
    """Return the milliseconds of an argument like 60s."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
