"""`aoeha aoe release`: let everybody read and write a target again."""

import argparse

from aoeha.cli.aoe.change import change
from aoeha.cli.aoe.pair import find_pair

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Empty its reservation at all addresses."""
    return change(arguments, find_pair(arguments), ())
