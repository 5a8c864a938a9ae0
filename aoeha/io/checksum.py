"""The Internet checksum of IPv4, ICMP, ICMPv6 and TCP (RFC 1071)."""

import struct

__all__ = ["internet_checksum"]


def internet_checksum(data: bytes) -> int:
    """Return the complement of the one's complement sum of the 16-bit words; an odd last byte is padded with zero.

    What already bears its right checksum yields 0 (RFC 1071 §1).
    """
    padded = data + bytes(len(data) % 2)
    total = int(sum(struct.unpack(f"!{len(padded) // 2}H", padded)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
