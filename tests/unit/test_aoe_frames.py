"""The AoE codec: frames that real targets sent, round trips, and garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoeha.fabric.aoe.frames import (
    BROADCAST,
    Ata,
    Body,
    Config,
    ConfigCommand,
    Frame,
    FrameError,
    Mask,
    MaskEntry,
    Opaque,
    Reserve,
    ReserveCommand,
    Target,
    decode,
    encode,
)

GATEWAY = bytes.fromhex("020000000001")
SHELF = bytes.fromhex("020000000002")
ETHERNET_TO_GATEWAY = GATEWAY + SHELF + b"\x88\xa2"

macs = st.binary(min_size=6, max_size=6)
octets = st.integers(0, 0xFF)
words = st.integers(0, 0xFFFF)
bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(Ata, octets, octets, octets, octets, st.integers(0, 2**48 - 1), st.binary(max_size=1600)),
    st.builds(Config, st.integers(0, 15), st.binary(max_size=1024), words, words, octets, st.integers(0, 15)),
    st.builds(Reserve, octets, st.lists(macs, max_size=255).map(tuple)),
    st.builds(Opaque, st.integers(4, 255), st.binary(max_size=200)),
)
frames = st.builds(
    Frame,
    destination=macs,
    source=macs,
    target=st.builds(Target, words, octets),
    tag=st.integers(0, 2**32 - 1),
    body=bodies,
    response=st.booleans(),
    error=st.none() | octets,
)


def heard(text: str) -> Frame:
    """Decode a frame of which `text` is everything from offset 14 on."""
    return decode(ETHERNET_TO_GATEWAY + bytes.fromhex(text))


@given(frames)
def test_what_is_written_reads_back_the_same(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_read_as_a_frame_that_can_be_written(data: bytes) -> None:
    for candidate in (data, ETHERNET_TO_GATEWAY + data):
        try:
            frame = decode(candidate)
        except FrameError:
            continue
        assert decode(encode(frame)) == frame


@given(st.sampled_from([0x10, 0x18, 0x1C]), octets, st.integers(0, 4), st.binary(max_size=80), st.integers(0, 120))
def test_truncated_and_mangled_bodies_raise_frame_error_and_nothing_else(
    flags: int, code: int, command: int, body: bytes, cut: int
) -> None:
    raw = ETHERNET_TO_GATEWAY + bytes([flags, code, 0, 1, 0, command]) + b"\x80\x00\x00\x01" + body
    try:
        frame = decode(raw[:cut])
    except FrameError:
        return
    assert frame.error == (code if flags & 4 else None)


@given(frames, st.binary(max_size=40))
def test_padding_changes_nothing_but_ata_data_and_opaque_payloads(frame: Frame, padding: bytes) -> None:
    read = decode(encode(frame) + padding)
    match frame.body:
        case Ata():
            assert isinstance(read.body, Ata)
            assert read.body.data == frame.body.data + padding
        case Opaque():
            assert read.body == Opaque(frame.body.command, frame.body.payload + padding)
        case _:
            assert read == frame


def test_discover_request_is_written_as_the_specification_says() -> None:
    frame = Frame(BROADCAST, GATEWAY, Target(0xFFFF, 0xFF), 0x80000007, Config(ConfigCommand.READ))
    expected = "ffffffffffff 020000000001 88a2 10 00 ffff ff 01 80000007 0000 0000 00 00 0000"
    assert encode(frame) == bytes.fromhex(expected)


def test_answer_of_vblade_to_discover_is_read() -> None:
    frame = heard("18 00 0001 00 01 80000007 0010 4019 02 10 0000")
    assert frame.response
    assert frame.error is None
    assert (frame.source, frame.target, frame.tag) == (SHELF, Target(1, 0), 0x80000007)
    assert frame.body == Config(0, b"", buffers=16, firmware=0x4019, sectors=2, version=1)


def test_start_up_advert_with_version_nibble_0_is_accepted() -> None:
    frame = heard("08 00 0001 00 01 00000000 0000 0000 00 10 0003 616263")
    assert (frame.version, frame.tag) == (0, 0)
    assert frame.body == Config(0, b"abc", version=1)


@pytest.mark.parametrize("start", ["00 00 0001 00 01", "08 00 0001 00 00", "28 00 0001 00 01", "f8 00 0001 00 01"])
def test_other_versions_are_refused(start: str) -> None:
    with pytest.raises(FrameError, match="version"):
        heard(start + "00000000" + "00" * 40)


def test_refused_set_carries_the_string_that_is_there() -> None:
    frame = heard("1c 04 0001 00 01 80000001 0010 4019 02 13 0008" + b"owner=g2".hex())
    assert frame.error == 4
    assert frame.body == Config(ConfigCommand.SET_IF_EMPTY, b"owner=g2", 16, 0x4019, 2, 1)


def test_refused_reservation_carries_the_list_that_is_there() -> None:
    frame = heard("1c 06 0001 00 03 80000001 01 01" + SHELF.hex())
    assert frame.error == 6
    assert frame.body == Reserve(ReserveCommand.SET, (SHELF,))


def test_error_frame_with_a_broken_body_is_still_an_error_frame() -> None:
    frame = heard("1c 02 0001 00 03 80000001 01 ff 0000")
    assert frame.error == 2
    assert frame.body == Opaque(3, bytes.fromhex("01ff0000"))


def test_error_frame_of_an_unknown_command_is_read() -> None:
    frame = heard("1c 01 0001 00 f0 80000001" + "00" * 46)
    assert frame.error == 1
    assert frame.body == Opaque(0xF0, bytes(46))


def test_reply_shorter_than_sixty_bytes_is_read() -> None:
    frame = heard("18 00 0001 00 03 80000001 00 00")
    assert frame.body == Reserve(ReserveCommand.READ, ())


@pytest.mark.parametrize(
    "body",
    [
        "03 80000001 00 01",
        "01 80000001 0010 4019 02 10 0009" + b"owner=g2".hex(),
        "01 80000001 0010 4019 02 10 0401" + "00" * 1025,
    ],
)
def test_lengths_that_lie_are_refused(body: str) -> None:
    with pytest.raises(FrameError, match="cannot read"):
        heard("18 00 0001 00 " + body)


def test_reservation_announcing_more_owners_than_it_holds_is_refused() -> None:
    with pytest.raises(FrameError, match="12 bytes are announced"):
        heard("18 00 0001 00 03 80000001 00 02" + SHELF.hex())


def test_lba_is_little_endian() -> None:
    read = encode(Frame(SHELF, GATEWAY, Target(1, 0), 1, Ata(0x40, 0, 2, 0x24, 0x0102030405)))
    assert read[24:] == bytes.fromhex("40 00 02 24 050403020100 0000")


def test_mask_is_read_and_never_written() -> None:
    frame = heard("18 00 0001 00 02 80000001 00 00 00 01 00 01" + GATEWAY.hex())
    assert frame.body == Mask(0, 0, (MaskEntry(1, GATEWAY),))
    with pytest.raises(FrameError, match="never sends"):
        encode(frame)


@pytest.mark.parametrize(
    "body",
    [
        Config(0, bytes(1025)),
        Config(16),
        Config(0, buffers=65536),
        Ata(0, 0, 0, 0, 2**48),
        Ata(0, 0, 0, 0, -1),
        Ata(256, 0, 0, 0, 0),
        Reserve(0, (b"short",)),
        Reserve(0, (SHELF,) * 256),
    ],
)
def test_fields_that_do_not_fit_are_refused_with_a_sentence(body: Body) -> None:
    with pytest.raises(FrameError, match="cannot write"):
        encode(Frame(SHELF, GATEWAY, Target(1, 0), 1, body))


def test_target_is_printed_and_read_as_people_write_it() -> None:
    assert str(Target(1, 0)) == "e1.0"
    assert Target.parse("e65534.254") == Target(65534, 254)


@given(st.text(max_size=12) | st.from_regex(r"e[0-9]{1,7}\.[0-9]{1,5}", fullmatch=True))
def test_target_text_is_read_or_refused_with_frame_error(text: str) -> None:
    try:
        target = Target.parse(text)
    except FrameError:
        return
    assert 0 <= target.shelf < 0xFFFF
    assert 0 <= target.slot < 0xFF
