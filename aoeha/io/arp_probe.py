"""ARP probes as bytes: who has an IPv4 address? They change no host's cache (RFC 5227 §2.1)."""

import struct
from ipaddress import IPv4Address

__all__ = ["ETHERTYPE_ARP", "claiming_hardware", "probe_frame"]

ETHERTYPE_ARP = 0x0806
ARP_REQUEST = 1
BROADCAST = b"\xff" * 6
_ARP = struct.Struct("!HHBBH6s4s6s4s")


def probe_frame(hardware_address: bytes, address: IPv4Address) -> bytes:
    """Return an ARP request whose sender address is all zero."""
    header = BROADCAST + hardware_address + struct.pack("!H", ETHERTYPE_ARP)
    return header + _ARP.pack(1, 0x0800, 6, 4, ARP_REQUEST, hardware_address, bytes(4), bytes(6), address.packed)


def claiming_hardware(frame: bytes, address: IPv4Address) -> bytes | None:
    """Return the hardware address that a frame names as the owner of the address, or None."""
    if len(frame) < 14 + _ARP.size or frame[12:14] != struct.pack("!H", ETHERTYPE_ARP):
        return None
    _hardware, protocol, _hlen, _plen, _operation, sender, sender_address, _, _ = _ARP.unpack_from(frame, 14)
    return bytes(sender) if (protocol, sender_address) == (0x0800, address.packed) else None
