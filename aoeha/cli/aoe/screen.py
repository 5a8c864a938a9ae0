"""The output that all verbs of `aoeha aoe` share: tables, JSON, config strings, and the error that ends a verb."""

import json
from collections.abc import Iterable, Sequence

from aoeha.core.model.exits import Exit
from aoeha.core.model.text import shown

__all__ = ["NOT_KNOWN", "VerbError", "hardware_list", "print_document", "print_table", "printable"]

NOT_KNOWN = "(NA)"


class VerbError(Exception):
    """A verb refuses or fails. The message is a sentence. `code` is the exit code."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def print_document(targets: list[dict[str, object]]) -> None:
    """Print one entry for each target as JSON of schema 1."""
    print(json.dumps({"schema": 1, "targets": targets}, indent=2))


def print_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns under a heading."""
    lines = [heading, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def printable(string: bytes) -> str:
    """Return a config string as one line of plain text, whatever bytes it holds."""
    return shown(string.decode("ascii", errors="backslashreplace"))


def hardware_list(addresses: Iterable[bytes]) -> str:
    """Return hardware addresses separated by commas, as --hosts takes them."""
    return ",".join(address.hex(":") for address in addresses)
