"""The operator types a gateway's name before an act that cannot be undone."""

import sys

from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["name_was_typed"]


def name_was_typed(node: str, typed: str | None, warning: str) -> int:
    """Return 0 when the name was typed, on a terminal or as `typed`. Else print why not and return the exit code."""
    if typed is None:
        if not sys.stdin.isatty():
            print_error(f"cannot ask for the name: no terminal; check the machine, then add --typed {node}")
            return Exit.USAGE
        print(warning, file=sys.stderr)
        print(f"Type the name of that gateway ({node}): ", end="", file=sys.stderr, flush=True)
        typed = sys.stdin.readline().strip()
    if typed != node:
        print_error(f'cannot act on {node}: the name typed was "{typed}"; nothing was done')
        return Exit.UNSAFE
    return Exit.DONE
