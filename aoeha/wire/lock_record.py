"""The lock record: one line of text in a target's config string that says who holds the leg, and when it said so.

    aoeha 1 gw storage alpha 0123456789abcdef0123456789abcdef 3 7 1234567 1 89ab...

    aoeha 2 gw storage alpha 0123456789abcdef0123456789abcdef 3 7 1234567 4 paused 1 89ab...

In this order: format, cluster, group, owner, boot id, incarnation, epoch, milliseconds on the owner's CLOCK_BOOTTIME,
in format 2 the number of the newest word about a pause of the pair and that word ("paused" or "acts"), key id, and the
first 16 bytes of the HMAC-SHA256 over everything before it. A record without anything that format 1 lacks is written in
format 1, so that a gateway that knows no other reads it, and one in format 1 says nothing about a pause. A target keeps
at most 1,024 bytes (measured with vblade); people can read the line with any AoE tool. It is a witness, not a lock:
anybody on the storage network can write one, so what is not authentic reads as no record at all.
"""

import hmac
from collections.abc import Iterable

from aoeha.core.types import LockRecord
from aoeha.wire.keys import Key

__all__ = ["RECORD_MAX", "pack", "unpack"]

RECORD_MAX = 1_024
_PLAIN, _FULL = ("aoeha", "1"), ("aoeha", "2")
_WORDS = {_PLAIN: 10, _FULL: 12}
_PAUSE = {"paused": True, "acts": False}
_MAC_SIZE = 16


def pack(record: LockRecord, cluster: str, group: str, key: Key) -> bytes:
    """Return the line for one leg of a group."""
    full = record.pause_number > 0
    words = (
        *(_FULL if full else _PLAIN),
        cluster,
        group,
        record.owner,
        record.boot_id,
        str(record.incarnation),
        str(record.epoch),
        str(record.stamped_ms),
        *((str(record.pause_number), "paused" if record.paused else "acts") if full else ()),
        str(key.id),
    )
    content = " ".join(words)
    return f"{content} {_mac(key, content)}".encode()


def unpack(string: bytes, cluster: str, group: str, keys: Iterable[Key]) -> LockRecord | None:
    """Return the record of this cluster and group, None when this is none, or nobody with a key has written it."""
    try:
        content, _, mac = string.decode("ascii").rpartition(" ")
        words = content.split(" ")
        key = next((key for key in keys if str(key.id) == words[-1]), None)
        if len(words) != _WORDS.get((words[0], words[1])) or words[2:4] != [cluster, group] or key is None:
            return None
        if not hmac.compare_digest(_mac(key, content), mac):
            return None
        owner, boot_id = words[4:6]
        incarnation, epoch, stamped_ms = map(int, words[6:9])
        number, paused = (int(words[9]), _PAUSE[words[10]]) if words[1] == _FULL[1] else (0, False)
    except (ValueError, LookupError):
        return None
    return LockRecord(owner, boot_id, incarnation, epoch, stamped_ms, number, paused)


def _mac(key: Key, content: str) -> str:
    return hmac.digest(key.secret, b"aoeha lock record\n" + content.encode(), "sha256")[:_MAC_SIZE].hex()
