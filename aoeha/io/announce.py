"""Announces to neighbours that an address has moved here: gratuitous ARP, unsolicited neighbour advertisements.

This module packs the frames itself: one process for each packet (arping) would take longer than the rest of a
takeover. It sends both ARP forms, because receivers differ in which one they accept (RFC 5227 §3: announcements are
requests; older stacks and some switches accept replies only).
"""

import fcntl
import socket
import struct
from ipaddress import IPv4Address, IPv6Address

__all__ = ["announce", "gratuitous_arp_frames", "unsolicited_advertisement"]

ETHERTYPE_ARP = 0x0806
ARP_REQUEST, ARP_REPLY = 1, 2
BROADCAST = b"\xff" * 6
ALL_NODES = "ff02::1"
ADVERTISEMENT_TYPE = 136
OVERRIDE = 0x20000000
TARGET_LINK_LAYER_ADDRESS = 2
SIOCGIFHWADDR = 0x8927


def announce(interface: str, address: IPv4Address | IPv6Address, count: int) -> None:
    """Send `count` announcements at once. Never waits: a full queue drops them. Raises OSError when it cannot send."""
    match address:
        case IPv4Address():
            _send_arp(interface, address, count)
        case IPv6Address():
            _send_advertisements(interface, address, count)


def gratuitous_arp_frames(hardware_address: bytes, address: IPv4Address) -> tuple[bytes, bytes]:
    """Return the request and the reply form: sender and target address are both `address` (RFC 5944 §4.6)."""
    return _arp(ARP_REQUEST, hardware_address, address), _arp(ARP_REPLY, hardware_address, address)


def unsolicited_advertisement(hardware_address: bytes, address: IPv6Address) -> bytes:
    """Return the ICMPv6 message (RFC 4861 §4.4) with the override flag; the kernel fills in the checksum."""
    header = struct.pack("!BBHI", ADVERTISEMENT_TYPE, 0, 0, OVERRIDE)
    return header + address.packed + struct.pack("!BB", TARGET_LINK_LAYER_ADDRESS, 1) + hardware_address


def _arp(operation: int, hardware_address: bytes, address: IPv4Address) -> bytes:
    target = BROADCAST if operation == ARP_REPLY else bytes(6)
    return b"".join((
        BROADCAST,
        hardware_address,
        struct.pack("!HHHBBH", ETHERTYPE_ARP, 1, 0x0800, 6, 4, operation),
        hardware_address,
        address.packed,
        target,
        address.packed,
    ))  # fmt: skip


def _send_arp(interface: str, address: IPv4Address, count: int) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as packets:
        packets.bind((interface, ETHERTYPE_ARP))
        frames = gratuitous_arp_frames(packets.getsockname()[4], address)
        for _ in range(count):
            for frame in frames:
                packets.send(frame)


def _send_advertisements(interface: str, address: IPv6Address, count: int) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6) as messages:
        request = fcntl.ioctl(messages.fileno(), SIOCGIFHWADDR, struct.pack("16s16x", interface.encode()))
        # RFC 4861 §7.1.2: receivers drop advertisements with any other hop limit.
        messages.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        messages.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        scope = socket.if_nametoindex(interface)
        messages.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, scope)
        advertisement = unsolicited_advertisement(request[18:24], address)
        for _ in range(count):
            messages.sendto(advertisement, (ALL_NODES, 0, 0, scope))
