"""One beat as one message: its layout and its authentication. Whether to accept it is decided elsewhere.

There are two versions. Receivers read both; a sender speaks the lower one until the peer has said that it knows more
(bit 15 of the flags, in any version, for version 3). A reader of version 2 ignores that bit, so that two gateways of
different versions understand each other while one of them is being upgraded. Every version, later ones too, has the
first three lines of this table and the last one: who sent a message and whether it answers can always be told. Bits 8
to 11 of the flags tell how many reference hosts answer the sender, plus one; 0 where it does not know, as every program
before them says.

A message, all numbers big-endian:

| bytes | what |
|---|---|
| 1, 1, 4 | version, key id, cluster tag |
| 4, 16, 8, 8 | sender's tag, boot id, incarnation, sequence |
| 8, 8, 8 | sender's nonce, the receiver's nonce echoed, echoed sequence |
| 4, 2, 2, 4 | config tag, flags, back within (ms), pause number |
| 1, 2 | since version 3: by what the sender could prove a dead receiver dead, takeover in units of 10 ms |
| 8, 1, 1, 1 | state digest, groups that the sender has, groups in this message, links |
| 2 each | link ages in units of 10 ms, 0xFFFF for never |
| 14 to 81 each | groups: tag, bits, epoch, floor; claim, grant, ledger, acknowledged version, generation, doubts |
| 16 | HMAC-SHA256 over all bytes before it, truncated |

Names travel as tags (four bytes of their SHA-256) and come back as names through the reader's own configuration; a
name that it does not know reads as `#` and the tag in hex. The state digest covers all groups that the sender has,
also those that this message has no room for: it is what makes slices of one state recognisable (see receiver.py).
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
    Grant,
    GroupBeat,
    GroupPhase,
    Ledger,
    Readiness,
)
from aoeha.core.model.replacing import replaced

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

VERSION = 3
"""The highest version that this program speaks."""
OLDEST_VERSION = 2
SERIAL_LIMIT = 250
UDP_LIMIT = 1_400
NONCE_SIZE = 8
NO_NONCE = bytes(NONCE_SIZE)

_ENVELOPE = struct.Struct(">BB4s")
_SENDER = struct.Struct(">4s16sQQ")
_ECHO = struct.Struct(">8s8sQ")
_FACTS = struct.Struct(">IHHI")
_READINESS = struct.Struct(">BH")
_COUNTS = struct.Struct(">8sBBB")
_GROUP = struct.Struct(">4sHII")
_CLAIM = struct.Struct(">II")
_GRANT = struct.Struct(">I16sQI")
_LEDGER = struct.Struct(">QBB")
_ACKNOWLEDGED = struct.Struct(">Q")
_GENERATION = struct.Struct(">I")
_DOUBTED = struct.Struct(">B")
_MAC_SIZE = 16
_BODY_SIZE = _SENDER.size + _ECHO.size + _FACTS.size + _COUNTS.size
_AGE_UNIT_MS = 10

_PHASES = (
    GroupPhase.UNKNOWN,
    GroupPhase.STOPPED,
    GroupPhase.STARTING,
    GroupPhase.RUNNING,
    GroupPhase.STOPPING,
    GroupPhase.BLOCKED,
)
_PHASE_BITS, _HOLDING, _YIELDING, _WILLING, _CLAIMING, _GRANTING = 0x07, 0x08, 0x10, 0x20, 0x40, 0x80
_KEEPING, _ACKNOWLEDGING, _MARKED, _DOUBTING = 0x100, 0x200, 0x400, 0x800
_PLACES = 8
_KNOWS_3 = 0x8000
_HOSTS, _HOSTS_UNIT = 0x0F00, 0x0100
_ABILITIES = (None, Ability.NONE, Ability.STORAGE, Ability.POWER)


class CodecError(Exception):
    """These bytes are not a beat, or this beat does not fit the format. The message says why."""


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
    that the sender says it knows.
    """

    nonce: bytes
    echo_nonce: bytes
    beat: Beat
    group_total: int
    state_digest: bytes
    knows: int = VERSION


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


def state_digest(groups: Iterable[GroupBeat]) -> bytes:
    """Return eight bytes that are the same exactly when all these groups are, in whatever order."""
    return sha256(b"".join(sorted(map(_encode_group, groups)))).digest()[:8]


def encoded_size(links: int, groups: Iterable[GroupBeat], version: int = OLDEST_VERSION) -> int:
    """Return the bytes of a message of that version with so many links and these groups in it."""
    more = _READINESS.size if version >= VERSION else 0
    sizes = sum(_group_size(group, version) for group in groups)
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
    beat, told = message.beat, message.beat.readiness if version >= VERSION else None
    read = replaced(
        beat,
        link_ages_ms=tuple(_age_units(age_ms) * _AGE_UNIT_MS for age_ms in beat.link_ages_ms),
        back_within_ms=min(beat.back_within_ms, 0xFFFF),
        hosts=beat.hosts if beat.hosts is None else min(beat.hosts, HOSTS_MAX),
        readiness=told and Readiness(told.ability, _age_units(told.takeover_ms) * _AGE_UNIT_MS),
        groups=beat.groups
        if version >= VERSION
        else tuple(replaced(one, generation=0, doubted=()) for one in beat.groups),
    )
    knows = VERSION if message.knows >= VERSION else version
    return Message(message.nonce, message.echo_nonce, read, message.group_total, message.state_digest, knows)


def _mac(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")[:_MAC_SIZE]


def _encode_body(message: Message, version: int) -> bytes:
    beat = message.beat
    flags = int(beat.flags) | _hosts_bits(beat.hosts) | (_KNOWS_3 if message.knows >= VERSION else 0)
    back_within_ms = min(beat.back_within_ms, 0xFFFF)
    parts = [
        _SENDER.pack(name_tag(beat.sender), _boot_bytes(beat.boot_id), beat.incarnation, beat.sequence),
        _ECHO.pack(message.nonce, message.echo_nonce, beat.echo_sequence),
        _FACTS.pack(beat.config_tag, flags, back_within_ms, beat.pause_number),
        _encode_readiness(beat.readiness) if version >= VERSION else b"",
        _COUNTS.pack(message.state_digest, message.group_total, len(beat.groups), len(beat.link_ages_ms)),
        struct.pack(f">{len(beat.link_ages_ms)}H", *map(_age_units, beat.link_ages_ms)),
    ]
    return b"".join(parts) + b"".join(_encode_group(group, version) for group in beat.groups)


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


def _boot_bytes(boot_id: str) -> bytes:
    # Checked, because struct would pad or cut it silently into another boot's id.
    raw = bytes.fromhex(boot_id)
    if len(raw) != 16:
        raise ValueError(f"boot id of {len(raw)} bytes")
    return raw


def _age_units(age_ms: int) -> int:
    # Rounded up, so that a link never looks fresher than it is.
    return min(-(-age_ms // _AGE_UNIT_MS), NEVER_MS // _AGE_UNIT_MS)


def _encode_group(group: GroupBeat, version: int = VERSION) -> bytes:
    is_claiming = bool(group.claim or group.claim_epoch)
    bits = _PHASES.index(group.phase)
    bits |= _HOLDING * group.holding | _YIELDING * group.yielding | _WILLING * group.willing
    bits |= _CLAIMING * is_claiming | _GRANTING * (group.grant is not None)
    bits |= _KEEPING * (group.ledger is not None) | _ACKNOWLEDGING * bool(group.acknowledged)
    bits |= _MARKED * _is_marked(group, version) | _DOUBTING * _is_doubtful(group, version)
    encoded = _GROUP.pack(name_tag(group.name), bits, group.epoch, group.claim_floor)
    if is_claiming:
        encoded += _CLAIM.pack(group.claim, group.claim_epoch)
    if group.grant is not None:
        grant = group.grant
        encoded += _GRANT.pack(grant.epoch, _boot_bytes(grant.boot_id), grant.incarnation, grant.claim)
    if group.ledger is not None:
        encoded += _LEDGER.pack(group.ledger.version, _as_bits(group.ledger.fence), _as_bits(group.ledger.start))
    if group.acknowledged:
        encoded += _ACKNOWLEDGED.pack(group.acknowledged)
    if _is_marked(group, version):
        encoded += _GENERATION.pack(group.generation)
    if _is_doubtful(group, version):
        encoded += _DOUBTED.pack(_as_bits(group.doubted))
    return encoded


def _is_marked(group: GroupBeat, version: int) -> bool:
    """Whether a generation is told; version 2 has no room for it."""
    return bool(group.generation) and version >= VERSION


def _is_doubtful(group: GroupBeat, version: int) -> bool:
    """Whether legs are told that may lack acknowledged writes; version 2 has no room for them either."""
    return bool(group.doubted) and version >= VERSION


def _as_bits(places: tuple[int, ...]) -> int:
    return sum(1 << place for place in places)


def _as_places(bits: int) -> tuple[int, ...]:
    return tuple(place for place in range(_PLACES) if bits >> place & 1)


def _group_size(group: GroupBeat, version: int) -> int:
    claim = _CLAIM.size if group.claim or group.claim_epoch else 0
    ledger = _LEDGER.size if group.ledger is not None else 0
    acknowledged = _ACKNOWLEDGED.size if group.acknowledged else 0
    grant = _GRANT.size if group.grant is not None else 0
    generation = _GENERATION.size if _is_marked(group, version) else 0
    doubted = _DOUBTED.size if _is_doubtful(group, version) else 0
    return _GROUP.size + claim + grant + ledger + acknowledged + generation + doubted


def _decode_body(body: bytes, names: Mapping[bytes, str], version: int) -> Message:
    position = 0
    sender, boot_id, incarnation, sequence = _SENDER.unpack_from(body, position)
    position += _SENDER.size
    nonce, echo_nonce, echo_sequence = _ECHO.unpack_from(body, position)
    position += _ECHO.size
    config_tag, flags, back_within_ms, pause_number = _FACTS.unpack_from(body, position)
    position += _FACTS.size
    readiness = None
    if version >= VERSION:
        readiness = _decode_readiness(body, position)
        position += _READINESS.size
    digest, group_total, group_count, link_count = _COUNTS.unpack_from(body, position)
    position += _COUNTS.size
    ages = struct.unpack_from(f">{link_count}H", body, position)
    position += 2 * link_count
    groups = []
    for _ in range(group_count):
        group, position = _decode_group(body, position, names)
        groups.append(group)
    if position != len(body):
        raise CodecError(f"cannot read this beat: {len(body) - position} bytes are left over")
    if len({group.name for group in groups}) != len(groups) or len(groups) > group_total:
        raise CodecError("cannot read this beat: its groups do not add up")
    beat = Beat(
        sender=_name(sender, names),
        boot_id=boot_id.hex(),
        incarnation=incarnation,
        sequence=sequence,
        echo_sequence=echo_sequence,
        config_tag=config_tag,
        flags=BeatFlag(flags & ~_KNOWS_3 & ~_HOSTS),
        link_ages_ms=tuple(age * _AGE_UNIT_MS for age in ages),
        groups=tuple(groups),
        back_within_ms=back_within_ms,
        pause_number=pause_number,
        hosts=(flags & _HOSTS) // _HOSTS_UNIT - 1 if flags & _HOSTS else None,
        readiness=readiness,
    )
    knows = VERSION if flags & _KNOWS_3 else version
    return Message(nonce, echo_nonce, beat, group_total, digest, knows)


def _decode_group(body: bytes, position: int, names: Mapping[bytes, str]) -> tuple[GroupBeat, int]:
    tag, bits, epoch, floor = _GROUP.unpack_from(body, position)
    position += _GROUP.size
    claim = claim_epoch = acknowledged = generation = 0
    grant = ledger = None
    doubted: tuple[int, ...] = ()
    if bits & _CLAIMING:
        claim, claim_epoch = _CLAIM.unpack_from(body, position)
        position += _CLAIM.size
    if bits & _GRANTING:
        grant_epoch, boot_id, incarnation, grant_claim = _GRANT.unpack_from(body, position)
        grant = Grant(grant_epoch, boot_id.hex(), incarnation, grant_claim)
        position += _GRANT.size
    if bits & _KEEPING:
        version, fence, start = _LEDGER.unpack_from(body, position)
        ledger = Ledger(version, _as_places(fence), _as_places(start))
        position += _LEDGER.size
    if bits & _ACKNOWLEDGING:
        (acknowledged,) = _ACKNOWLEDGED.unpack_from(body, position)
        position += _ACKNOWLEDGED.size
    if bits & _MARKED:
        (generation,) = _GENERATION.unpack_from(body, position)
        position += _GENERATION.size
    if bits & _DOUBTING:
        doubted = _as_places(*_DOUBTED.unpack_from(body, position))
        position += _DOUBTED.size
    group = GroupBeat(
        name=_name(tag, names),
        phase=_PHASES[bits & _PHASE_BITS],
        holding=bool(bits & _HOLDING),
        yielding=bool(bits & _YIELDING),
        willing=bool(bits & _WILLING),
        epoch=epoch,
        claim_floor=floor,
        claim=claim,
        claim_epoch=claim_epoch,
        grant=grant,
        ledger=ledger,
        acknowledged=acknowledged,
        generation=generation,
        doubted=doubted,
    )
    return group, position


def _name(tag: bytes, names: Mapping[bytes, str]) -> str:
    return names.get(tag) or "#" + tag.hex()
