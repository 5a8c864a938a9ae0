"""`aoeha cleanup`: clear the failures of this gateway and retry at once."""

import argparse

from aoeha.cli.request import request

__all__ = ["add_arguments", "run"]


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the verb is about all failures of this gateway."""


def run(arguments: argparse.Namespace) -> int:
    """Send the request and return the exit code."""
    return request(arguments, "cleanup", {})
