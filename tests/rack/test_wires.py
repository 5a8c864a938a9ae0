"""Frames on the rack's switches are read for what they bear witness to."""

from aoeha.fabric.aoe.frames import Ata, Config, ConfigCommand, Frame, Reserve, ReserveCommand, Target, encode
from aoeha.rack.machines.rack import guest_of
from aoeha.rack.machines.wires import read_frame

SHELF, ALPHA = bytes.fromhex("027701000031"), bytes.fromhex("027701000011")


def test_a_shelfs_answer_to_a_write_tells_who_wrote_and_whether_it_was_let() -> None:
    written = Frame(ALPHA, SHELF, Target(1, 0), 7, Ata(0x41, 0, 0, 0x40, 0), response=True)
    assert read_frame(encode(written), guest_of) == ("landed", "shelf1", "alpha")
    refused = Frame(ALPHA, SHELF, Target(1, 0), 7, Ata(0x41, 0, 0, 0x40, 0), response=True, error=6)
    assert read_frame(encode(refused), guest_of) == ("refused", "shelf1", "alpha")


def test_a_reservation_is_one_that_was_set_for_somebody() -> None:
    for kind, macs, expected in (
        (ReserveCommand.FORCE_SET, (ALPHA,), ("reserved", "shelf1", "alpha")),
        (ReserveCommand.SET, (ALPHA,), ("reserved", "shelf1", "alpha")),
        (ReserveCommand.SET, (), None),
        (ReserveCommand.READ, (ALPHA,), None),
    ):
        told = Frame(ALPHA, SHELF, Target(1, 0), 7, Reserve(kind, macs), response=True)
        assert read_frame(encode(told), guest_of) == expected


def test_who_asks_for_a_reservation_is_seen_before_the_target_answers() -> None:
    for kind, expected in ((ReserveCommand.SET, ("asked", "shelf1", "alpha")), (ReserveCommand.READ, None)):
        asked = Frame(SHELF, ALPHA, Target(1, 0), 7, Reserve(kind, (ALPHA,)))
        assert read_frame(encode(asked), guest_of) == expected


def test_a_target_that_starts_tells_everybody_and_an_answer_is_no_such_thing() -> None:
    for target, expected in ((b"\xff" * 6, ("advert", "shelf1", "shelf1")), (ALPHA, None)):
        told = Frame(target, SHELF, Target(1, 0), 0, Config(ConfigCommand.READ), response=True)
        assert read_frame(encode(told), guest_of) == expected


def test_whatever_else_is_kept_comes_from_the_service_address() -> None:
    lan = bytes.fromhex("027700000012")
    assert read_frame(bytes(6) + lan + b"\x08\x06" + bytes(28), guest_of) == ("answered", "address", "beta")
