"""The lock record in a target's config string, as far as `aoeha aoe` shows it: who says that it holds the leg.

    aoeha FORMAT CLUSTER GROUP OWNER BOOT-ID INCARNATION EPOCH ...

It is shown as it stands there. Whether it is authentic only the daemon judges, which has the key.
"""

from dataclasses import dataclass

from aoeha.cli.aoe.screen import printable

__all__ = ["ShownRecord", "brief", "shown_record"]

_MARK, _FORMATS = "aoeha", ("1", "2")
_OWNER, _EPOCH, _WORD = 4, 7, 11


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """Whom a lock record names, for which group, and since which change of ownership.

    `owns` is false where it says itself that it does not: it claims the group, or has handed it over.
    """

    cluster: str
    group: str
    owner: str
    epoch: int
    owns: bool


def shown_record(string: bytes) -> ShownRecord | None:
    """Read a config string; None when it is no lock record of this version."""
    words = printable(string).split(" ")
    if len(words) <= _EPOCH or words[0] != _MARK or words[1] not in _FORMATS:
        return None
    epoch = words[_EPOCH]
    is_number = epoch.isascii() and epoch.isdigit()
    said = words[_WORD] if len(words) > _WORD + 1 else "-"
    owns = said == "-" or "h" in words[_WORD + 1]
    return ShownRecord(words[2], words[3], words[_OWNER], int(epoch), owns) if is_number else None


def brief(string: bytes) -> str:
    """Return what a table shows of a config string: the record's owner and epoch, or that it is something else."""
    record = shown_record(string)
    if record is not None:
        return f"{record.owner}{'' if record.owns else ' (not owner)'} epoch {record.epoch}"
    if string.startswith(b"aoeha "):
        return "a record of another version"
    return "another text" if string else "-"
