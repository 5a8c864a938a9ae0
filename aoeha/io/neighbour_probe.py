"""Neighbour solicitations as bytes, which ask who has an IPv6 address (RFC 4862 §5.4).

The question has no sender, and changes no host's cache (RFC 4861 §7.2.3). The answer does: it goes to all nodes, with
the override flag (§7.2.4), and turns our clients to the other machine where we have the address too. Who asks must
announce the address again then.
"""

import struct
from ipaddress import IPv6Address

from aoeha.io.checksum import internet_checksum

__all__ = [
    "ETHERTYPE_IPV6",
    "NEIGHBOUR_MESSAGES",
    "claiming_hardware",
    "hardware_groups",
    "multicast_hardware",
    "probe_frame",
    "solicited_node",
]

ETHERTYPE_IPV6 = 0x86DD
ICMPV6 = 58
SOLICITATION, ADVERTISEMENT = 135, 136
SOURCE_LINK_LAYER_ADDRESS, TARGET_LINK_LAYER_ADDRESS = 1, 2
HOP_LIMIT = 255
"""No router has passed the message on, and receivers drop any other one (RFC 4861 §7.1)."""
UNSPECIFIED = IPv6Address("::")
ALL_NODES = IPv6Address("ff02::1")
ETHERNET_BYTES = 14
HARDWARE_BYTES = 6
_IPV6 = struct.Struct("!IHBB16s16s")
_MESSAGE = struct.Struct("!BBHI16s")
"""Both messages begin alike: type, code, checksum, flags, target. Options follow (RFC 4861 §4.3, §4.4)."""
_LOAD_BYTE, _IF_EQUAL, _RETURN = 0x30, 0x15, 0x06  # linux/bpf_common.h

NEIGHBOUR_MESSAGES = (
    (_LOAD_BYTE, 0, 0, ETHERNET_BYTES + 6),
    (_IF_EQUAL, 0, 4, ICMPV6),
    (_LOAD_BYTE, 0, 0, ETHERNET_BYTES + _IPV6.size),
    (_IF_EQUAL, 1, 0, SOLICITATION),
    (_IF_EQUAL, 0, 1, ADVERTISEMENT),
    (_RETURN, 0, 0, 0xFFFF),
    (_RETURN, 0, 0, 0),
)
"""The kernel's filter (networking/filter.rst), without which all IPv6 traffic of the interface would come by."""


def solicited_node(address: IPv6Address) -> IPv6Address:
    """Return the multicast group of all machines whose addresses end alike: ff02::1:ffXX:XXXX (RFC 4291 §2.7.1)."""
    return IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + address.packed[13:])


def multicast_hardware(group: IPv6Address) -> bytes:
    """Return the Ethernet address of a multicast group: 33:33 and the last four bytes (RFC 2464 §7)."""
    return b"\x33\x33" + group.packed[12:]


def hardware_groups(address: IPv6Address) -> tuple[bytes, bytes]:
    """Return what the interface must let through: answers, and probes of other machines (RFC 4862 §5.4.2).

    A switch that snoops on MLD may still keep the latter from us, but never what is sent to all nodes (RFC 4541 §3).
    """
    return multicast_hardware(ALL_NODES), multicast_hardware(solicited_node(address))


def probe_frame(hardware_address: bytes, address: IPv6Address) -> bytes:
    """Return a neighbour solicitation from the unspecified address; it may have no option (RFC 4861 §4.3)."""
    group = solicited_node(address)
    bare = _MESSAGE.pack(SOLICITATION, 0, 0, 0, address.packed)
    checksum = internet_checksum(_pseudo_header(UNSPECIFIED.packed, group.packed, len(bare)) + bare)
    message = _MESSAGE.pack(SOLICITATION, 0, checksum, 0, address.packed)
    header = _IPV6.pack(6 << 28, len(message), ICMPV6, HOP_LIMIT, UNSPECIFIED.packed, group.packed)
    return multicast_hardware(group) + hardware_address + struct.pack("!H", ETHERTYPE_IPV6) + header + message


def claiming_hardware(frame: bytes, address: IPv6Address) -> bytes | None:
    """Return the hardware address of the machine that has the address by this frame, or asks for it too; else None.

    It has it that advertises it, or sends a neighbour message from it. It asks for it that solicits it from the
    unspecified address (RFC 4862 §5.4.3). Others that solicit it only want to talk to who has it. What RFC 4861
    §7.1.1 and §7.1.2 forbid is dropped: another hop limit, a wrong checksum, a torn message.
    """
    if len(frame) < ETHERNET_BYTES + _IPV6.size or frame[12:14] != struct.pack("!H", ETHERTYPE_IPV6):
        return None
    _version, length, protocol, hop_limit, source, destination = _IPV6.unpack_from(frame, ETHERNET_BYTES)
    message = frame[ETHERNET_BYTES + _IPV6.size :][:length]
    if (protocol, hop_limit) != (ICMPV6, HOP_LIMIT) or len(message) < max(length, _MESSAGE.size):
        return None
    kind, code, _checksum, _flags, target = _MESSAGE.unpack_from(message)
    options = _options(message[_MESSAGE.size :])
    intact = code == 0 and not internet_checksum(_pseudo_header(source, destination, length) + message)
    if kind not in (SOLICITATION, ADVERTISEMENT) or not intact or options is None:
        return None
    asks_too = kind == SOLICITATION and source == UNSPECIFIED.packed
    if source != address.packed and not (target == address.packed and (kind == ADVERTISEMENT or asks_too)):
        return None
    # A proxy answers in the name of the machine in the option. One that is no Ethernet address is passed over.
    option = SOURCE_LINK_LAYER_ADDRESS if kind == SOLICITATION else TARGET_LINK_LAYER_ADDRESS
    named = options.get(option, b"")
    return named if len(named) == HARDWARE_BYTES else frame[6:12]


def _pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    """Return what the checksum covers before the message (RFC 8200 §8.1)."""
    return source + destination + struct.pack("!II", length, ICMPV6)


def _options(packed: bytes) -> dict[int, bytes] | None:
    """Return the options by type, None where one is torn or has no length: that message is dropped (RFC 4861 §4.6)."""
    found = {}
    while packed:
        length = 8 * packed[1] if len(packed) > 1 else 0
        if not 0 < length <= len(packed):
            return None
        found[packed[0]] = packed[2:length]
        packed = packed[length:]
    return found
