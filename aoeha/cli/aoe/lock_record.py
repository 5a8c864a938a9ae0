"""The lock record in a target's config string, as `aoeha aoe` shows it: the node that claims to hold the leg.

    aoeha FORMAT CLUSTER GROUP OWNER BOOT-ID INCARNATION EPOCH ...

The record is shown as it is stored. Only the daemon has the key and checks whether it is authentic.
"""

from dataclasses import dataclass

from aoeha.cli.aoe.screen import printable

__all__ = ["ShownRecord", "brief", "shown_record"]

_MARK, _FORMATS = "aoeha", ("1", "2", "3")
_OWNER, _EPOCH, _WORD = 4, 7, 11


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """The owner, the group and the epoch that a lock record names.

    `owns` is false when the record says that its writer does not own the group: it claims it, or has handed it over.
    """

    cluster: str
    group: str
    owner: str
    epoch: int
    owns: bool


def shown_record(string: bytes) -> ShownRecord | None:
    """Read a config string. None when it is not a lock record of this version."""
    words = printable(string).split(" ")
    if len(words) <= _EPOCH or words[0] != _MARK or words[1] not in _FORMATS:
        return None
    epoch = words[_EPOCH]
    is_number = epoch.isascii() and epoch.isdigit()
    said = words[_WORD] if len(words) > _WORD + 1 else "-"
    owns = said == "-" or "h" in words[_WORD + 1]
    return ShownRecord(words[2], words[3], words[_OWNER], int(epoch), owns) if is_number else None


def brief(string: bytes) -> str:
    """Return a config string as a table shows it: the record's owner and epoch, or what else it is."""
    record = shown_record(string)
    if record is not None:
        return f"{record.owner}{'' if record.owns else ' (not owner)'} epoch {record.epoch}"
    if string.startswith(b"aoeha "):
        return "a record of another version"
    return "another text" if string else "-"
