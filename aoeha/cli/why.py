"""`aoeha why`: the most pressing reason for how things are, in one sentence."""

import argparse

from aoeha.cli.request import request

__all__ = ["add_arguments", "run"]


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Take nothing."""


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    return request(arguments, "why", {})
