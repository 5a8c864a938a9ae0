"""Frames on the rack's switches are read for what they bear witness to."""

from aoeha.fabric.aoe.frames import Ata, Config, ConfigCommand, Frame, Reserve, ReserveCommand, Target, encode
from aoeha.rack.machines.rack import guest_of
from aoeha.rack.machines.wires import read_frame

ADDRESS = bytes((192, 0, 2, 10))
SHELF, ALPHA = bytes.fromhex("027701000031"), bytes.fromhex("027701000011")


def test_a_shelfs_answer_to_a_write_tells_who_wrote_and_whether_it_was_let() -> None:
    written = Frame(ALPHA, SHELF, Target(1, 0), 7, Ata(0x41, 0, 0, 0x40, 0), response=True)
    assert read_frame(encode(written), guest_of, ADDRESS) == ("landed", "shelf1", "alpha")
    refused = Frame(ALPHA, SHELF, Target(1, 0), 7, Ata(0x41, 0, 0, 0x40, 0), response=True, error=6)
    assert read_frame(encode(refused), guest_of, ADDRESS) == ("refused", "shelf1", "alpha")


def test_a_reservation_is_one_that_was_set_for_somebody() -> None:
    for kind, macs, expected in (
        (ReserveCommand.FORCE_SET, (ALPHA,), ("reserved", "shelf1", "alpha")),
        (ReserveCommand.SET, (ALPHA,), ("reserved", "shelf1", "alpha")),
        (ReserveCommand.SET, (), None),
        (ReserveCommand.READ, (ALPHA,), None),
    ):
        told = Frame(ALPHA, SHELF, Target(1, 0), 7, Reserve(kind, macs), response=True)
        assert read_frame(encode(told), guest_of, ADDRESS) == expected


def test_who_asks_for_a_reservation_is_seen_before_the_target_answers() -> None:
    for kind, expected in ((ReserveCommand.SET, ("asked", "shelf1", "alpha")), (ReserveCommand.READ, None)):
        asked = Frame(SHELF, ALPHA, Target(1, 0), 7, Reserve(kind, (ALPHA,)))
        assert read_frame(encode(asked), guest_of, ADDRESS) == expected


def test_a_target_that_starts_tells_everybody_and_an_answer_is_no_such_thing() -> None:
    for target, expected in ((b"\xff" * 6, ("advert", "shelf1", "shelf1")), (ALPHA, None)):
        told = Frame(target, SHELF, Target(1, 0), 0, Config(ConfigCommand.READ), response=True)
        assert read_frame(encode(told), guest_of, ADDRESS) == expected


def test_a_frame_from_the_service_address_tells_who_has_it_and_one_from_another_does_not() -> None:
    lan = bytes.fromhex("027700000012")
    for sender, expected in ((ADDRESS, ("answered", "address", "beta")), (bytes(4), None)):
        arp = bytes(6) + lan + b"\x08\x06" + bytes(14) + sender + bytes(10)
        ping = bytes(6) + lan + b"\x08\x00" + bytes(9) + b"\x01" + bytes(2) + sender + bytes(20)
        assert read_frame(arp, guest_of, ADDRESS) == read_frame(ping, guest_of, ADDRESS) == expected
    assert read_frame(bytes(6) + lan + b"\x86\xdd" + bytes(50), guest_of, ADDRESS) is None
