"""Frames on a line that garbles, cuts and inserts."""

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from aoeha.wire.codec import SERIAL_LIMIT
from aoeha.wire.framing import FRAME_SIZE_MAX, Deframer, frame

payloads = st.binary(min_size=1, max_size=SERIAL_LIMIT) | st.integers(1, SERIAL_LIMIT).map(bytes)
noise = st.binary(max_size=600)


def fed(stream: bytes, cuts: list[int]) -> list[bytes]:
    deframer = Deframer()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [payload for start, end in itertools.pairwise(edges) for payload in deframer.feed(stream[start:end])]


@given(st.lists(payloads, max_size=8), st.lists(st.integers(0, 10_000), max_size=20))
@example([b"\1" * 250], [])
@example([b"\1" * 245 + b"\0" * 5], [])
def test_frames_arrive_however_the_stream_is_cut(sent: list[bytes], cuts: list[int]) -> None:
    assert fed(b"".join(map(frame, sent)), cuts) == sent


@given(st.lists(st.tuples(noise, payloads), max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_no_garbage_between_frames_loses_one(sent: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(garbage + frame(payload) for garbage, payload in sent)
    assert fed(stream, cuts) == [payload for _, payload in sent]


@given(payloads, payloads, st.integers(0, FRAME_SIZE_MAX))
def test_a_frame_cut_short_costs_no_other(cut: bytes, whole: bytes, at: int) -> None:
    half = frame(cut)[: min(at, len(frame(cut)) - 2)]
    assert fed(half + frame(whole), []) == [whole]


@given(payloads, st.data())
def test_a_changed_byte_never_yields_another_payload(payload: bytes, data: st.DataObject) -> None:
    stream = bytearray(frame(payload))
    position = data.draw(st.integers(0, len(stream) - 1))
    stream[position] ^= data.draw(st.integers(1, 255))
    assert fed(bytes(stream) + frame(b"next"), []) in ([b"next"], [payload, b"next"])


@given(st.lists(noise, max_size=20))
def test_noise_is_bounded_in_memory_and_never_raises(pieces: list[bytes]) -> None:
    deframer = Deframer()
    for piece in pieces:
        deframer.feed(piece.replace(b"\0", b"\1"))
        assert len(deframer._pending) <= FRAME_SIZE_MAX


def test_garbage_is_counted_once_a_stretch() -> None:
    deframer = Deframer()
    assert deframer.feed(b"login: \0" + b"x" * 5_000 + b"\0\0\0" + frame(b"beat")) == [b"beat"]
    assert deframer.dropped == 2


def test_the_longest_frame_is_as_long_as_promised() -> None:
    assert max(len(frame(bytes([fill]) * SERIAL_LIMIT)) for fill in range(256)) <= FRAME_SIZE_MAX
