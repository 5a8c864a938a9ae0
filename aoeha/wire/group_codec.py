"""One group of a beat as bytes. Which version tells what of it is in the table of codec.py."""

import struct
from collections.abc import Mapping

from aoeha.core.model.beat import Grant, GroupBeat, GroupPhase, Ledger
from aoeha.wire.names import boot_bytes, name_of, name_tag

__all__ = ["GENERATION_SINCE", "decode_group", "encode_group", "group_size"]

GENERATION_SINCE = 3
"""The first version that tells the generation of legs, and which of them may lack acknowledged writes."""

_GROUP = struct.Struct(">4sHII")
_CLAIM = struct.Struct(">II")
_GRANT = struct.Struct(">I16sQI")
_LEDGER = struct.Struct(">QBB")
_ACKNOWLEDGED = struct.Struct(">Q")
_GENERATION = struct.Struct(">I")
_DOUBTED = struct.Struct(">B")

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


def encode_group(group: GroupBeat, version: int) -> bytes:
    """Return what a version tells of a group. Raises struct.error or ValueError when a field does not fit."""
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
        encoded += _GRANT.pack(grant.epoch, boot_bytes(grant.boot_id), grant.incarnation, grant.claim)
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
    return bool(group.generation) and version >= GENERATION_SINCE


def _is_doubtful(group: GroupBeat, version: int) -> bool:
    """Whether legs are told that may lack acknowledged writes; version 2 has no room for them either."""
    return bool(group.doubted) and version >= GENERATION_SINCE


def _as_bits(places: tuple[int, ...]) -> int:
    return sum(1 << place for place in places)


def _as_places(bits: int) -> tuple[int, ...]:
    return tuple(place for place in range(_PLACES) if bits >> place & 1)


def group_size(group: GroupBeat, version: int) -> int:
    """Return the bytes of `encode_group`."""
    claim = _CLAIM.size if group.claim or group.claim_epoch else 0
    ledger = _LEDGER.size if group.ledger is not None else 0
    acknowledged = _ACKNOWLEDGED.size if group.acknowledged else 0
    grant = _GRANT.size if group.grant is not None else 0
    generation = _GENERATION.size if _is_marked(group, version) else 0
    doubted = _DOUBTED.size if _is_doubtful(group, version) else 0
    return _GROUP.size + claim + grant + ledger + acknowledged + generation + doubted


def decode_group(body: bytes, position: int, names: Mapping[bytes, str]) -> tuple[GroupBeat, int]:
    """Return the group that begins at a place, and where the next one does. Raises struct.error or IndexError."""
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
        name=name_of(tag, names),
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
