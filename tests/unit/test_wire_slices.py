"""More groups than fit into one message: what the receiver pieces together is always what the sender has."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import BOOTS, Gateway, beat, fat_group, group

from aoeha.core.model.beat import Beat, GroupBeat
from aoeha.wire.codec import SERIAL_LIMIT, UDP_LIMIT, CodecError
from aoeha.wire.receiver import Rejected

NAMES = tuple(f"group-{number}" for number in range(7))


def met_with_seven_groups() -> tuple[Gateway, Gateway]:
    alpha = Gateway("alpha", BOOTS[0], group_names=NAMES)
    beta = Gateway("beta", BOOTS[1], group_names=NAMES)
    beta.hears(alpha.send(*groups([0] * 7), limit=SERIAL_LIMIT), "serial")
    alpha.hears(beta.send(*groups([0] * 7)))
    return alpha, beta


def groups(epochs: list[int]) -> tuple[GroupBeat, ...]:
    return tuple(fat_group(name, epoch) for name, epoch in zip(NAMES, epochs, strict=True))


def test_slices_make_a_whole_beat_in_the_configurations_order() -> None:
    alpha, beta = met_with_seven_groups()
    outcomes = []
    for _ in range(5):
        data = alpha.send(*groups([1] * 7), limit=SERIAL_LIMIT)
        assert len(data) <= SERIAL_LIMIT
        outcomes.append(beta.receiver.accept("serial", data))
    whole = [outcome for outcome in outcomes if isinstance(outcome, Beat)]
    assert [each.groups for each in whole] == [groups([1] * 7)] * len(whole)
    assert len(whole) == 2, "four slices complete it, and every one after that renews it"


def test_one_group_that_changes_costs_no_beat() -> None:
    alpha, beta = met_with_seven_groups()
    for _ in range(4):
        beta.hears(alpha.send(*groups([0] * 7), limit=SERIAL_LIMIT), "serial")
    for epoch in range(1, 30):
        state = groups([0, 0, 0, 0, 0, epoch, 0])
        outcome = beta.receiver.accept("serial", alpha.send(*state, limit=SERIAL_LIMIT))
        assert isinstance(outcome, Beat)
        assert outcome.groups == state


def test_a_lost_slice_yields_no_beat_until_its_group_comes_round_again() -> None:
    alpha, beta = met_with_seven_groups()
    for _ in range(4):
        beta.hears(alpha.send(*groups([0] * 7), limit=SERIAL_LIMIT), "serial")
    state = groups([0, 0, 0, 0, 0, 9, 0])
    alpha.send(*state, limit=SERIAL_LIMIT)
    assert beta.why_not(alpha.send(*state, limit=SERIAL_LIMIT), "serial") == "incomplete"
    outcomes = [beta.receiver.accept("serial", alpha.send(*state, limit=SERIAL_LIMIT)) for _ in range(4)]
    assert isinstance(outcomes[-1], Beat)
    assert all(isinstance(outcome, Rejected) or outcome.groups == state for outcome in outcomes)


def test_a_late_slice_does_not_push_out_what_is_newer() -> None:
    alpha, beta = met_with_seven_groups()
    late = alpha.send(*groups([0] * 7), limit=SERIAL_LIMIT)
    assert beta.hears(alpha.send(*groups([1] * 7)))
    beta.hears(late, "serial")
    for _ in range(4):
        assert beta.hears(alpha.send(*groups([1] * 7), limit=SERIAL_LIMIT), "serial")


def test_a_restarted_peer_is_whole_after_one_round_of_slices() -> None:
    alpha, beta = met_with_seven_groups()
    for _ in range(10):
        beta.hears(alpha.send(*groups([0] * 7)))
        alpha.hears(beta.send(*groups([0] * 7)))
    alpha = alpha.restarted()
    outcomes = [beta.hears(alpha.send(*groups([1] * 7), limit=SERIAL_LIMIT), "serial") for _ in range(5)]
    assert outcomes == [False, False, False, True, True]


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=7, max_size=7), st.booleans(), st.booleans())), st.randoms()
)
def test_no_beat_ever_shows_a_mixture(states: list[tuple[list[int], bool, bool]], chance: random.Random) -> None:
    """States change, messages are lost, and a slow line delivers late: each newest beat shows its own state."""
    alpha, beta = met_with_seven_groups()
    late: list[bytes] = []
    for epochs, arrives, by_udp in states:
        state = groups(epochs)
        data = alpha.send(*state, limit=UDP_LIMIT if by_udp else SERIAL_LIMIT)
        if not arrives:
            late.append(data)
            continue
        outcome = beta.receiver.accept("lan", data)
        assert isinstance(outcome, Rejected) or outcome.groups == state
        assert isinstance(outcome, Beat) or not by_udp
        if late and chance.random() < 0.5:
            beta.receiver.accept("serial", late.pop(0))


def test_links_with_one_limit_carry_the_same_bytes_and_none_skips_a_slice() -> None:
    alpha, _ = met_with_seven_groups()
    content = beat("alpha", BOOTS[0], 1, 50, *groups([1] * 7))
    assert alpha.sender.pack(content, SERIAL_LIMIT) == alpha.sender.pack(content, SERIAL_LIMIT)
    assert len(alpha.sender.pack(content, UDP_LIMIT)) > SERIAL_LIMIT


def test_a_peer_with_other_groups_is_still_heard() -> None:
    alpha = Gateway("alpha", BOOTS[0], group_names=("storage", "new"))
    beta = Gateway("beta", BOOTS[1], group_names=("archive", "storage"))
    alpha.hears(beta.send())
    outcome = beta.receiver.accept("lan", alpha.send(group("new"), group("storage", 8)))
    assert isinstance(outcome, Beat)
    assert outcome.groups == (group("storage", 8),)


def test_a_beat_without_room_for_one_group_is_refused_with_a_sentence() -> None:
    alpha, _ = met_with_seven_groups()
    with pytest.raises(CodecError, match=r"^cannot fit a beat"):
        alpha.sender.pack(beat("alpha", BOOTS[0], 1, 60, *groups([1] * 7)), 120)
