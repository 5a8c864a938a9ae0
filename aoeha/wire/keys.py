"""The key file: secrets that both gateways share. The first one that the peer has signs.

Every non-empty line that is not a comment is `ID HEX`: a number from 1 to 255 and a secret of 32 bytes or more as hex
digits. A beat that any listed key authenticates is accepted. Beats tell which keys their sender has, by tags that show
nothing of a secret. The first key of the file that the peer has signs. So keys rotate without an interruption, in any
order, as long as the two files have one key in common at every moment.
"""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

__all__ = [
    "KEY_TAGS_MAX",
    "KEY_TAG_SIZE",
    "SECRET_SIZE_MIN",
    "Key",
    "KeyFileError",
    "key_tag",
    "key_tags",
    "parse_keys",
    "signing_key",
]

SECRET_SIZE_MIN = 32
KEY_TAG_SIZE = 3
KEY_TAGS_MAX = 4
"""So many keys are told, the first ones of the file. A rotation needs two, and one begun before it was ended, three."""


class KeyFileError(Exception):
    """The key file cannot be used. The message names file and line and never shows a key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One shared secret with the number by which beats name it. A repr never shows the secret."""

    id: int
    secret: bytes = field(repr=False)


def key_tag(key: Key) -> bytes:
    """Return what tells a key from others without its secret: its number, and two bytes that the secret makes.

    The two bytes tell apart two keys of one number, as two gateways have them that made their new keys each by itself.
    """
    return bytes([key.id]) + hmac.digest(key.secret, b"aoeha key tag", "sha256")[: KEY_TAG_SIZE - 1]


def key_tags(keys: Sequence[Key]) -> tuple[bytes, ...]:
    """Return the tags of the keys of a file that its gateway tells of."""
    return tuple(map(key_tag, keys[:KEY_TAGS_MAX]))


def signing_key(keys: Sequence[Key], held: Collection[bytes], heard_id: int) -> Key:
    """Return the key of a file by which to sign for a peer: the first one that the peer has, as far as that is known.

    `held` are the tags that the peer tells of, empty for none. `heard_id` is the number of the key by which the peer
    was heard last, 0 for not at all: that one the peer has in any case.
    """
    told = (key for key in keys if key_tag(key) in held)
    heard = (key for key in keys if key.id == heard_id)
    return next(told, None) or next(heard, keys[0])


def parse_keys(text: str, file: str) -> tuple[Key, ...]:
    """Return the keys in the order of the file: all are accepted, the first that the peer has signs.

    Errors name `file`.
    """
    keys: dict[int, Key] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].split()
        if not content:
            continue
        key = _parse_line(content, f"{file}:{number}")
        if key.id in keys:
            raise KeyFileError(f"{file}:{number}: cannot take key {key.id} twice; give every key a number of its own")
        keys[key.id] = key
    if not keys:
        raise KeyFileError(f"{file}: cannot find a key in it; `aoeha keygen` makes one")
    return tuple(keys.values())


def _parse_line(content: list[str], place: str) -> Key:
    # The line itself is never shown, not even the part that should be the number: fields may have been swapped.
    if len(content) != 2:
        raise KeyFileError(f"{place}: cannot read a key: expected a number and hex digits, found {len(content)} words")
    number, digits = content
    if not (number.isascii() and number.isdigit() and len(number) <= 3 and 1 <= int(number) <= 255):
        raise KeyFileError(f"{place}: cannot read a key: the first word must be a number from 1 to 255")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        # `from None`: the original error would put the digits into a traceback.
        raise KeyFileError(f"{place}: cannot read key {number}: the second word must be hex digits") from None
    if len(secret) < SECRET_SIZE_MIN:
        raise KeyFileError(
            f"{place}: cannot use key {number}: it has {len(secret)} bytes, {SECRET_SIZE_MIN} are needed"
        )
    return Key(id=int(number), secret=secret)
