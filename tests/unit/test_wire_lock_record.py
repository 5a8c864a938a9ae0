"""What the holder of a leg writes into its target is read back whole, or not at all."""

from dataclasses import replace

import pytest

from aoeha.cli.aoe.lock_record import brief
from aoeha.core.model.beat import Grant, GroupBeat, GroupPhase
from aoeha.core.model.shelves import LockRecord
from aoeha.wire.keys import Key
from aoeha.wire.lock_record import RECORD_MAX, _mac, pack, unpack

OLD, NEW = Key(1, bytes(32)), Key(2, bytes(range(32)))
RECORD = LockRecord("alpha", "0123456789abcdef" * 2, 3, 7, 1_234_567)


def test_a_record_comes_back_as_it_was_written() -> None:
    line = pack(RECORD, "gw", "storage", NEW)
    assert unpack(line, "gw", "storage", (OLD, NEW)) == RECORD
    assert len(line) < RECORD_MAX // 4


@pytest.mark.parametrize("paused", [True, False])
def test_the_word_about_a_pause_comes_back_as_it_was_given(paused: bool) -> None:
    told = replace(RECORD, pause_number=4, paused=paused)
    line = pack(told, "gw", "storage", NEW)
    assert line.startswith(b"aoeha 2 ")
    assert unpack(line, "gw", "storage", (OLD, NEW)) == told


@pytest.mark.parametrize("lacking", [(0,), (0, 1), (11,)])
def test_the_legs_that_may_lack_writes_come_back_as_they_were_given(lacking: tuple[int, ...]) -> None:
    told = replace(RECORD, lacking=lacking)
    line = pack(told, "gw", "storage", NEW)
    assert line.startswith(b"aoeha 3 ")
    assert unpack(line, "gw", "storage", (OLD, NEW)) == told
    assert brief(line) == "alpha epoch 7"


@pytest.mark.parametrize(("version", "format_"), [(2, b"1"), (3, b"3"), (4, b"3")])
def test_it_is_written_in_no_format_that_the_peer_does_not_know(version: int, format_: bytes) -> None:
    line = pack(replace(RECORD, lacking=(1,)), "gw", "storage", NEW, version)
    assert line.split()[1] == format_
    found = unpack(line, "gw", "storage", (NEW,))
    assert found is not None
    assert replace(found, lacking=()) == RECORD


@pytest.mark.parametrize("more", ["", " of what nobody here knows", " - - 0 0 0 - 0,1"])
@pytest.mark.parametrize("number", ["4", "17"])
def test_a_record_of_a_later_format_tells_who_holds_the_leg_and_that_it_says_more(number: str, more: str) -> None:
    content = f"aoeha {number} gw storage alpha {RECORD.boot_id} 3 7 1234567{more} {NEW.id}"
    line = f"{content} {_mac(NEW, content)}".encode()
    assert unpack(line, "gw", "storage", (OLD, NEW)) == replace(RECORD, later=True)
    assert unpack(line, "gw", "storage", (OLD,)) is None
    assert unpack(line, "gw", "archive", (NEW,)) is None
    assert unpack(line.replace(b"1234567", b"1234568"), "gw", "storage", (NEW,)) is None
    assert brief(line) == "alpha epoch 7 (a later format)"


@pytest.mark.parametrize("number", ["0", "-4", "4.0", "x", "٤"])
def test_a_format_that_is_no_later_one_is_no_record(number: str) -> None:
    content = f"aoeha {number} gw storage alpha {RECORD.boot_id} 3 7 1234567 more {NEW.id}"
    assert unpack(f"{content} {_mac(NEW, content)}".encode(), "gw", "storage", (NEW,)) is None


@pytest.mark.parametrize("grant", [None, Grant(9, "f" * 32, 2, 5)])
def test_what_it_says_of_the_group_comes_back_whole(grant: Grant | None) -> None:
    word = GroupBeat("storage", GroupPhase.STOPPED, False, True, True, RECORD.epoch, 9, 4, 8, grant)
    line = pack(replace(RECORD, message=word), "gw", "storage", NEW)
    found = unpack(line, "gw", "storage", (OLD, NEW))
    assert found is not None
    assert (found.message, found.pause_number, found.paused) == (word, 0, False)
    assert len(line) < RECORD_MAX // 2


def test_an_operator_sees_who_only_asks_there() -> None:
    word = GroupBeat("storage", GroupPhase.STOPPED, False, False, True, RECORD.epoch, 9, 4, 8)
    assert brief(pack(RECORD, "gw", "storage", NEW)) == "alpha epoch 7"
    assert brief(pack(replace(RECORD, pause_number=1), "gw", "storage", NEW)) == "alpha epoch 7"
    assert brief(pack(replace(RECORD, message=word), "gw", "storage", NEW)) == "alpha (not owner) epoch 7"
    assert brief(pack(replace(RECORD, message=replace(word, holding=True)), "gw", "storage", NEW)) == "alpha epoch 7"


def test_the_longest_that_it_may_say_fits_in_a_target() -> None:
    name, most = "n" * 32, 2**63
    word = GroupBeat(
        name, GroupPhase.STOPPING, True, True, True, most, most, most, most, Grant(most, "f" * 32, most, most)
    )
    record = LockRecord(name, "f" * 32, most, most, most, most, True, word, tuple(range(16)))
    line = pack(record, name, name, NEW)
    assert len(line) < RECORD_MAX // 2
    assert unpack(line, name, name, (NEW,)) == record


@pytest.mark.parametrize(
    "spoiled", ["running", "- - 0 0 0", "napping h 0 0 0 -", "running h x 0 0 -", "running h 0 0 0 1/2"]
)
def test_a_signed_record_that_says_nonsense_is_none(spoiled: str) -> None:
    known = pack(replace(RECORD, pause_number=4), "gw", "storage", NEW).decode()
    content = known.rpartition(" ")[0].replace(" - - 0 0 0 - ", f" {spoiled} ")
    assert unpack(f"{content} {_mac(NEW, content)}".encode(), "gw", "storage", (NEW,)) is None


def test_a_record_of_the_older_format_tells_nothing_about_a_pause() -> None:
    found = unpack(pack(RECORD, "gw", "storage", NEW), "gw", "storage", (NEW,))
    assert found is not None
    assert (found.pause_number, found.paused, found.message) == (0, False, None)


def test_people_can_read_it() -> None:
    assert pack(RECORD, "gw", "storage", NEW).startswith(b"aoeha 1 gw storage alpha 0123456789abcdef")


@pytest.mark.parametrize(
    ("cluster", "group", "keys"), [("other", "storage", (NEW,)), ("gw", "archive", (NEW,)), ("gw", "storage", (OLD,))]
)
def test_a_record_of_another_cluster_group_or_key_is_none(cluster: str, group: str, keys: tuple[Key, ...]) -> None:
    assert unpack(pack(RECORD, "gw", "storage", NEW), cluster, group, keys) is None


def test_no_byte_of_it_can_be_changed() -> None:
    line = pack(RECORD, "gw", "storage", NEW)
    for place in range(len(line)):
        changed = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        assert unpack(changed, "gw", "storage", (NEW,)) is None


@pytest.mark.parametrize("string", [b"", b"the library's disk", b"aoeha 1 gw storage", b"\xff" * 300, b" " * 10])
def test_what_others_wrote_into_a_config_string_is_no_record(string: bytes) -> None:
    assert unpack(string, "gw", "storage", (OLD, NEW)) is None
