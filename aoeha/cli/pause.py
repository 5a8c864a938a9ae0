"""`aoeha pause`: nothing is started, stopped or fenced on either gateway until `aoeha resume`."""

import argparse

from aoeha.cli.request import request

__all__ = ["add_arguments", "run"]


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Take nothing: a pause is of the pair."""


def run(arguments: argparse.Namespace) -> int:
    """Ask for it."""
    return request(arguments, "pause", {})
