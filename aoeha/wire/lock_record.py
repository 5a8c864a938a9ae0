"""The lock record: one line of text in a target's config string that says who holds the leg, and when it said so.

    aoeha 1 gw storage alpha 0123456789abcdef0123456789abcdef 3 7 1234567 1 89ab...

In this order: format, cluster, group, owner, boot id, incarnation, epoch, milliseconds on the owner's CLOCK_BOOTTIME,
key id, and the first 16 bytes of the HMAC-SHA256 over everything before it. A target keeps at most 1,024 bytes
(measured with vblade); people can read the line with any AoE tool. It is a witness, not a lock: anybody on the storage
network can write one, so what is not authentic reads as no record at all.
"""

import hmac
from collections.abc import Iterable

from aoeha.core.types import LockRecord
from aoeha.wire.keys import Key

__all__ = ["RECORD_MAX", "pack", "unpack"]

RECORD_MAX = 1_024
_FORMAT = ("aoeha", "1")
_WORDS = 11
_MAC_SIZE = 16


def pack(record: LockRecord, cluster: str, group: str, key: Key) -> bytes:
    """Return the line for one leg of a group."""
    words = (
        *_FORMAT,
        cluster,
        group,
        record.owner,
        record.boot_id,
        str(record.incarnation),
        str(record.epoch),
        str(record.stamped_ms),
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
        if len(words) != _WORDS - 1 or (*words[:4],) != (*_FORMAT, cluster, group) or key is None:
            return None
        if not hmac.compare_digest(_mac(key, content), mac):
            return None
        owner, boot_id = words[4:6]
        incarnation, epoch, stamped_ms = map(int, words[6:9])
    except ValueError:
        return None
    return LockRecord(owner, boot_id, incarnation, epoch, stamped_ms)


def _mac(key: Key, content: str) -> str:
    return hmac.digest(key.secret, b"aoeha lock record\n" + content.encode(), "sha256")[:_MAC_SIZE].hex()
