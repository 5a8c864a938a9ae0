"""One beat as one message: its layout and its authentication. Whether to accept it is decided elsewhere.

There are three versions. Receivers read all of them; a sender speaks the lower one until the peer has said that it
knows more: by bit 15 of the flags, in any version, for version 3, by bit 14 for version 4, and by a number since
version 4. Readers ignore bits that they do not know, so that two gateways of different versions understand each other
while one of them is being upgraded. Every version, later ones too, has the first three lines of this table and the last
one: who sent a message and whether it answers can always be told. Bits 8 to 11 of the flags tell how many reference
hosts answer the sender, plus one; 0 where it does not know, as every program before them says.

A message, all numbers big-endian:

| bytes | what |
|---|---|
| 1, 1, 4 | version, key id, cluster tag |
| 4, 16, 8, 8 | sender's tag, boot id, incarnation, sequence |
| 8, 8, 8 | sender's nonce, the receiver's nonce echoed, echoed sequence |
| 4, 2, 2, 4 | config tag, flags, back within (ms), pause number |
| 1, 2 | since version 3: by what the sender could prove a dead receiver dead, takeover in units of 10 ms |
| 1, 1, 3 each | since version 4: the highest version that the sender knows; keys that it has, by their tags (keys.py) |
| 8, 1, 1, 1 | state digest, groups that the sender has, groups in this message, links |
| 2 each | link ages in units of 10 ms, 0xFFFF for never |
| 14 to 81 each | groups: tag, bits, epoch, floor; claim, grant, ledger, acknowledged version, generation, doubts |
| 16 | HMAC-SHA256 over all bytes before it, truncated |

Groups are in group_codec.py. Names travel as tags (names.py) and come back as names through the reader's own
configuration; a name that it does not know reads as `#` and the tag in hex. The state digest covers all groups that the
sender has, also those that this message has no room for: it is what makes slices of one state recognisable (see
receiver.py).
"""

import hmac
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from aoeha.core.model.beat import (
    HOSTS_MAX,
    NEVER_MS,
    Ability,
    Beat,
    BeatFlag,
    GroupBeat,
    Readiness,
)
from aoeha.core.model.replacing import replaced
from aoeha.wire.group_codec import GENERATION_SINCE, decode_group, encode_group, group_size
from aoeha.wire.keys import KEY_TAG_SIZE
from aoeha.wire.names import CodecError, boot_bytes, name_of, name_tag, names_by_tag

__all__ = [
    "NONCE_SIZE",
    "NO_NONCE",
    "OLDEST_VERSION",
    "SERIAL_LIMIT",
    "UDP_LIMIT",
    "VERSION",
    "CodecError",
    "Envelope",
    "Introduction",
    "Message",
    "as_read",
    "decode",
    "encode",
    "encoded_size",
    "is_authentic",
    "name_tag",
    "names_by_tag",
    "peek_envelope",
    "peek_introduction",
    "state_digest",
]

VERSION = 4
"""The highest version that this program speaks."""
OLDEST_VERSION = 2
_READINESS_SINCE, _KEYS_SINCE = 3, 4
SERIAL_LIMIT = 250
UDP_LIMIT = 1_400
NONCE_SIZE = 8
NO_NONCE = bytes(NONCE_SIZE)

_ENVELOPE = struct.Struct(">BB4s")
_SENDER = struct.Struct(">4s16sQQ")
_ECHO = struct.Struct(">8s8sQ")
_FACTS = struct.Struct(">IHHI")
_READINESS = struct.Struct(">BH")
_KNOWN = struct.Struct(">BB")
_COUNTS = struct.Struct(">8sBBB")
_MAC_SIZE = 16
_BODY_SIZE = _SENDER.size + _ECHO.size + _FACTS.size + _COUNTS.size
_AGE_UNIT_MS = 10

_KNOWS = {0x8000: 3, 0x4000: 4}
"""The bits of the flags by which every version tells of a later one, and of which."""
_HOSTS, _HOSTS_UNIT = 0x0F00, 0x0100
_ABILITIES = (None, Ability.NONE, Ability.STORAGE, Ability.POWER)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The fields that can be read before authentication, and must not be trusted before it."""

    version: int
    key_id: int
    cluster_tag: bytes


@dataclass(frozen=True, slots=True)
class Introduction:
    """Who sent a message, and what it answers: what every version has in the same place, authentic or not.

    `sender` is a name's tag, the rest is as in a `Beat` and a `Message`.
    """

    sender: bytes
    boot_id: str
    incarnation: int
    sequence: int
    nonce: bytes
    echo_nonce: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One message: the beat with the groups that fit into it, and what receivers need to check it.

    `state_digest` covers all `group_total` groups of the sender, not only `beat.groups`. `knows` is the highest version
    that the sender says it knows, `held` are the tags of keys that it has, as far as it tells them.
    """

    nonce: bytes
    echo_nonce: bytes
    beat: Beat
    group_total: int
    state_digest: bytes
    knows: int = VERSION
    held: tuple[bytes, ...] = ()


def state_digest(groups: Iterable[GroupBeat], version: int = VERSION) -> bytes:
    """Return eight bytes that are the same exactly when all that this version tells of these groups is.

    The order of the groups does not matter.
    """
    return sha256(b"".join(sorted(encode_group(group, version) for group in groups))).digest()[:8]


def encoded_size(links: int, groups: Iterable[GroupBeat], version: int = OLDEST_VERSION, held: int = 0) -> int:
    """Return the bytes of a message of that version with so many links and keys and these groups in it."""
    more = _READINESS.size if version >= _READINESS_SINCE else 0
    more += _KNOWN.size + KEY_TAG_SIZE * held if version >= _KEYS_SINCE else 0
    sizes = sum(group_size(group, version) for group in groups)
    return _ENVELOPE.size + _BODY_SIZE + more + 2 * links + sizes + _MAC_SIZE


def encode(message: Message, cluster: str, key_id: int, secret: bytes, version: int = OLDEST_VERSION) -> bytes:
    """Return the authenticated message. Raises CodecError when a field does not fit; knows no size limit."""
    try:
        content = _ENVELOPE.pack(version, key_id, name_tag(cluster)) + _encode_body(message, version)
    except (struct.error, ValueError) as error:
        raise CodecError(f"cannot put this beat into a message: {error}") from error
    return content + _mac(secret, content)


def peek_envelope(data: bytes) -> Envelope:
    """Return version, key and cluster as claimed. Raises CodecError when it is too short for any beat."""
    if len(data) < encoded_size(0, ()):
        raise CodecError(f"cannot read a beat from {len(data)} bytes")
    return Envelope(*_ENVELOPE.unpack_from(data))


def peek_introduction(data: bytes) -> Introduction:
    """Return who sent a message of any version, as claimed. Raises CodecError when it is too short."""
    try:
        sender, boot_id, incarnation, sequence = _SENDER.unpack_from(data, _ENVELOPE.size)
        nonce, echo_nonce, _ = _ECHO.unpack_from(data, _ENVELOPE.size + _SENDER.size)
    except struct.error as error:
        raise CodecError(f"cannot read who sent {len(data)} bytes") from error
    return Introduction(sender, boot_id.hex(), incarnation, sequence, nonce, echo_nonce)


def is_authentic(data: bytes, secret: bytes) -> bool:
    """Tell whether a sender that has the secret made this message, and it is unchanged."""
    return hmac.compare_digest(_mac(secret, data[:-_MAC_SIZE]), data[-_MAC_SIZE:])


def decode(data: bytes, names: Mapping[bytes, str]) -> Message:
    """Return the content of a message that was found authentic. Raises CodecError, and nothing else."""
    try:
        return _decode_body(data[_ENVELOPE.size : -_MAC_SIZE], names, data[0])
    except (struct.error, IndexError) as error:
        raise CodecError(f"cannot read this beat: {error}") from error


def as_read(message: Message, version: int = OLDEST_VERSION) -> Message:
    """Return what `decode` makes of this message once it was encoded in a version, by one who knows all its names."""
    beat, told = message.beat, message.beat.readiness if version >= _READINESS_SINCE else None
    read = replaced(
        beat,
        link_ages_ms=tuple(_age_units(age_ms) * _AGE_UNIT_MS for age_ms in beat.link_ages_ms),
        back_within_ms=min(beat.back_within_ms, 0xFFFF),
        hosts=beat.hosts if beat.hosts is None else min(beat.hosts, HOSTS_MAX),
        readiness=told and Readiness(told.ability, _age_units(told.takeover_ms) * _AGE_UNIT_MS),
        groups=beat.groups
        if version >= GENERATION_SINCE
        else tuple(replaced(one, generation=0, doubted=()) for one in beat.groups),
    )
    knows, held = message.knows, message.held
    if version < _KEYS_SINCE:
        knows, held = _known_by(_bits_of(knows), version), ()
    return Message(message.nonce, message.echo_nonce, read, message.group_total, message.state_digest, knows, held)


def _mac(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")[:_MAC_SIZE]


def _encode_body(message: Message, version: int) -> bytes:
    beat = message.beat
    flags = int(beat.flags) | _hosts_bits(beat.hosts) | _bits_of(message.knows)
    back_within_ms = min(beat.back_within_ms, 0xFFFF)
    parts = [
        _SENDER.pack(name_tag(beat.sender), boot_bytes(beat.boot_id), beat.incarnation, beat.sequence),
        _ECHO.pack(message.nonce, message.echo_nonce, beat.echo_sequence),
        _FACTS.pack(beat.config_tag, flags, back_within_ms, beat.pause_number),
        _encode_readiness(beat.readiness) if version >= _READINESS_SINCE else b"",
        _encode_known(message) if version >= _KEYS_SINCE else b"",
        _COUNTS.pack(message.state_digest, message.group_total, len(beat.groups), len(beat.link_ages_ms)),
        struct.pack(f">{len(beat.link_ages_ms)}H", *map(_age_units, beat.link_ages_ms)),
    ]
    return b"".join(parts) + b"".join(encode_group(group, version) for group in beat.groups)


def _bits_of(knows: int) -> int:
    """The bits of the flags that tell which versions a sender knows."""
    return sum(bit for bit, known in _KNOWS.items() if knows >= known)


def _known_by(flags: int, version: int) -> int:
    """What the flags of a message of some version tell: the highest version that its sender knows."""
    return max((version, *(known for bit, known in _KNOWS.items() if flags & bit)))


def _encode_known(message: Message) -> bytes:
    return _KNOWN.pack(message.knows, len(message.held)) + b"".join(message.held)


def _decode_known(body: bytes, position: int) -> tuple[int, tuple[bytes, ...], int]:
    """The highest version that the sender knows, the tags of its keys, and where what follows begins."""
    knows, count = _KNOWN.unpack_from(body, position)
    begin = position + _KNOWN.size
    end = begin + KEY_TAG_SIZE * count
    places = range(begin, end, KEY_TAG_SIZE)
    return knows, tuple(body[place : place + KEY_TAG_SIZE] for place in places), end


def _hosts_bits(count: int | None) -> int:
    return 0 if count is None else _HOSTS_UNIT * (min(count, HOSTS_MAX) + 1)


def _encode_readiness(readiness: Readiness | None) -> bytes:
    if readiness is None:
        return _READINESS.pack(0, 0)
    return _READINESS.pack(_ABILITIES.index(readiness.ability), _age_units(readiness.takeover_ms))


def _decode_readiness(body: bytes, position: int) -> Readiness | None:
    place, units = _READINESS.unpack_from(body, position)
    ability = _ABILITIES[place]
    return None if ability is None else Readiness(ability, units * _AGE_UNIT_MS)


def _age_units(age_ms: int) -> int:
    # Rounded up, so that a link never looks fresher than it is.
    return min(-(-age_ms // _AGE_UNIT_MS), NEVER_MS // _AGE_UNIT_MS)


def _decode_body(body: bytes, names: Mapping[bytes, str], version: int) -> Message:
    position = 0
    sender, boot_id, incarnation, sequence = _SENDER.unpack_from(body, position)
    position += _SENDER.size
    nonce, echo_nonce, echo_sequence = _ECHO.unpack_from(body, position)
    position += _ECHO.size
    config_tag, flags, back_within_ms, pause_number = _FACTS.unpack_from(body, position)
    position += _FACTS.size
    readiness, knows = None, _known_by(flags, version)
    held: tuple[bytes, ...] = ()
    if version >= _READINESS_SINCE:
        readiness = _decode_readiness(body, position)
        position += _READINESS.size
    if version >= _KEYS_SINCE:
        knows, held, position = _decode_known(body, position)
    digest, group_total, group_count, link_count = _COUNTS.unpack_from(body, position)
    position += _COUNTS.size
    ages = struct.unpack_from(f">{link_count}H", body, position)
    position += 2 * link_count
    groups = []
    for _ in range(group_count):
        group, position = decode_group(body, position, names)
        groups.append(group)
    if position != len(body):
        raise CodecError(f"cannot read this beat: {len(body) - position} bytes are left over")
    if len({group.name for group in groups}) != len(groups) or len(groups) > group_total:
        raise CodecError("cannot read this beat: its groups do not add up")
    beat = Beat(
        sender=name_of(sender, names),
        boot_id=boot_id.hex(),
        incarnation=incarnation,
        sequence=sequence,
        echo_sequence=echo_sequence,
        config_tag=config_tag,
        flags=BeatFlag(flags & ~sum(_KNOWS) & ~_HOSTS),
        link_ages_ms=tuple(age * _AGE_UNIT_MS for age in ages),
        groups=tuple(groups),
        back_within_ms=back_within_ms,
        pause_number=pause_number,
        hosts=(flags & _HOSTS) // _HOSTS_UNIT - 1 if flags & _HOSTS else None,
        readiness=readiness,
    )
    return Message(nonce, echo_nonce, beat, group_total, digest, knows, held)
