"""Key rotation in every order: as long as both files have one key in common, the gateways hear each other."""

import itertools
from dataclasses import replace

import pytest
from wire_samples import BOOTS, KEY, OTHER_KEY, Gateway

from aoeha.wire.keys import KEY_TAGS_MAX, Key, key_tag, key_tags, signing_key
from aoeha.wire.receiver import SILENT_BEATS

OLD, NEW = KEY, OTHER_KEY
ANOTHER = Key(NEW.id, b"another secret under the same number")
"""The new key of a gateway whose operator ran `aoeha keygen --rotate` on both."""
THIRD = Key(3, bytes(range(50, 90)))
FILES = [
    keys
    for count in (1, 2)
    for keys in itertools.permutations((OLD, NEW, ANOTHER), count)
    if len({key.id for key in keys}) == count
]
"""Every file of one or two keys, in either order."""
KINDS = ("restarted", "forgetful", "rebooted")
"""How a gateway comes back: with what /run keeps, without it, as a new boot."""
ROUNDS_MAX = 4
"""So many beats of each, at most, before both hear each other."""


def has_common(one: tuple[Key, ...], other: tuple[Key, ...]) -> bool:
    return bool({*map(key_tag, one)} & {*map(key_tag, other)})


def come_back(gateway: Gateway, kind: str, keys: tuple[Key, ...]) -> Gateway:
    gateway.keys = keys
    if kind == "restarted":
        return gateway.restarted()
    boots = [boot for boot in BOOTS if boot not in (gateway.boot_id, BOOTS[0], BOOTS[1])]
    if kind == "forgetful":
        return Gateway(gateway.name, gateway.boot_id, gateway.incarnation + 1, keys=keys)
    return Gateway(gateway.name, boots[0], keys=keys)


def exchange(one: Gateway, other: Gateway) -> tuple[bool, bool]:
    """One beat of each; whether it counted."""
    first = other.hears(one.send())
    return first, one.hears(other.send())


def rounds_until_both_hear(one: Gateway, other: Gateway) -> int:
    """How many beats each sends until one of each counts."""
    heard = [False, False]
    for rounds in range(1, 60):
        first, second = exchange(one, other)
        heard = [heard[0] or first, heard[1] or second]
        if all(heard):
            return rounds
    return 60


def met(keys: tuple[Key, ...], peers: tuple[Key, ...]) -> tuple[Gateway, Gateway]:
    alpha, beta = Gateway("alpha", BOOTS[0], keys=keys), Gateway("beta", BOOTS[1], keys=peers)
    assert rounds_until_both_hear(alpha, beta) <= ROUNDS_MAX
    for _ in range(3):
        exchange(alpha, beta)
    assert exchange(alpha, beta) == (True, True)
    return alpha, beta


PAIRS = [(one, other) for one in FILES for other in FILES if has_common(one, other)]


@pytest.mark.parametrize("keys", FILES, ids=lambda keys: ",".join(str(key_tag(key).hex()) for key in keys))
def test_whatever_one_gateway_changes_both_hear_each_other(keys: tuple[Key, ...]) -> None:
    """From every pair of files, by every change of one file that leaves a common key, whatever comes back and how."""
    for before, peers in PAIRS:
        if not has_common(keys, peers):
            continue
        for kind, lost in itertools.product(KINDS, (0, 1, 2)):
            alpha, beta = met(before, peers)
            alpha = come_back(alpha, kind, keys)
            for _ in range(lost):
                alpha.send()
                beta.send()
            story = f"{before} beside {peers} becomes {keys}, {kind}, {lost} beats lost"
            patience = ROUNDS_MAX if kind == "restarted" else ROUNDS_MAX + SILENT_BEATS
            assert rounds_until_both_hear(beta, alpha) <= patience, story
            for _ in range(2):
                exchange(alpha, beta)
            assert exchange(alpha, beta) == (True, True), story


@pytest.mark.parametrize("kinds", [*itertools.product(KINDS, KINDS)])
def test_whatever_both_change_at_once_they_meet_again(kinds: tuple[str, str]) -> None:
    for before in ((OLD,), (OLD, NEW), (NEW, OLD)):
        for keys, peers in PAIRS:
            alpha, beta = met(before, before)
            alpha, beta = come_back(alpha, kinds[0], keys), come_back(beta, kinds[1], peers)
            assert rounds_until_both_hear(alpha, beta) <= SILENT_BEATS + ROUNDS_MAX


@pytest.mark.parametrize("loses", ["alpha", "beta"])
def test_no_step_of_a_rotation_silences_anybody_for_more_than_one_beat(loses: str) -> None:
    """The steps of `aoeha keygen --rotate`, in every order that keeps the files readable, with beats of one lost."""
    steps = [(OLD,), (OLD, NEW), (NEW, OLD), (NEW,)]
    for path in paths(len(steps) - 1):
        alpha, beta = met(steps[0], steps[0])
        for mine, theirs in path:
            if steps[mine] != alpha.keys:
                alpha = come_back(alpha, "restarted", steps[mine])
            else:
                beta = come_back(beta, "restarted", steps[theirs])
            (alpha if loses == "alpha" else beta).send()
            assert rounds_until_both_hear(alpha, beta) <= 2, f"{path} at {mine}, {theirs}"
            assert exchange(alpha, beta) == (True, True)


def paths(last: int) -> list[list[tuple[int, int]]]:
    """Every way from both files old to both new by one step of one gateway, such that a key is common all the way."""
    if last == 0:
        return [[]]

    def onwards(mine: int, theirs: int) -> list[list[tuple[int, int]]]:
        if (mine, theirs) == (last, last):
            return [[]]
        found = []
        for there in ((mine + 1, theirs), (mine, theirs + 1)):
            if max(there) <= last and {*there} != {0, last}:
                found += [[there, *rest] for rest in onwards(*there)]
        return found

    return onwards(0, 0)


def test_both_boot_with_files_that_begin_with_a_key_of_their_own() -> None:
    alpha, beta = Gateway("alpha", BOOTS[0], keys=(NEW, OLD)), Gateway("beta", BOOTS[1], keys=(THIRD, OLD))
    assert rounds_until_both_hear(alpha, beta) <= 2 * ROUNDS_MAX


def test_a_key_that_the_peer_does_not_have_signs_nothing_that_it_should_read() -> None:
    alpha, beta = met((NEW, OLD), (OLD,))
    assert alpha.send()[1] == OLD.id
    beta = come_back(beta, "restarted", (OLD, NEW))
    assert exchange(beta, alpha) == (True, True)
    exchange(beta, alpha)
    assert alpha.send()[1] == NEW.id, "beta has said that it has it"


def test_what_lies_on_the_shelves_is_signed_so_that_the_peer_reads_it() -> None:
    alpha, _ = met((NEW, OLD), (OLD,))
    assert alpha.receiver.known_key() == OLD
    assert come_back(alpha, "restarted", (NEW, OLD)).receiver.known_key() == OLD, "its successor knows that too"


def test_two_keys_of_one_number_are_two_keys() -> None:
    assert key_tag(NEW) != key_tag(ANOTHER)
    assert key_tag(NEW)[0] == key_tag(ANOTHER)[0] == NEW.id
    alpha, beta = met((NEW, OLD), (ANOTHER, OLD))
    assert {alpha.send()[1], beta.send()[1]} == {OLD.id}


def test_a_recording_under_an_old_key_does_not_make_a_gateway_sign_with_it() -> None:
    alpha, beta = met((NEW, OLD), (NEW,))
    recorded = Gateway("beta", BOOTS[2], keys=(OLD,))
    for _ in range(10):
        alpha.hears(recorded.send())
        assert alpha.hears(beta.send())
        alpha.hears(recorded.send())
        assert alpha.send()[1] == NEW.id


@pytest.mark.parametrize(
    ("own", "held", "heard", "signs"),
    [
        ((OLD,), (), 0, OLD),
        ((OLD, NEW), (), 0, OLD),
        ((OLD, NEW), (), NEW.id, NEW),
        ((OLD, NEW), (OLD, NEW), NEW.id, OLD),
        ((NEW, OLD), (OLD,), OLD.id, OLD),
        ((NEW, OLD), (ANOTHER, OLD), OLD.id, OLD),
        ((NEW, OLD), (THIRD,), OLD.id, OLD),
        ((NEW, OLD), (THIRD,), 9, NEW),
    ],
)
def test_which_key_signs(own: tuple[Key, ...], held: tuple[Key, ...], heard: int, signs: Key) -> None:
    assert signing_key(own, key_tags(held), heard) == signs


def test_only_the_first_keys_of_a_long_file_are_told() -> None:
    many = tuple(replace(OLD, id=number) for number in range(1, 12))
    assert len(key_tags(many)) == KEY_TAGS_MAX
    alpha, _ = met(many, (many[-1],))
    assert alpha.send()[1] == many[-1].id, "its peer is heard by that one"
