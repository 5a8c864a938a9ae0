"""The lock record in a target's config string, as `aoeha aoe` shows it: the node that claims to hold the leg.

    aoeha FORMAT CLUSTER GROUP OWNER BOOT-ID INCARNATION EPOCH ...

The record is shown as it is stored. Only the daemon has the key and checks whether it is authentic.
"""

from dataclasses import dataclass

from aoeha.cli.aoe.screen import printable

__all__ = ["ShownRecord", "brief", "shown_record"]

_MARK, _NEWEST = "aoeha", 3
_OWNER, _EPOCH, _WORD = 4, 7, 11


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """The owner, the group and the epoch that a lock record names.

    `owns` is false when the record says that its writer does not own the group: it claims it, or has handed it over.
    `later`: it is of a later format, of which no more than this is known.
    """

    cluster: str
    group: str
    owner: str
    epoch: int
    owns: bool
    later: bool


def shown_record(string: bytes) -> ShownRecord | None:
    """Read a config string. None when it is no lock record."""
    words = printable(string).split(" ")
    if len(words) <= _EPOCH or words[0] != _MARK or not (_is_number(words[1]) and _is_number(words[_EPOCH])):
        return None
    later = int(words[1]) > _NEWEST
    said = words[_WORD] if len(words) > _WORD + 1 and not later else "-"
    owns = said == "-" or "h" in words[_WORD + 1]
    return ShownRecord(words[2], words[3], words[_OWNER], int(words[_EPOCH]), owns, later)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()


def brief(string: bytes) -> str:
    """Return a config string as a table shows it: the record's owner and epoch, or what else it is."""
    record = shown_record(string)
    if record is not None:
        owner = f"{record.owner}{'' if record.owns else ' (not owner)'} epoch {record.epoch}"
        return f"{owner} (a later format)" if record.later else owner
    return "another text" if string else "-"
