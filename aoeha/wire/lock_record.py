"""The lock record: one line of text in a target's config string that names the holder of the leg, with a time.

    aoeha 1 gw storage alpha 0123456789abcdef0123456789abcdef 3 7 1234567 1 89ab...

    aoeha 2 gw storage alpha 0123456789abcdef0123456789abcdef 3 7 1234567 4 paused - - 0 0 0 - 1 89ab...
    aoeha 2 gw storage beta 123456789abcdef0123456789abcdef0 1 7 7654321 0 acts stopped w 8 5 8 - 1 cdef...
    aoeha 3 gw storage alpha 0123456789abcdef0123456789abcdef 3 7 1234567 0 acts - - 0 0 0 - 0,1 1 ef01...

In this order: format, cluster, group, owner, boot id, incarnation, epoch, milliseconds on the owner's CLOCK_BOOTTIME;
in format 2 the number of the newest word about a pause of the pair and that word ("paused" or "acts"), then what the
writer says of the group: its phase (- for nothing to say), the letters h, y, w for holding, yielding, willing, and
behind them the places of the legs that may lack acknowledged writes, its floor, claim, the claim's epoch, grant
(EPOCH/BOOT-ID/INCARNATION/CLAIM); in format 3 the places of the legs that are not whole by the owner's ledger; at last
key id, and the first 16 bytes of the HMAC-SHA256 over everything before it. A record is written in the lowest format
that has a place for all that it says, and in none that the peer has said it does not know. What a format lacks, the
record does not say. The first nine words and the last two are the same in every format: who holds the leg, and whether
the record moves, can be told of a later one too, and that it says more than this program reads. A target keeps at most
1,024 bytes (measured with vblade); people can read the line with any AoE tool. It is a witness, not a lock: anybody on
the storage network can write one, so what is not authentic reads as no record at all.
"""

import hmac
from collections.abc import Iterable
from dataclasses import replace

from aoeha.core.model.beat import Grant, GroupBeat, GroupPhase
from aoeha.core.model.shelves import LockRecord
from aoeha.wire.codec import VERSION
from aoeha.wire.keys import Key

__all__ = ["RECORD_MAX", "pack", "unpack"]

RECORD_MAX = 1_024
_PLAIN, _FULL, _LACKING = ("aoeha", "1"), ("aoeha", "2"), ("aoeha", "3")
_NEWEST = 3
_LACKING_SINCE = 3
"""The first version of the wire format whose programs read the third format."""
_WORDS = {_PLAIN: 10, _FULL: 18, _LACKING: 19}
_NOTHING = ("-", "-", "0", "0", "0", "-")
_PAUSE = {"paused": True, "acts": False}
_MAC_SIZE = 16


def pack(record: LockRecord, cluster: str, group: str, key: Key, version: int = VERSION) -> bytes:
    """Return the line for one leg of a group, for a peer that knows this version of the wire format."""
    lacking = bool(record.lacking) and version >= _LACKING_SINCE
    full = record.pause_number > 0 or record.message is not None or lacking
    words = (
        *(_LACKING if lacking else _FULL if full else _PLAIN),
        cluster,
        group,
        record.owner,
        record.boot_id,
        str(record.incarnation),
        str(record.epoch),
        str(record.stamped_ms),
        *((str(record.pause_number), "paused" if record.paused else "acts", *_said(record.message)) if full else ()),
        *((",".join(map(str, record.lacking)),) if lacking else ()),
        str(key.id),
    )
    content = " ".join(words)
    return f"{content} {_mac(key, content)}".encode()


def unpack(string: bytes, cluster: str, group: str, keys: Iterable[Key]) -> LockRecord | None:
    """Return the record of this cluster and group. None when it is of another one, or no key authenticates it."""
    try:
        content, _, mac = string.decode("ascii").rpartition(" ")
        words = content.split(" ")
        key = next((key for key in keys if str(key.id) == words[-1]), None)
        later = _is_later(words)
        if not (later or len(words) == _WORDS.get((words[0], words[1]))):
            return None
        if words[2:4] != [cluster, group] or key is None:
            return None
        if not hmac.compare_digest(_mac(key, content), mac):
            return None
        owner, boot_id = words[4:6]
        incarnation, epoch, stamped_ms = map(int, words[6:9])
        plain = LockRecord(owner, boot_id, incarnation, epoch, stamped_ms, later=later)
        if later or words[1] == _PLAIN[1]:
            return plain
        word = _heard(group, epoch, words[11:17])
        lacking = tuple(map(int, words[17].split(","))) if words[1] == _LACKING[1] else ()
        return replace(plain, pause_number=int(words[9]), paused=_PAUSE[words[10]], message=word, lacking=lacking)
    except (ValueError, LookupError):
        return None


def _is_later(words: list[str]) -> bool:
    """Whether this is a format that this program does not know: of it are read the words that every format has."""
    mark, number = words[:2]
    return mark == _PLAIN[0] and number.isascii() and number.isdigit() and int(number) > _NEWEST and len(words) > 9


def _said(word: GroupBeat | None) -> tuple[str, ...]:
    if word is None:
        return _NOTHING
    given = (("h", word.holding), ("y", word.yielding), ("w", word.willing))
    letters = "".join((*(letter for letter, true in given if true), *map(str, word.doubted))) or "-"
    grant = word.grant
    promise = f"{grant.epoch}/{grant.boot_id}/{grant.incarnation}/{grant.claim}" if grant is not None else "-"
    return (word.phase.value, letters, str(word.claim_floor), str(word.claim), str(word.claim_epoch), promise)


def _heard(group: str, epoch: int, words: list[str]) -> GroupBeat | None:
    """Read what `_said` wrote. Raises ValueError."""
    if words == [*_NOTHING]:
        return None
    phase, letters, floor, claim, claim_epoch, promise = words
    given = ("h" in letters, "y" in letters, "w" in letters)
    numbers = int(floor), int(claim), int(claim_epoch)
    doubted = tuple(int(letter) for letter in letters if letter.isdigit())
    grant = None if promise == "-" else _grant(promise)
    return GroupBeat(group, GroupPhase(phase), *given, epoch, *numbers, grant, doubted=doubted)


def _grant(promise: str) -> Grant:
    epoch, boot_id, incarnation, claim = promise.split("/")
    return Grant(int(epoch), boot_id, int(incarnation), int(claim))


def _mac(key: Key, content: str) -> str:
    return hmac.digest(key.secret, b"aoeha lock record\n" + content.encode(), "sha256")[:_MAC_SIZE].hex()
