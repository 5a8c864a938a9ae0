"""Names and boot ids as bytes: a name travels as a tag, four bytes of its SHA-256."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

__all__ = ["CodecError", "boot_bytes", "name_of", "name_tag", "names_by_tag"]


class CodecError(Exception):
    """These bytes are not a beat, or this beat does not fit the format. The message says why."""


def name_tag(name: str) -> bytes:
    """Return the four bytes that stand for a name in a message."""
    if name.startswith("#"):
        return bytes.fromhex(name[1:])
    return sha256(name.encode()).digest()[:4]


def names_by_tag(names: Iterable[str]) -> dict[bytes, str]:
    """Return the way back from tags to names. Raises CodecError when two names share a tag (1 in 4 billion)."""
    by_tag: dict[bytes, str] = {}
    for name in names:
        other = by_tag.setdefault(name_tag(name), name)
        if other != name:
            raise CodecError(f"cannot tell {other!r} from {name!r} in a beat: rename one of them")
    return by_tag


def name_of(tag: bytes, names: Mapping[bytes, str]) -> str:
    """Return the name of a tag, or what stands for a name that nobody here knows."""
    return names.get(tag) or "#" + tag.hex()


def boot_bytes(boot_id: str) -> bytes:
    """Return the 16 bytes of a boot id. Raises ValueError: struct would pad or cut it into another boot's id."""
    raw = bytes.fromhex(boot_id)
    if len(raw) != 16:
        raise ValueError(f"boot id of {len(raw)} bytes")
    return raw
