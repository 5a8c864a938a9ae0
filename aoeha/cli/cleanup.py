"""`aoeha cleanup`: forget what failed on this gateway, and try it again at once."""

import argparse

from aoeha.cli.request import request

__all__ = ["add_arguments", "run"]


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Take nothing: what failed here is meant."""


def run(arguments: argparse.Namespace) -> int:
    """Ask for it."""
    return request(arguments, "cleanup", {})
