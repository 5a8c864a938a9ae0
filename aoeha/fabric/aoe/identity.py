"""The disk of a target, from its answer to ATA IDENTIFY DEVICE (command 0xEC)."""

import struct
from dataclasses import dataclass

from aoeha.fabric.aoe.frames import Ata, FrameError

__all__ = ["IDENTIFY", "SECTOR_BYTES", "DiskIdentity", "parse_identity"]

SECTOR_BYTES = 512
IDENTIFY = Ata(flags=0, feature=0, sectors=1, command=0xEC, lba=0)
"""The request: one sector of answer."""

_STATUS_BAD = 0xA9
_LBA48 = 1 << 10


@dataclass(frozen=True, slots=True)
class DiskIdentity:
    """A disk: its size in sectors of 512 bytes, and its model, serial and firmware names."""

    sectors: int
    model: str
    firmware: str
    serial: str

    @property
    def size_bytes(self) -> int:
        """The size in bytes."""
        return self.sectors * SECTOR_BYTES


def parse_identity(answer: Ata) -> DiskIdentity:
    """Read the answer to IDENTIFY. FrameError when the disk reports an error or the data are too short.

    Word numbers are those of the ATA/ATAPI command set: 10-19 serial, 23-26 firmware, 27-46 model, 60-61 sectors
    with 28-bit addresses, 83 and 86 bit 10 for 48-bit addresses, whose sectors are in 100-103. Numbers are
    little-endian, texts have the two bytes of each word swapped.
    """
    if answer.command & _STATUS_BAD:
        raise FrameError(f"cannot identify: status {answer.command:#04x}, error {answer.feature:#04x} from the disk")
    if len(answer.data) < SECTOR_BYTES:
        raise FrameError(f"cannot identify: {len(answer.data)} bytes came instead of {SECTOR_BYTES}")
    words = struct.unpack_from("<256H", answer.data)
    long_addresses = (words[83] | words[86]) & _LBA48
    first, last = (100, 104) if long_addresses else (60, 62)
    sectors = sum(word << 16 * place for place, word in enumerate(words[first:last]))
    return DiskIdentity(sectors, _text(words[27:47]), _text(words[23:27]), _text(words[10:20]))


def _text(words: tuple[int, ...]) -> str:
    raw = struct.pack(f">{len(words)}H", *words).decode("ascii", errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in raw).strip()
