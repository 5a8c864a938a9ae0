"""The key file: secrets that both gateways share. The first one signs.

Every non-empty line that is not a comment is `ID HEX`: a number from 1 to 255 and a secret of 32 bytes or more as hex
digits. A beat that any listed key authenticates is accepted. The FIRST key of the file signs. So keys rotate without an
interruption: add the new key at the end on both gateways, move it to the front on both, remove the old one on both.
At every moment each gateway accepts the beats of the other.
"""

from dataclasses import dataclass, field

__all__ = ["SECRET_SIZE_MIN", "Key", "KeyFileError", "parse_keys"]

SECRET_SIZE_MIN = 32


class KeyFileError(Exception):
    """The key file cannot be used. The message names file and line and never shows a key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One shared secret with the number by which beats name it. A repr never shows the secret."""

    id: int
    secret: bytes = field(repr=False)


def parse_keys(text: str, file: str) -> tuple[Key, ...]:
    """Return the keys in the order of the file: all are accepted, the first signs. Errors name `file`."""
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
