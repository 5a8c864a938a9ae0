"""Who has an address, as bytes: the questions by ARP and neighbour discovery, and what tells of another machine."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from damage import damaged
from hypothesis import example, given
from hypothesis import strategies as st

from aoeha.io import arp_probe, neighbour_probe
from aoeha.io.announce import gratuitous_arp_frames, unsolicited_advertisement
from aoeha.io.checksum import internet_checksum

OURS, THEIRS, SWITCH = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b"), bytes.fromhex("0200000000cc")
V4, V6 = IPv4Address("10.9.8.7"), IPv6Address("fd00:9::7")
ANOTHER_V4, ANOTHER_V6 = IPv4Address("10.9.8.8"), IPv6Address("fd00:9::8")
TO_SOLICITED_NODE = "3333ff000007 02000000000b 86dd 60000000 0020 3a ff"
NOWHERE, FROM_V6 = "00000000000000000000000000000000", "fd000009000000000000000000000007"
LINUX_TRIES_IT = bytes.fromhex(
    f"{TO_SOLICITED_NODE} {NOWHERE} ff0200000000000000000001ff000007 87000680 00000000 {FROM_V6} 0e01032b41562486"
)
"""What Linux 6.18 sent when it detected duplicates of V6 before it used it (with a nonce, RFC 7527)."""
LINUX_ANSWERS = bytes.fromhex(
    "333300000001 02000000000b 86dd 60000000 0020 3a ff"
    f"{FROM_V6} ff020000000000000000000000000001 88005a73 20000000 {FROM_V6} 020102000000000b"
)
"""What Linux 6.18 sent when it had V6 and another machine's detection asked for it."""


def neighbour_frame(
    message: bytes, source: IPv6Address, sender: bytes = THEIRS, target: IPv6Address = neighbour_probe.ALL_NODES
) -> bytes:
    """Put a message whose checksum is zero into a frame, with its right checksum."""
    pseudo = source.packed + target.packed + struct.pack("!II", len(message), 58)
    message = message[:2] + struct.pack("!H", internet_checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + source.packed + target.packed
    return bytes(6) + sender + b"\x86\xdd" + header + message


def solicitation(target: IPv6Address, options: bytes = b"") -> bytes:
    return struct.pack("!BBHI", 135, 0, 0, 0) + target.packed + options


def changed(frame: bytes, at: int, value: int) -> bytes:
    return frame[:at] + bytes([value]) + frame[at + 1 :]


def test_an_address_is_asked_for_by_its_group_and_by_nobody() -> None:
    assert neighbour_probe.probe_frame(OURS, V6) == bytes.fromhex(
        "3333ff000007 02000000000a 86dd 60000000 0018 3a ff"
        f"{NOWHERE} ff0200000000000000000001ff000007 87007d90 00000000 {FROM_V6}"
    )


def test_the_group_of_an_address_and_its_ethernet_address_are_those_of_the_examples() -> None:
    """RFC 4291 §2.7.1 and RFC 2464 §7 give them."""
    group = neighbour_probe.solicited_node(IPv6Address("4037::01:800:200e:8c6c"))
    assert group == IPv6Address("ff02::1:ff0e:8c6c")
    assert neighbour_probe.multicast_hardware(group) == bytes.fromhex("3333ff0e8c6c")
    assert neighbour_probe.multicast_hardware(IPv6Address("ff02::1")) == bytes.fromhex("333300000001")


def test_who_answers_or_tries_the_address_or_speaks_from_it_is_another_machine() -> None:
    advertised = neighbour_frame(unsolicited_advertisement(THEIRS, V6), ANOTHER_V6, sender=SWITCH)
    from_it = neighbour_frame(solicitation(ANOTHER_V6, b"\x01\x01" + THEIRS), V6)
    for frame in (LINUX_ANSWERS, LINUX_TRIES_IT, advertised, from_it, neighbour_probe.probe_frame(THEIRS, V6)):
        assert neighbour_probe.claiming_hardware(frame, V6) == THEIRS
        assert neighbour_probe.claiming_hardware(frame, IPv6Address("fd00:9::77")) is None


def test_an_answer_without_option_comes_from_its_sender_and_ours_by_a_proxy_is_ours() -> None:
    bare = unsolicited_advertisement(THEIRS, V6)[:24]
    assert neighbour_probe.claiming_hardware(neighbour_frame(bare, V6), V6) == THEIRS
    by_proxy = neighbour_frame(unsolicited_advertisement(OURS, V6), ANOTHER_V6, sender=SWITCH)
    assert neighbour_probe.claiming_hardware(by_proxy, V6) == OURS
    assert neighbour_probe.claiming_hardware(neighbour_probe.probe_frame(OURS, V6), V6) == OURS


def test_who_wants_to_talk_to_the_address_does_not_have_it() -> None:
    frame = neighbour_frame(solicitation(V6, b"\x01\x01" + THEIRS), ANOTHER_V6)
    assert neighbour_probe.claiming_hardware(frame, V6) is None


@pytest.mark.parametrize("frame", [LINUX_ANSWERS, LINUX_TRIES_IT])
@pytest.mark.parametrize(
    ("at", "value"),
    [(12, 0x08), (20, 17), (21, 254), (54, 134), (55, 1), (56, 0x77), (79, 0), (79, 2)],
    ids=["no IPv6", "UDP", "routed", "of a router", "code", "checksum", "option without length", "torn option"],
)
def test_what_a_receiver_must_drop_tells_nothing(frame: bytes, at: int, value: int) -> None:
    broken = changed(frame, at, value)
    if at not in (12, 20, 21, 56):
        source, target = IPv6Address(frame[22:38]), IPv6Address(frame[38:54])
        message = broken[54:56] + bytes(2) + broken[58:]
        broken = neighbour_frame(message, source, target=target)
    assert neighbour_probe.claiming_hardware(broken, V6) is None


def test_a_torn_frame_tells_nothing() -> None:
    for length in range(len(LINUX_ANSWERS)):
        assert neighbour_probe.claiming_hardware(LINUX_ANSWERS[:length], V6) is None
    for length in range(42):
        assert arp_probe.claiming_hardware(gratuitous_arp_frames(THEIRS, V4)[0][:length], V4) is None
    assert neighbour_probe.claiming_hardware(LINUX_ANSWERS + bytes(4), V6) == THEIRS, "padding is no tear"


def test_an_arp_probe_claims_nothing_and_any_message_from_the_address_claims_it() -> None:
    assert arp_probe.probe_frame(OURS, V4) == bytes.fromhex(
        "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a 00000000 000000000000 0a090807"
    )
    assert arp_probe.claiming_hardware(arp_probe.probe_frame(THEIRS, V4), V4) is None
    for frame in gratuitous_arp_frames(THEIRS, V4):
        assert arp_probe.claiming_hardware(frame, V4) == THEIRS
        assert arp_probe.claiming_hardware(frame, ANOTHER_V4) is None


@given(st.binary(max_size=80) | damaged(gratuitous_arp_frames(THEIRS, V4)))
def test_a_claim_by_arp_names_a_hardware_address_or_nobody(frame: bytes) -> None:
    found = arp_probe.claiming_hardware(frame, V4)
    assert found is None or (len(found) == 6 and V4.packed in frame)


@given(st.binary(max_size=120) | damaged([LINUX_TRIES_IT, LINUX_ANSWERS]))
def test_a_claim_by_neighbour_discovery_names_a_hardware_address_or_nobody(frame: bytes) -> None:
    found = neighbour_probe.claiming_hardware(frame, V6)
    assert found is None or (len(found) == 6 and V6.packed in frame)


@example(bytes([2, 2]) + bytes(14))
@given(st.binary(max_size=40).map(lambda more: more + bytes(-len(more) % 8)))
def test_an_option_of_neighbour_discovery_is_a_hardware_address_or_is_dropped(options: bytes) -> None:
    frame = neighbour_frame(struct.pack("!BBHI", 136, 0, 0, 0) + V6.packed + options, V6)
    found = neighbour_probe.claiming_hardware(frame, V6)
    assert found is None or len(found) == 6
