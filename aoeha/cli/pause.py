"""`aoeha pause`: maintenance mode. Neither gateway starts, stops or fences anything until `aoeha resume`."""

import argparse

from aoeha.cli.request import request

__all__ = ["add_arguments", "run"]


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add no arguments: a pause is of the whole pair."""


def run(arguments: argparse.Namespace) -> int:
    """Send the request and return the exit code."""
    return request(arguments, "pause", {})
