"""argparse with this project's exit codes."""

import argparse
from typing import Never

from aoeha.core.model.exits import Exit

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """Usage errors exit with 64 and say what to type next."""

    def error(self, message: str) -> Never:
        """Print the error as a sentence and exit."""
        self.exit(Exit.USAGE, f"aoeha: cannot understand the command: {message}\ntry: {self.prog} --help\n")
