"""What all verbs that change something do: send the request, print progress, and wait when --wait is given.

Programs take `-o json`: the last object has the exit code, and the code that tells why a command was refused.
"""

import argparse
from typing import Any

from aoeha.agents.duration import parse_duration
from aoeha.cli.control import ControlError, ask
from aoeha.cli.screen import print_error, print_json, print_saying
from aoeha.core.model.exits import Exit

__all__ = ["DEFAULT_WAIT", "add_output", "add_wait", "parsed_duration", "request"]

DEFAULT_WAIT = "60s"
ANSWER_SECONDS = 10.0
"""The deadline of a request without --wait. The daemon answers such a request in one turn of its loop."""


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add --wait: return at the end of the act instead of at its beginning."""
    parser.add_argument(
        "--wait",
        nargs="?",
        const=DEFAULT_WAIT,
        type=parsed_duration,
        default=0,
        metavar="DURATION",
        help=f"return when the act has ended; give up after DURATION ({DEFAULT_WAIT}) with exit code 124",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the form of what is printed."""
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="json: one object a line, the answer last"
    )


def request(arguments: argparse.Namespace, verb: str, words: dict[str, str], undo: str = "") -> int:
    """Ask the daemon, print its answer and return its exit code. `undo` is a hint that is printed on success."""
    wait_ms = getattr(arguments, "wait", 0)
    if wait_ms:
        words = words | {"wait_ms": str(wait_ms)}
    as_json = arguments.output == "json"
    said: set[str] = set()

    def show(line: dict[str, Any]) -> None:
        said.add(str(line.get("sentence", "")))
        print_saying(line)

    saying = print_json if as_json else show
    try:
        reply = ask(arguments.socket, verb, words, deadline_seconds=wait_ms / 1_000 + ANSWER_SECONDS, saying=saying)
    except ControlError as error:
        print_error(str(error))
        return error.code
    if as_json:
        answer = {"kind": "done", "exit_code": reply.exit_code, "code": reply.code, "sentence": reply.sentence}
        print_json(answer)
        return reply.exit_code
    if reply.exit_code != Exit.DONE:
        print_error(reply.sentence)
        return reply.exit_code
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
