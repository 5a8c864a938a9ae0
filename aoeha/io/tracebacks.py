"""The traceback of a bug for the log, line by line, with what the exception quotes from outside as text."""

import sys
import traceback

from aoeha.core.model.text import shown

__all__ = ["print_traceback"]


def print_traceback() -> None:
    """Write the exception that is being handled to stderr."""
    sys.stderr.write("".join(f"{shown(line)}\n" for line in traceback.format_exc().splitlines()))
