"""What a leg's md superblock says, read from the text of `mdadm --examine` (mdadm 4.2, metadata 1.2).

mdadm is told that it is one of version 1. Left to guess, it looks for every kind that it knows, which are 8 reads of
each disk instead of 3, one after the other; only those of version 1 name an array as it is named here.
"""

import re

from aoeha.agents.running import try_run
from aoeha.core.model.superblock import Superblock
from aoeha.io.host import Host

__all__ = ["METADATA", "examine", "parse_examine"]

METADATA = "--metadata=1"

_FIELD = re.compile(r"^\s*([A-Z][A-Za-z ]*?) : (.*)$")
_ROLE = re.compile(r"Active device ([0-9]{1,9})")
_NUMBER = re.compile(r"[0-9]{1,20}")


async def examine(host: Host, device: str, deadline_ms: int | None = None) -> dict[str, Superblock]:
    """Return the superblock of a device by its name; nothing where it has none. LateError where it did not answer.

    Without a deadline it has what is left of the operation's time.
    """
    words = ("mdadm", "--examine", METADATA, device)
    completed = await try_run(host, *words, deadline_ms=deadline_ms, to=f"read the superblock of {device}")
    return parse_examine(completed.stdout)


def parse_examine(text: str) -> dict[str, Superblock]:
    """Return the superblocks by device name. A device without a readable superblock is not among them."""
    records: dict[str, Superblock] = {}
    for name, fields in _sections(text):
        role = _ROLE.match(fields.get("Device Role", ""))
        if not fields.get("Array UUID") or not _NUMBER.fullmatch(fields.get("Events", "")):
            continue
        records[name] = Superblock(
            leg=name,
            array_uuid=fields["Array UUID"],
            events=int(fields["Events"]),
            role=int(role[1]) if role else None,
            states=fields.get("Array State", "").split(" ")[0],
            recovering="Recovery Offset" in fields,
        )
    return records


def _sections(text: str) -> list[tuple[str, dict[str, str]]]:
    sections: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        if line.startswith("/") and line.rstrip().endswith(":"):
            sections.append((line.rstrip()[:-1], {}))
        elif sections and (match := _FIELD.match(line)):
            sections[-1][1][match[1].strip()] = match[2].strip()
    return sections
