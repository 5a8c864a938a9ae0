"""Versions of the wire format: gateways of different versions understand each other, and neither is silenced."""

import itertools
from dataclasses import replace

import pytest
from wire_samples import BOOTS, CLUSTER, KEY, OTHER_KEY, Gateway, beat, fat_group, met_pair

from aoeha.core.model.beat import Ability, Beat, BeatFlag, Grant, GroupBeat, GroupPhase, Ledger, Readiness
from aoeha.wire.codec import (
    OLDEST_VERSION,
    SERIAL_LIMIT,
    VERSION,
    Message,
    decode,
    encode,
    names_by_tag,
    peek_envelope,
    state_digest,
)
from aoeha.wire.keys import key_tags
from aoeha.wire.receiver import SILENT_BEATS
from aoeha.wire.sender import Sender

VERSION_2 = bytes.fromhex(
    "02019716536f8ed3f6ad0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0000000000000003000000000000004d313233343536373838373635343332"
    "31000000000000004611223344001205dc00000006c554f204e86d418e020202000cffff49a25f9f012b0000000500000004000000000000"
    "000903020eb3e36b02e10000000200000003000000070000000400000003bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb00000000000000010000"
    "00020000000000000008614913e4d2a54c9e48b165bab675bd1e"
)
"""A beat as version 0.1.0 of this program, which knew version 2 alone, put it on the wire."""
GROUPS = (
    GroupBeat(
        "storage", GroupPhase.RUNNING, holding=True, yielding=False, willing=True, epoch=5, claim_floor=4,
        ledger=Ledger(9, (0, 1), (1,)),
    ),
    GroupBeat(
        "archive", GroupPhase.STOPPED, holding=False, yielding=False, willing=True, epoch=2, claim_floor=3, claim=7,
        claim_epoch=4, grant=Grant(3, "bb" * 16, 1, 2), acknowledged=8,
    ),
)  # fmt: skip
SAID = Beat(
    "alpha", "0f" * 16, 3, 77, 70, 0x11223344, BeatFlag.PROBED | BeatFlag.PAUSED, (120, 655_350), GROUPS, 1_500, 6
)
NAMES = names_by_tag(("alpha", "beta", "storage", "archive"))
READY = Readiness(Ability.STORAGE, 3_870)


def as_an_older_program(gateway: Gateway) -> bytes:
    """What a gateway would send that knows version 2 alone."""
    gateway.sequence += 1
    content = beat(gateway.name, gateway.boot_id, gateway.incarnation, gateway.sequence)
    own, echo = gateway.receiver.nonces()
    message = Message(own, echo, content, len(content.groups), state_digest(content.groups), knows=2)
    return encode(message, CLUSTER, KEY.id, KEY.secret, 2)


def version_of(data: bytes) -> int:
    return peek_envelope(data).version


def test_version_2_is_read_and_written_as_it_was() -> None:
    read = decode(VERSION_2, NAMES)
    assert read.beat == SAID
    assert read.knows == 2
    assert encode(read, CLUSTER, KEY.id, KEY.secret, 2) == VERSION_2


def test_an_older_gateway_does_not_say_whether_it_is_ready() -> None:
    assert decode(VERSION_2, NAMES).beat.readiness is None


def test_version_3_says_it() -> None:
    message = Message(b"12345678", b"87654321", replace(SAID, readiness=READY), 2, state_digest(GROUPS))
    read = decode(encode(message, CLUSTER, KEY.id, KEY.secret, 3), NAMES)
    assert read.beat.readiness == READY
    assert decode(encode(message, CLUSTER, KEY.id, KEY.secret, 2), NAMES).beat.readiness is None


def test_version_3_tells_the_generation_of_legs() -> None:
    groups = tuple(replace(group, generation=0xABCDE) for group in GROUPS)
    message = Message(b"12345678", b"87654321", replace(SAID, groups=groups), 2, state_digest(groups))
    read = decode(encode(message, CLUSTER, KEY.id, KEY.secret, 3), NAMES)
    assert read.beat.groups == groups
    assert decode(encode(message, CLUSTER, KEY.id, KEY.secret, 2), NAMES).beat.groups == GROUPS


def test_version_3_tells_which_legs_may_lack_writes() -> None:
    groups = tuple(replace(group, doubted=(0, 7)) for group in GROUPS)
    message = Message(b"12345678", b"87654321", replace(SAID, groups=groups), 2, state_digest(groups))
    read = decode(encode(message, CLUSTER, KEY.id, KEY.secret, 3), NAMES)
    assert read.beat.groups == groups
    assert decode(encode(message, CLUSTER, KEY.id, KEY.secret, 2), NAMES).beat.groups == GROUPS


def test_version_4_tells_keys_and_the_highest_version_that_its_sender_knows() -> None:
    tags = key_tags((KEY, OTHER_KEY))
    message = Message(b"12345678", b"87654321", SAID, 2, state_digest(GROUPS), knows=9, held=tags)
    read = decode(encode(message, CLUSTER, KEY.id, KEY.secret, 4), NAMES)
    assert (read.knows, read.held, read.beat) == (9, tags, SAID)
    for version in (2, 3):
        earlier = decode(encode(message, CLUSTER, KEY.id, KEY.secret, version), NAMES)
        assert (earlier.knows, earlier.held) == (4, ()), "a bit of the flags tells that there is more to say"


@pytest.mark.parametrize(("one", "other"), [*itertools.product(range(OLDEST_VERSION, VERSION + 2), repeat=2)])
def test_two_of_any_versions_speak_the_highest_that_both_know(one: int, other: int) -> None:
    alpha, beta = Gateway("alpha", BOOTS[0], knows=one), Gateway("beta", BOOTS[1], knows=other)
    for _ in range(4):
        beta.hears(alpha.send())
        alpha.hears(beta.send())
    for _ in range(3):
        assert beta.hears(alpha.send())
        assert alpha.hears(beta.send())
    assert version_of(alpha.send()) == version_of(beta.send()) == min(one, other)


@pytest.mark.parametrize(("before", "after"), [*itertools.product(range(OLDEST_VERSION, VERSION + 2), repeat=2)])
@pytest.mark.parametrize("has_memory", [True, False])
def test_whatever_version_a_gateway_comes_back_with_it_is_heard_soon(before: int, after: int, has_memory: bool) -> None:
    alpha, beta = met_pair(knows=before)
    memory = beta.receiver.memory() if has_memory else None
    beta = Gateway("beta", BOOTS[1], 2, knows=after, memory=memory)
    for _ in range(SILENT_BEATS + 3):
        alpha.hears(beta.send())
        beta.hears(alpha.send())
    assert alpha.hears(beta.send())
    assert beta.hears(alpha.send())


@pytest.mark.parametrize("knows", range(OLDEST_VERSION, VERSION + 1))
def test_slices_make_a_whole_beat_in_every_version(knows: int) -> None:
    """What a version does not tell of a group is no part of the digest either."""
    names = tuple(f"group-{number}" for number in range(7))
    alpha = Gateway("alpha", BOOTS[0], group_names=names, knows=knows)
    beta = Gateway("beta", BOOTS[1], group_names=names)
    state = tuple(replace(fat_group(name), generation=5, doubted=(1,)) for name in names)
    heard = 0
    for _ in range(20):
        heard = heard + 1 if alpha.hears(beta.send(*state, limit=SERIAL_LIMIT), "serial") else 0
        beta.hears(alpha.send(*state, limit=SERIAL_LIMIT), "serial")
    assert heard > 10


def test_two_that_know_more_speak_more_once_they_have_met() -> None:
    alpha, beta = Gateway("alpha", BOOTS[0]), Gateway("beta", BOOTS[1])
    assert version_of(alpha.send()) == 2, "nobody has said yet what it understands"
    alpha, beta = met_pair()
    assert version_of(alpha.send()) == version_of(beta.send()) == VERSION
    assert beta.hears(alpha.send())


def test_an_older_peer_is_spoken_to_in_its_own_version() -> None:
    alpha, _ = met_pair()
    older = Gateway("beta", BOOTS[2])
    for _ in range(SILENT_BEATS):
        assert alpha.why_not(as_an_older_program(older)) == "not_echoed", "it counts only once it has answered us"
        alpha.send()
    assert alpha.why_not(as_an_older_program(older)) == "not_echoed"
    answers = [alpha.send(), alpha.send()]
    assert [version_of(answer) for answer in answers] == [2, 2]
    assert {older.why_not(answer) for answer in answers} & {"accepted"}
    assert alpha.hears(as_an_older_program(older))
    assert version_of(alpha.send()) == 2


def test_a_recording_of_an_older_program_changes_nothing_while_the_peer_is_heard() -> None:
    alpha, beta = met_pair()
    recorded = as_an_older_program(Gateway("beta", BOOTS[2]))
    for _ in range(10):
        alpha.hears(recorded)
        assert alpha.hears(beta.send())
        alpha.hears(recorded)
        assert version_of(alpha.send()) == VERSION


def test_a_recording_of_a_newer_peer_does_not_make_us_unreadable_for_an_older_one() -> None:
    alpha, beta = met_pair()
    recorded = beta.send()
    assert version_of(recorded) == VERSION
    older = Gateway("beta", BOOTS[2])
    alpha.hears(as_an_older_program(older))
    older.hears(alpha.send())
    older.hears(alpha.send())
    assert alpha.hears(as_an_older_program(older))
    assert not alpha.hears(recorded)
    assert version_of(alpha.send()) == 2


@pytest.mark.parametrize("knows", [0, 1])
def test_a_peer_that_says_it_knows_less_than_anybody_is_spoken_to_in_the_oldest_version(knows: int) -> None:
    alpha, beta = Gateway("alpha", BOOTS[0], knows=VERSION), Gateway("beta", BOOTS[1], knows=VERSION)
    for _ in range(4):
        beta.hears(alpha.send())
        alpha.hears(beta.send())
    beta.sender = Sender(
        CLUSTER, beta.receiver.signing, beta.receiver.nonces, lambda: VERSION, held=key_tags((KEY,)), knows=knows
    )
    assert alpha.hears(beta.send())
    assert alpha.receiver.speaks() == OLDEST_VERSION
