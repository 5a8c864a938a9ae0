"""Identify data: sizes in both address widths, texts with swapped bytes, errors of the disk."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoeha.fabric.aoe.frames import Ata, FrameError
from aoeha.fabric.aoe.identity import DiskIdentity, parse_identity


def swapped(text: str, words: int) -> tuple[int, ...]:
    return struct.unpack(f">{words}H", text.ljust(words * 2).encode())


def answer(*, sectors_28: int, sectors_48: int, word_83: int, status: int = 0x40) -> Ata:
    words = [0] * 256
    words[10:20] = swapped("SN-4711", 10)
    words[23:27] = swapped("v25", 4)
    words[27:47] = swapped("Coraid EtherDrive vblade", 20)
    words[60:62] = [sectors_28 & 0xFFFF, sectors_28 >> 16]
    words[83] = word_83
    words[100:104] = [sectors_48 >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
    return Ata(0, 0, 1, status, 0, struct.pack("<256H", *words))


def test_size_comes_from_the_48_bit_words_when_the_disk_has_them() -> None:
    disk = parse_identity(answer(sectors_28=0x0FFFFFFF, sectors_48=8_589_934_592, word_83=0x5400))
    assert disk == DiskIdentity(8_589_934_592, "Coraid EtherDrive vblade", "v25", "SN-4711")
    assert disk.size_bytes == 4_398_046_511_104


def test_size_comes_from_the_28_bit_words_otherwise() -> None:
    disk = parse_identity(answer(sectors_28=204_801, sectors_48=99, word_83=0x4000))
    assert disk.sectors == 204_801


def test_padding_after_the_sector_is_ignored() -> None:
    whole = answer(sectors_28=7, sectors_48=7, word_83=0)
    assert parse_identity(Ata(0, 0, 1, 0x40, 0, whole.data + bytes(30))).sectors == 7


def test_error_status_is_an_error() -> None:
    with pytest.raises(FrameError, match="status 0x41"):
        parse_identity(answer(sectors_28=7, sectors_48=7, word_83=0, status=0x41))


@given(st.binary(max_size=600))
def test_garbage_raises_frame_error_and_nothing_else(data: bytes) -> None:
    try:
        disk = parse_identity(Ata(0, 0, 1, 0x40, 0, data))
    except FrameError:
        assert len(data) < 512
        return
    assert disk.sectors >= 0
    assert all(letter.isprintable() for letter in disk.model + disk.serial + disk.firmware)
