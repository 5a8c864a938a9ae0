"""Beats and bytes: what comes back is what went in, and nothing else comes in at all."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wire_samples import BOOTS, CLUSTER, KEY, beat, beats, fat_group, group

from aoeha.core.model.beat import NEVER_MS, Ability, Beat, Readiness
from aoeha.wire.codec import (
    NO_NONCE,
    OLDEST_VERSION,
    SERIAL_LIMIT,
    VERSION,
    CodecError,
    Message,
    as_read,
    decode,
    encode,
    encoded_size,
    is_authentic,
    name_tag,
    names_by_tag,
    peek_envelope,
    state_digest,
)

NAMES = names_by_tag(("alpha", "beta", "storage", "archive"))


def message(content: Beat) -> Message:
    return Message(b"ownnonce", b"echonoce", content, len(content.groups), state_digest(content.groups))


def encoded(content: Beat) -> bytes:
    return encode(message(content), CLUSTER, KEY.id, KEY.secret)


def read_or_none(data: bytes) -> Message | None:
    """What these bytes say; no exception but the codec's own is a refusal."""
    try:
        peek_envelope(data)
        return decode(data, NAMES)
    except CodecError:
        return None


@given(beats())
def test_a_beat_comes_back_as_it_was(content: Beat) -> None:
    data = encoded(content)
    assert is_authentic(data, KEY.secret)
    assert decode(data, NAMES) == message(content)
    assert len(data) == encoded_size(len(content.link_ages_ms), content.groups)


@given(
    beats(),
    st.none() | st.builds(Readiness, ability=st.sampled_from(Ability), takeover_ms=st.integers(0, 10**7)),
    st.lists(st.integers(0, 2 * NEVER_MS), max_size=8).map(tuple),
    st.integers(0, 10**6),
    st.sampled_from((OLDEST_VERSION, VERSION)),
)
def test_what_will_be_read_is_known_without_bytes(
    content: Beat, readiness: Readiness | None, ages_ms: tuple[int, ...], back_within_ms: int, version: int
) -> None:
    content = replace(content, readiness=readiness, link_ages_ms=ages_ms, back_within_ms=back_within_ms)
    data = encode(message(content), CLUSTER, KEY.id, KEY.secret, version)
    assert as_read(message(content), version) == decode(data, NAMES)


@given(beats(), st.data())
def test_no_bit_can_be_changed(content: Beat, data: st.DataObject) -> None:
    original = encoded(content)
    bit = data.draw(st.integers(0, 8 * len(original) - 1))
    changed = bytearray(original)
    changed[bit // 8] ^= 1 << bit % 8
    assert not is_authentic(bytes(changed), KEY.secret)


@given(beats(), st.data())
def test_what_is_cut_or_longer_is_refused_even_with_the_right_key(content: Beat, data: st.DataObject) -> None:
    original = encoded(content)
    cut = data.draw(st.integers(0, len(original) - 17))
    for changed in (original[:cut] + original[-16:], original[:-16] + b"\0" + original[-16:]):
        with pytest.raises(CodecError):
            decode(changed, NAMES)


@given(st.binary(max_size=1_500))
@example(bytes(1_500))
@example(b"\xff" * 1_500)
def test_garbage_is_refused_or_read_as_a_beat_that_can_be_written(data: bytes) -> None:
    read = read_or_none(data)
    assert read is None or decode(encode(read, CLUSTER, KEY.id, KEY.secret), NAMES) == read


@given(beats(), st.data())
def test_damaged_content_is_refused_or_read_as_a_beat_that_can_be_written(content: Beat, data: st.DataObject) -> None:
    changed = bytearray(encoded(content))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    read = read_or_none(bytes(changed))
    assert read is None or decode(encode(read, CLUSTER, KEY.id, KEY.secret), NAMES) == read


@pytest.mark.parametrize("names", [("storage",), ("storage", "archive")])
def test_the_longest_beat_of_two_groups_and_eight_links_fits_a_serial_line(names: tuple[str, ...]) -> None:
    longest = replace(
        beat("alpha", BOOTS[0], 2**64 - 1, 2**64 - 1, *map(fat_group, names)), link_ages_ms=(NEVER_MS,) * 8
    )
    assert len(encoded(longest)) <= SERIAL_LIMIT


def test_a_usual_beat_is_small() -> None:
    assert len(encoded(beat("alpha", BOOTS[0], 1, 1))) == 123


@pytest.mark.parametrize(
    ("age_ms", "read_ms"), [(0, 0), (1, 10), (10, 10), (NEVER_MS - 1, NEVER_MS), (10**9, NEVER_MS)]
)
def test_a_link_never_looks_fresher_than_it_is(age_ms: int, read_ms: int) -> None:
    content = replace(beat("alpha", BOOTS[0], 1, 1), link_ages_ms=(age_ms,))
    assert decode(encoded(content), NAMES).beat.link_ages_ms == (read_ms,)


def test_a_longer_absence_than_fits_is_announced_shorter() -> None:
    content = replace(beat("alpha", BOOTS[0], 1, 1), back_within_ms=100_000)
    assert decode(encoded(content), NAMES).beat.back_within_ms == 0xFFFF


@pytest.mark.parametrize(
    "change", [{"sequence": -1}, {"incarnation": 2**64}, {"boot_id": "xy"}, {"config_tag": 2**32}, {"boot_id": "ab"}]
)
def test_a_beat_outside_the_format_is_refused_with_a_sentence(change: dict[str, object]) -> None:
    content = replace(beat("alpha", BOOTS[0], 1, 1), **change)  # type: ignore[arg-type]
    with pytest.raises(CodecError, match=r"^cannot put this beat"):
        encoded(content)


def test_names_that_the_reader_does_not_know_stay_distinct() -> None:
    content = beat("alpha", BOOTS[0], 1, 1, group("new-one"), group("new-two"))
    unknown = decode(encoded(content), NAMES).beat.groups
    assert [each.name for each in unknown] == ["#" + name_tag("new-one").hex(), "#" + name_tag("new-two").hex()]
    assert state_digest(unknown) == state_digest(content.groups)


def test_a_group_named_twice_is_refused() -> None:
    with pytest.raises(CodecError):
        decode(encoded(beat("alpha", BOOTS[0], 1, 1, group(), group())), NAMES)


def test_the_digest_knows_every_field_and_no_order() -> None:
    one, two = group("one"), group("two")
    assert state_digest((one, two)) == state_digest((two, one))
    for changed in (replace(one, epoch=4), replace(one, holding=False), replace(one, claim=1), fat_group("one")):
        assert state_digest((changed, two)) != state_digest((one, two))


def test_no_nonce_is_as_long_as_a_nonce() -> None:
    assert len(NO_NONCE) == 8
