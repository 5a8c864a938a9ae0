"""The names of a journal's parts: `00000042-20261130T224806Z-4711-0001.jsonl`.

The number in front counts all parts in a folder and gives their order. The time of day behind it is for people: a clock
that was ahead once must not make old parts of the new ones. A name without a number is older than all that have one.
"""

import re

__all__ = ["numbered", "order"]

NUMBERED = re.compile(r"(\d{8})-")


def numbered(number: int, stem: str) -> str:
    """Return the name of the part with this number."""
    return f"{number:08d}-{stem}"


def order(name: str) -> tuple[int, str]:
    """Return what parts are sorted by, the oldest first."""
    found = NUMBERED.match(name)
    return (int(found[1]) if found else 0, name)
