"""ICMP echo as bytes: what is asked, and what counts as an answer."""

import struct

from aoeha.io.reference_hosts import echo_request, is_reply

HEADER = bytes([0x45]) + bytes(19)


def test_a_request_sums_up_to_nothing_missing() -> None:
    words = struct.unpack("!4H", echo_request(4, 0xBEEF, 1))
    total = sum(words)
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


def test_the_kernel_fills_in_the_checksum_for_ipv6() -> None:
    assert echo_request(6, 0xBEEF, 1) == bytes([128, 0, 0, 0, 0xBE, 0xEF, 0, 1])


def test_an_answer_is_a_reply_with_our_mark() -> None:
    reply = struct.pack("!BBHHH", 0, 0, 0, 7, 1)
    assert is_reply(4, HEADER + reply, 7)
    assert not is_reply(4, HEADER + reply, 8)
    assert not is_reply(4, HEADER + echo_request(4, 7, 1), 7), "our own request, heard on loopback, answers nothing"
    assert is_reply(6, struct.pack("!BBHHH", 129, 0, 0, 7, 1), 7)
    assert not is_reply(6, echo_request(6, 7, 1), 7)


def test_a_torn_packet_is_no_answer() -> None:
    for length in range(len(HEADER) + 8):
        assert not is_reply(4, (HEADER + bytes(8))[:length], 0)
    assert not is_reply(6, b"", 0)
