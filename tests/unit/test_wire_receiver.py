"""What counts as a fresh beat of the peer: handshake, restarts, and an attacker who recorded everything."""

import hmac
import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import BOOTS, KEY, OTHER_KEY, Gateway, beat, beats, group, met_pair

from aoeha.core.model.beat import Beat
from aoeha.core.model.unread import Unread
from aoeha.wire.codec import UDP_LIMIT, Message, encode, state_digest
from aoeha.wire.keys import Key
from aoeha.wire.receiver import CANDIDATES_MAX, LAG_MAX, Cause, Rejected, Rejection


def test_two_strangers_meet_within_one_round_trip() -> None:
    alpha, beta = Gateway("alpha", BOOTS[0]), Gateway("beta", BOOTS[1])
    assert beta.why_not(alpha.send()) == "not_echoed"
    assert alpha.hears(beta.send())
    assert beta.hears(alpha.send())


def test_two_strangers_whose_first_beats_cross_meet_with_the_second() -> None:
    alpha, beta = Gateway("alpha", BOOTS[0]), Gateway("beta", BOOTS[1])
    crossing = alpha.send(), beta.send()
    assert beta.why_not(crossing[0]) == alpha.why_not(crossing[1]) == "not_echoed"
    crossing = alpha.send(), beta.send()
    assert beta.hears(crossing[0])
    assert alpha.hears(crossing[1])


def test_a_beat_comes_with_its_content() -> None:
    alpha, beta = met_pair()
    assert beta.receiver.accept("lan", alpha.send(group(epoch=12))) == beat("alpha", BOOTS[0], 1, 3, group(epoch=12))


def test_each_link_counts_its_own_copy_once() -> None:
    alpha, beta = met_pair()
    data = alpha.send()
    assert beta.hears(data, "lan")
    assert beta.hears(data, "serial")
    assert beta.why_not(data, "lan") == beta.why_not(data, "serial") == "replay"
    older, newer = alpha.send(), alpha.send()
    assert beta.hears(newer, "serial")
    assert beta.why_not(older, "serial") == "replay"
    assert beta.hears(older, "lan"), "a slower link has an age of its own"


def test_a_stock_of_recordings_cannot_keep_another_link_young() -> None:
    alpha, beta = met_pair()
    recorded = [alpha.send() for _ in range(500)]
    assert all(beta.hears(data, "serial") for data in recorded)
    counted = [beta.why_not(data, "cut") for data in recorded]
    assert counted.count("accepted") == LAG_MAX + 1
    assert set(counted[: -LAG_MAX - 1]) == {"stale"}


def test_a_restarted_daemon_is_accepted_by_its_first_beat_and_hears_the_peers_next() -> None:
    alpha, beta = met_pair()
    beta.hears(alpha.send())
    alpha.hears(beta.send())
    alpha = alpha.restarted()
    assert alpha.why_not(beta.send()) == "not_echoed", "it could be a recording"
    assert beta.hears(alpha.send())
    assert alpha.hears(beta.send())


def test_a_daemon_that_restarts_twice_before_it_hears_anything_is_back_after_a_round_trip() -> None:
    alpha, beta = met_pair()
    alpha = alpha.restarted()
    assert beta.hears(alpha.send())
    alpha = alpha.restarted()
    assert beta.why_not(alpha.send()) == "not_echoed"
    assert alpha.hears(beta.send())
    assert beta.hears(alpha.send())


def test_both_daemons_restart_at_once_and_meet_again() -> None:
    alpha, beta = (gateway.restarted() for gateway in met_pair())
    crossing = alpha.send(), beta.send()
    beta.hears(crossing[0])
    alpha.hears(crossing[1])
    crossing = alpha.send(), beta.send()
    assert beta.hears(crossing[0])
    assert alpha.hears(crossing[1])


def test_a_rebooted_peer_is_met_like_a_stranger() -> None:
    alpha, beta = met_pair()
    alpha = Gateway("alpha", BOOTS[2])
    assert beta.why_not(alpha.send()) == "not_echoed"
    assert alpha.hears(beta.send())
    assert beta.hears(alpha.send())


def test_nothing_of_an_earlier_incarnation_ever_counts_again() -> None:
    alpha, beta = met_pair()
    recorded = [alpha.send() for _ in range(5)]
    unheard = alpha.send()
    assert all(beta.hears(data) for data in recorded)
    alpha = alpha.restarted()
    assert beta.hears(alpha.send())
    for link in ("lan", "serial"):
        assert {beta.why_not(data, link) for data in (*recorded, unheard)} == {"not_echoed"}


def test_recordings_do_not_count_after_our_own_restart() -> None:
    alpha, beta = met_pair()
    recorded = [alpha.send() for _ in range(5)]
    beta = beta.restarted()
    assert {beta.why_not(data) for data in recorded} == {"not_echoed"}
    alpha.hears(beta.send())
    assert beta.hears(alpha.send())
    for link in ("lan", "serial"):
        assert {beta.why_not(data, link) for data in recorded} == {"replay"}


def test_two_boots_under_one_name_are_both_reported() -> None:
    """H26: two machines with one name. The core must see both to refuse either as a proof."""
    alpha, beta = met_pair()
    twin = Gateway("alpha", BOOTS[2])
    twin.hears(beta.send())
    heard = set()
    for _ in range(6):
        for sender in (alpha, twin):
            data = beta.send()
            sender.hears(data)
            if beta.hears(sender.send()):
                heard.add(sender.boot_id)
    assert heard == {BOOTS[0], BOOTS[2]}


def test_an_attacker_with_recordings_of_many_boots_cannot_keep_a_rebooted_peer_out() -> None:
    recordings = []
    alpha, beta = met_pair()
    for boot in range(CANDIDATES_MAX - 1):
        alpha = Gateway("alpha", f"{boot:032x}")
        recordings.append(alpha.send())
        alpha.hears(beta.send())
        recordings.append(alpha.send())
        assert beta.hears(recordings[-1])
    alpha = Gateway("alpha", BOOTS[3])
    met = 0
    for _ in range(CANDIDATES_MAX + 2):
        assert not any(beta.hears(data) for data in recordings)
        met += beta.hears(alpha.send())
        assert not any(beta.hears(data) for data in recordings)
        alpha.hears(beta.send())
    assert met >= 2


def test_recordings_played_to_both_sides_delay_two_new_boots_and_no_more() -> None:
    recordings: dict[str, list[bytes]] = {"alpha": [], "beta": []}
    for boot in range(5):
        recordings["alpha"].append(Gateway("alpha", f"{boot:032x}").send())
        recordings["beta"].append(Gateway("beta", f"{boot:032x}").send())
    alpha, beta = Gateway("alpha", BOOTS[0]), Gateway("beta", BOOTS[1])
    for _ in range(CANDIDATES_MAX):
        from_alpha, from_beta = alpha.send(), beta.send()
        met = beta.hears(from_alpha), alpha.hears(from_beta)
        for data in recordings["alpha"]:
            assert not beta.hears(data)
        for data in recordings["beta"]:
            assert not alpha.hears(data)
        if all(met):
            break
    assert all(met)


def recordings_of(name: str, count: int, beats: int = 1) -> list[bytes]:
    """The first beats of so many boots of a node."""
    return [
        gateway.send() for boot in range(count) for gateway in [Gateway(name, f"{boot:032x}")] for _ in range(beats)
    ]


@pytest.mark.parametrize("restarts", ["alpha", "beta"])
def test_recordings_that_are_played_for_ever_do_not_make_a_restarted_daemon_deaf(restarts: str) -> None:
    played = {name: recordings_of(name, CANDIDATES_MAX) for name in ("alpha", "beta")}
    pair = dict(zip(("alpha", "beta"), met_pair(), strict=True))
    pair[restarts] = pair[restarts].restarted()
    heard = {"alpha": 0, "beta": 0}
    for _ in range(8):
        for name, peer in (("alpha", "beta"), ("beta", "alpha")):
            heard[peer] += pair[peer].hears(pair[name].send())
            for recorded in played[name]:
                assert not pair[peer].hears(recorded)
    assert min(heard.values()) >= 6


@pytest.mark.parametrize("boots", [5, 20, CANDIDATES_MAX - 1])
def test_two_daemons_that_restart_at_once_meet_while_recordings_of_many_boots_are_played_in_any_order(
    boots: int,
) -> None:
    stock = {name: recordings_of(name, boots, beats=20) for name in ("alpha", "beta")}
    for seed in range(5):
        player = random.Random(seed)
        alpha, beta = (gateway.restarted() for gateway in met_pair())
        met = {"alpha": False, "beta": False}
        for _ in range(9):
            for sender, hearer in ((alpha, beta), (beta, alpha)):
                met[hearer.name] |= hearer.hears(sender.send())
                for recorded in player.choices(stock[sender.name], k=40):
                    assert not hearer.hears(recorded)
        assert all(met.values())


def test_recordings_on_one_link_delay_nobody_who_is_heard_on_another_one() -> None:
    played = {name: recordings_of(name, 3 * CANDIDATES_MAX) for name in ("alpha", "beta")}
    alpha, beta = Gateway("alpha", BOOTS[0]), Gateway("beta", BOOTS[1])
    met: set[str] = set()
    for _ in range(5):
        for sender, hearer in ((alpha, beta), (beta, alpha)):
            for recorded in played[sender.name]:
                assert not hearer.hears(recorded, "lan")
            data = sender.send()
            hearer.hears(data, "lan")
            met |= {hearer.name} if hearer.hears(data, "serial") else set()
    assert met == {"alpha", "beta"}


def test_recordings_of_an_old_boot_do_not_spoil_what_is_echoed_to_the_living() -> None:
    alpha, beta = met_pair()
    recorded = alpha.send()
    alpha = Gateway("alpha", BOOTS[2])
    alpha.hears(beta.send())
    assert beta.hears(alpha.send())
    beta.hears(recorded)
    beta.hears(alpha.send())
    own_nonce = alpha.receiver.nonces()[0]
    assert beta.receiver.nonces()[1] == own_nonce
    assert beta.receiver.memory().peer_nonce == own_nonce


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(UDP_LIMIT + 1), "too_big"),
        (b"", "garbage"),
        (b"\1\1", "garbage"),
        (bytes(200), "wrong_cluster"),
    ],
)
def test_what_is_no_beat_is_counted_by_reason(data: bytes, reason: str) -> None:
    _, beta = met_pair()
    assert beta.why_not(data) == reason
    assert beta.receiver.count("lan")[reason] == 1


def test_strangers_are_counted_by_reason() -> None:
    _alpha, beta = met_pair()
    assert beta.why_not(Gateway("alpha", BOOTS[0], cluster="other").send()) == "wrong_cluster"
    assert beta.why_not(beta.send()) == "own_beat"
    third = beta.sender.pack(beat("gamma", BOOTS[0], 1, 1), UDP_LIMIT)
    assert beta.why_not(third) == "wrong_sender"


def of_version(data: bytes, version: int, key: Key = KEY) -> bytes:
    """The same message as a later program would sign it."""
    content = bytes([version]) + data[1:-16]
    return content + hmac.digest(key.secret, content, "sha256")[:16]


def cause(gateway: Gateway, data: bytes) -> Cause | None:
    outcome = gateway.receiver.accept("lan", data)
    assert isinstance(outcome, Rejected)
    return outcome.cause


def test_what_people_can_mend_comes_with_its_cause() -> None:
    alpha, beta = met_pair()
    stranger = Gateway("alpha", BOOTS[2], keys=(OTHER_KEY,))
    other_secret = Gateway("alpha", BOOTS[2], keys=(Key(KEY.id, OTHER_KEY.secret),))
    assert cause(beta, stranger.send()) == Cause(Unread.KEY, OTHER_KEY.id)
    assert cause(beta, other_secret.send()) == Cause(Unread.SECRET, KEY.id)
    assert cause(beta, Gateway("alpha", BOOTS[0], cluster="other").send()) == Cause(Unread.CLUSTER)
    assert cause(beta, beta.send()) == Cause(Unread.OWN_NAME, boot_id=BOOTS[1])
    third = beta.sender.pack(beat("gamma", BOOTS[0], 1, 1), UDP_LIMIT)
    assert cause(beta, third) == Cause(Unread.OTHER_NAME, boot_id=BOOTS[0])
    data = alpha.send()
    assert beta.hears(data)
    assert cause(beta, data) is None, "nobody need do anything about a message that comes twice"


def test_a_peer_of_a_later_version_runs_if_it_answers_us_and_is_answered() -> None:
    _, beta = met_pair()
    later = Gateway("alpha", BOOTS[2])
    assert cause(beta, of_version(later.send(), 9)) == Cause(Unread.VERSION, 9, BOOTS[2])
    assert later.hears(beta.send()) or later.hears(beta.send()), "it was answered, so it reads us"
    answer = of_version(later.send(), 9)
    assert cause(beta, answer) == Cause(Unread.VERSION, 9, BOOTS[2], runs=True)
    assert cause(beta, answer) == Cause(Unread.VERSION, 9, BOOTS[2]), "a recording shows nothing"
    forged = of_version(later.send(), 9, OTHER_KEY)
    assert cause(beta, forged) == Cause(Unread.SECRET, KEY.id)
    del beta


def test_every_counter_is_there_from_the_start() -> None:
    _, beta = met_pair()
    assert set(beta.receiver.count("new")) == {"accepted", *(reason.value for reason in Rejection)}


@given(st.binary(max_size=UDP_LIMIT + 10))
def test_no_bytes_ever_raise_or_count(data: bytes) -> None:
    assert Gateway("beta", BOOTS[1]).why_not(data) != "accepted"


@given(st.data())
def test_a_changed_bit_never_counts(data: st.DataObject) -> None:
    alpha, beta = met_pair()
    changed = bytearray(alpha.send())
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    assert not beta.hears(bytes(changed))


@given(beats())
def test_the_right_key_with_the_wrong_nonce_never_counts(content: Beat) -> None:
    beta = Gateway("beta", BOOTS[1])
    message = Message(b"whatever", b"\xffwrong!!", content, len(content.groups), state_digest(content.groups))
    assert beta.why_not(encode(message, "gw", KEY.id, KEY.secret)) == "not_echoed"


steps = st.lists(
    st.one_of(
        st.tuples(st.just("beat"), st.sampled_from("ab"), st.sampled_from(["lan", "serial"]), st.booleans()),
        st.tuples(st.just("restart"), st.sampled_from("ab")),
        st.tuples(st.just("reboot"), st.sampled_from("ab")),
        st.tuples(st.just("replay"), st.sampled_from("ab"), st.sampled_from(["lan", "serial"]), st.integers(0, 200)),
    ),
    max_size=60,
)


@given(steps)
def test_no_message_counts_twice_on_a_link_and_no_incarnation_comes_back(script: list[tuple[Any, ...]]) -> None:
    """Whatever is lost, replayed, restarted or rebooted; and when it ends, the pair meets within two beats each."""
    boots = itertools.count(1)
    pair = {"a": Gateway("alpha", f"{next(boots):032x}"), "b": Gateway("beta", f"{next(boots):032x}")}
    recorded: dict[str, list[bytes]] = {"a": [], "b": []}
    counted: set[tuple[str, str, str, bytes]] = set()
    newest_heard = {"a": 0, "b": 0}
    ages = itertools.count(1)
    born: dict[tuple[str, int], int] = {}

    def deliver(sender: str, link: str, data: bytes) -> bool:
        hearer = "b" if sender == "a" else "a"
        outcome = pair[hearer].receiver.accept(link, data)
        if isinstance(outcome, Rejected):
            return False
        event = (hearer, f"{pair[hearer].boot_id}/{pair[hearer].incarnation}", link, data)
        assert event not in counted
        counted.add(event)
        age = born[(outcome.boot_id, outcome.incarnation)]
        assert age >= newest_heard[sender], "an incarnation came back"
        newest_heard[sender] = age
        return True

    def birth(who: str) -> None:
        born[(pair[who].boot_id, pair[who].incarnation)] = next(ages)

    birth("a")
    birth("b")
    for step in script:
        match step:
            case ("beat", who, link, arrives):
                data = pair[who].send()
                recorded[who].append(data)
                if arrives:
                    deliver(who, link, data)
            case ("restart", who):
                pair[who] = pair[who].restarted()
                birth(who)
            case ("reboot", who):
                pair[who] = Gateway(pair[who].name, f"{next(boots):032x}")
                birth(who)
            case ("replay", who, link, index) if recorded[who]:
                deliver(who, link, recorded[who][index % len(recorded[who])])
    for _ in range(2 * CANDIDATES_MAX):
        results = [deliver(who, "lan", pair[who].send()) for who in "abab"]
        if all(results):
            break
    assert all(results)
