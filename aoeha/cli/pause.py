"""`aoeha pause`: maintenance mode. Neither gateway starts, stops or fences anything until `aoeha resume`."""

import argparse

from aoeha.cli.request import add_output, request

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the form of the answer: a pause is of the whole pair."""
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Send the request and return the exit code."""
    return request(arguments, "pause", {})
