"""AoE frames as values: bytes in, dataclasses out, and back. Pure; knows no socket.

Layouts are those of the AoE specification, revision 11 (everything big-endian but the LBA), as spoken by vblade and
ggaoed. Deviations of real targets are accepted: replies may be shorter than Ethernet's 60 bytes on virtual links,
or padded to them; start-up adverts carry version 0; an error frame keeps any body that the target sent.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "ANY_SHELF",
    "ANY_SLOT",
    "BROADCAST",
    "ETHER_TYPE",
    "Ata",
    "Body",
    "Config",
    "ConfigCommand",
    "Frame",
    "FrameError",
    "Mask",
    "MaskEntry",
    "Opaque",
    "Reserve",
    "ReserveCommand",
    "Target",
    "decode",
    "encode",
    "format_mac",
]

ETHER_TYPE = 0x88A2
BROADCAST = b"\xff" * 6
ANY_SHELF = 0xFFFF
ANY_SLOT = 0xFF
STRING_MAX = 1024
VERSION = 1

_HEADER = struct.Struct(">6s6sHBBHBBI")
_CONFIG = struct.Struct(">HHBBH")
_ATA = struct.Struct(">BBBB6s2x")
_MASK = struct.Struct(">xBBB")
_RESERVE = struct.Struct(">BB")
_RESPONSE = 0x8
_ERROR = 0x4

_ATA_COMMAND, _CONFIG_COMMAND, _MASK_COMMAND, _RESERVE_COMMAND = range(4)


class FrameError(Exception):
    """These bytes are not an AoE frame, or this frame cannot be written as bytes. The message is a sentence."""


class ConfigCommand(IntEnum):
    """What a config query does with the target's config string."""

    READ = 0
    TEST = 1
    TEST_PREFIX = 2
    SET_IF_EMPTY = 3
    FORCE_SET = 4


class ReserveCommand(IntEnum):
    """What a reserve/release does with the target's list of owners. An empty list releases."""

    READ = 0
    SET = 1
    FORCE_SET = 2


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """An AoE address: `shelf` 0-65535 (65535: all), `slot` 0-255 (255: all). Printed as e1.0."""

    shelf: int
    slot: int

    def __str__(self) -> str:
        return f"e{self.shelf}.{self.slot}"

    @staticmethod
    def parse(text: str) -> "Target":
        """Read "e1.0". FrameError for anything else."""
        shelf, dot, slot = text.removeprefix("e").partition(".")
        digits = dot and text.startswith("e") and all(part.isascii() and part.isdigit() for part in (shelf, slot))
        if not digits or len(shelf) > 5 or len(slot) > 3 or int(shelf) >= ANY_SHELF or int(slot) >= ANY_SLOT:
            raise FrameError(f'cannot read "{text}" as an AoE target: expected one like "e1.0"')
        return Target(int(shelf), int(slot))


@dataclass(frozen=True, slots=True)
class Ata:
    """Command 0: an ATA command or its answer. In answers `feature` is the error and `command` the status register.

    `lba` counts sectors of 512 bytes. `data` of a received frame may end in Ethernet padding.
    """

    flags: int
    feature: int
    sectors: int
    command: int
    lba: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Config:
    """Command 1: the config query. `buffers` frames may be outstanding; a frame carries `sectors` x 512 bytes at most.

    `command` is a ConfigCommand in any frame that a well-behaved party sends.
    """

    command: int
    string: bytes = b""
    buffers: int = 0
    firmware: int = 0
    sectors: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class MaskEntry:
    """One line of a MAC mask: `directive` 0 nothing, 1 add, 2 delete."""

    directive: int
    address: bytes


@dataclass(frozen=True, slots=True)
class Mask:
    """Command 2: the MAC mask list. Read, never written: editing it aborts the most common target (vblade 25)."""

    command: int
    error: int
    entries: tuple[MaskEntry, ...]


@dataclass(frozen=True, slots=True)
class Reserve:
    """Command 3: reserve/release. `owners` are the MAC addresses that may read and write; none: every host may.

    `command` is a ReserveCommand in any frame that a well-behaved party sends.
    """

    command: int
    owners: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Opaque:
    """The body of a command that we don't know, or of an error frame that does not follow its command's layout."""

    command: int
    payload: bytes


Body = Ata | Config | Mask | Reserve | Opaque


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, Ethernet header included. `error` is None, or the target's code (1-255) in a frame with the E flag."""

    destination: bytes
    source: bytes
    target: Target
    tag: int
    body: Body
    response: bool = False
    error: int | None = None
    version: int = VERSION


def format_mac(address: bytes) -> str:
    """Six bytes as 02:00:00:00:00:0a."""
    return address.hex(":")


def encode(frame: Frame) -> bytes:
    """Write a frame without padding, which the network card adds. FrameError when a field is out of range."""
    flags = (_RESPONSE if frame.response else 0) | (_ERROR if frame.error is not None else 0)
    if len(frame.destination) != 6 or len(frame.source) != 6:
        raise FrameError("cannot write an AoE frame: a MAC address has six bytes")
    try:
        command, body = _encode_body(frame.body)
        header = _HEADER.pack(
            frame.destination,
            frame.source,
            ETHER_TYPE,
            frame.version << 4 | flags,
            frame.error or 0,
            frame.target.shelf,
            frame.target.slot,
            command,
            frame.tag,
        )
    except (struct.error, OverflowError) as fault:
        raise FrameError(f"cannot write an AoE frame: {fault}") from fault
    return header + body


def _encode_body(body: Body) -> tuple[int, bytes]:
    match body:
        case Ata():
            lba = body.lba.to_bytes(6, "little")
            return _ATA_COMMAND, _ATA.pack(body.flags, body.feature, body.sectors, body.command, lba) + body.data
        case Config():
            if len(body.string) > STRING_MAX:
                raise FrameError(f"cannot write a config string of {len(body.string)} bytes: {STRING_MAX} is the most")
            if not 0 <= body.version <= 0xF or not 0 <= body.command <= 0xF:
                raise FrameError("cannot write a config query: version and command have four bits each")
            version = body.version << 4 | body.command
            fixed = _CONFIG.pack(body.buffers, body.firmware, body.sectors, version, len(body.string))
            return _CONFIG_COMMAND, fixed + body.string
        case Reserve():
            if any(len(owner) != 6 for owner in body.owners):
                raise FrameError("cannot write a reservation: a MAC address has six bytes")
            return _RESERVE_COMMAND, _RESERVE.pack(body.command, len(body.owners)) + b"".join(body.owners)
        case Mask():
            raise FrameError("cannot write a MAC mask: vblade aborts on edits, so this program never sends one")
        case Opaque():
            return body.command, body.payload


def decode(data: bytes) -> Frame:
    """Read one received frame. FrameError for anything but a well-formed AoE frame, and no other exception."""
    if len(data) < _HEADER.size:
        raise FrameError(f"cannot read an AoE frame of {len(data)} bytes: the header alone has {_HEADER.size}")
    destination, source, ether_type, version_flags, code, shelf, slot, command, tag = _HEADER.unpack_from(data)
    if ether_type != ETHER_TYPE:
        raise FrameError(f"cannot read an AoE frame: its EtherType is {ether_type:#06x}")
    version = version_flags >> 4
    response = bool(version_flags & _RESPONSE)
    if version != VERSION and not (version == 0 and response and command == _CONFIG_COMMAND):
        raise FrameError(f"cannot read an AoE frame of version {version}: only version {VERSION} is known")
    error = code if version_flags & _ERROR else None
    payload = data[_HEADER.size :]
    body: Body
    try:
        body = _decode_body(command, payload)
    except FrameError:
        if error is None:
            raise
        body = Opaque(command, payload)
    return Frame(destination, source, Target(shelf, slot), tag, body, response, error, version)


def _decode_body(command: int, payload: bytes) -> Body:
    match command:
        case 0:
            flags, feature, sectors, register, lba = _ATA.unpack(_first(payload, _ATA.size))
            return Ata(flags, feature, sectors, register, int.from_bytes(lba, "little"), payload[_ATA.size :])
        case 1:
            buffers, firmware, sectors, version, length = _CONFIG.unpack(_first(payload, _CONFIG.size))
            if length > STRING_MAX:
                raise FrameError(f"cannot read a config string of {length} bytes: {STRING_MAX} is the most")
            string = _first(payload[_CONFIG.size :], length)
            return Config(version & 0xF, string, buffers, firmware, sectors, version >> 4)
        case 2:
            directive, error, count = _MASK.unpack(_first(payload, _MASK.size))
            raw = _first(payload[_MASK.size :], count * 8)
            entries = (MaskEntry(raw[at + 1], raw[at + 2 : at + 8]) for at in range(0, len(raw), 8))
            return Mask(directive, error, tuple(entries))
        case 3:
            directive, count = _RESERVE.unpack(_first(payload, _RESERVE.size))
            raw = _first(payload[_RESERVE.size :], count * 6)
            return Reserve(directive, tuple(raw[at : at + 6] for at in range(0, len(raw), 6)))
        case _:
            return Opaque(command, payload)


def _first(payload: bytes, size: int) -> bytes:
    if len(payload) < size:
        raise FrameError(f"cannot read an AoE frame: {size} bytes are announced and {len(payload)} are there")
    return payload[:size]
