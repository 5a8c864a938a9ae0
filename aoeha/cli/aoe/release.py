"""`aoeha aoe release`: release a target, so that every host can read and write it again."""

import argparse

from aoeha.cli.aoe.change import change
from aoeha.cli.aoe.pair import find_pair

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Release the target at all its addresses."""
    return change(arguments, find_pair(arguments), ())
