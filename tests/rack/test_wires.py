"""Frames on the rack's switches are read for what they bear witness to."""

from aoeha.aoe.frames import Ata, Frame, Target, encode
from aoeha.rack.rack import guest_of
from aoeha.rack.wires import read_frame

SHELF, ALPHA = bytes.fromhex("027701000031"), bytes.fromhex("027701000011")


def test_a_shelfs_answer_to_a_write_tells_who_wrote_and_whether_it_was_let() -> None:
    written = Frame(ALPHA, SHELF, Target(1, 0), 7, Ata(0x41, 0, 0, 0x40, 0), response=True)
    assert read_frame(encode(written), guest_of) == ("landed", "shelf1", "alpha")
    refused = Frame(ALPHA, SHELF, Target(1, 0), 7, Ata(0x41, 0, 0, 0x40, 0), response=True, error=6)
    assert read_frame(encode(refused), guest_of) == ("refused", "shelf1", "alpha")


def test_whatever_else_is_kept_comes_from_the_service_address() -> None:
    lan = bytes.fromhex("027700000012")
    assert read_frame(bytes(6) + lan + b"\x08\x06" + bytes(28), guest_of) == ("answered", "address", "beta")
