"""`aoeha cleanup`: clear the failures of this gateway and retry at once."""

import argparse

from aoeha.cli.request import add_output, request

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the form of the answer: the verb is about all failures of this gateway."""
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Send the request and return the exit code."""
    return request(arguments, "cleanup", {})
