"""Duplicate address detection by ARP probes, which change no host's cache (RFC 5227 §2.1)."""

import asyncio
import socket
import struct
from ipaddress import IPv4Address

__all__ = ["PROBES", "PROBE_EVERY_S", "answering_hardware", "probe_frame", "somebody_answers"]

ETHERTYPE_ARP = 0x0806
ARP_REQUEST = 1
BROADCAST = b"\xff" * 6
PROBES = 3
PROBE_EVERY_S = 0.07
FRAME_BYTES = 2_048
_ARP = struct.Struct("!HHBBH6s4s6s4s")


async def somebody_answers(interface: str, address: IPv4Address) -> bool:
    """Send three probes within a fifth of a second. Raises OSError when the interface cannot be used.

    True as soon as another machine claims the address in any ARP message, whether it answers us or not.
    """
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as packets:
        packets.bind((interface, ETHERTYPE_ARP))
        own = packets.getsockname()[4]
        for _ in range(PROBES):
            packets.send(probe_frame(own, address))
            try:
                async with asyncio.timeout(PROBE_EVERY_S):
                    while True:
                        other = answering_hardware(await loop.sock_recv(packets, FRAME_BYTES), address)
                        if other not in (None, own):
                            return True
            except TimeoutError:
                continue
    return False


def probe_frame(hardware_address: bytes, address: IPv4Address) -> bytes:
    """Return an ARP request whose sender address is all zero."""
    header = BROADCAST + hardware_address + struct.pack("!H", ETHERTYPE_ARP)
    return header + _ARP.pack(1, 0x0800, 6, 4, ARP_REQUEST, hardware_address, bytes(4), bytes(6), address.packed)


def answering_hardware(frame: bytes, address: IPv4Address) -> bytes | None:
    """Return the hardware address that a frame names as the owner of the address, or None."""
    if len(frame) < 14 + _ARP.size or frame[12:14] != struct.pack("!H", ETHERTYPE_ARP):
        return None
    _hardware, protocol, _hlen, _plen, _operation, sender, sender_address, _, _ = _ARP.unpack_from(frame, 14)
    return bytes(sender) if (protocol, sender_address) == (0x0800, address.packed) else None
