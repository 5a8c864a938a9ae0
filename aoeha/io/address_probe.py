"""Duplicate address detection: asks the network three times who has an address, by ARP or by neighbour discovery.

The RFCs wait a second for each answer, and before the first question (RFC 5227 §2.1.1, RFC 4862 §5.4). That suits a
machine that boots; here clients wait for the address. The questions go out within a fifth of a second and are repeated
by the core while the peer may still answer (R12).

What this file does not know: what follows from an answer.
"""

import asyncio
import ctypes
import socket
import struct
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from aoeha.io import arp_probe, neighbour_probe

__all__ = ["PROBES", "PROBE_EVERY_S", "answering_hardware"]

PROBES = 3
PROBE_EVERY_S = 0.07
FRAME_BYTES = 2_048
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_MULTICAST = 263, 1, 0  # packet(7), linux/if_packet.h


async def answering_hardware(interface: str, address: IPv4Address | IPv6Address) -> str:
    """Send three probes within a fifth of a second. Raises OSError when the interface cannot be used.

    Returns the hardware address of another machine as soon as it claims the address, whether it answers us or not, and
    an empty text when none does. Frames that name the hardware address of this interface are our own: so it may be
    asked also where this kernel has the address.
    """
    # The socket hears nothing before it is bound.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as packets:
        match address:
            case IPv4Address():
                packets.bind((interface, arp_probe.ETHERTYPE_ARP))
                own = _own_hardware(packets)
                probe = arp_probe.probe_frame(own, address)
                claiming = partial(arp_probe.claiming_hardware, address=address)
            case IPv6Address():
                _hear_neighbours(packets, interface, address)
                own = _own_hardware(packets)
                probe = neighbour_probe.probe_frame(own, address)
                claiming = partial(neighbour_probe.claiming_hardware, address=address)
        for _ in range(PROBES):
            packets.send(probe)
            if claimer := await _claimer(packets, claiming, own):
                return claimer.hex(":")
    return ""


async def _claimer(packets: socket.socket, claiming: Callable[[bytes], bytes | None], own: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PROBE_EVERY_S):
            while True:
                claimer = claiming(await loop.sock_recv(packets, FRAME_BYTES))
                if claimer is not None and claimer != own:
                    return claimer
                # As long as frames are there, `sock_recv` returns at once: no deadline would be noticed.
                await asyncio.sleep(0)
    except TimeoutError:
        return b""


def _own_hardware(packets: socket.socket) -> bytes:
    return bytes(packets.getsockname()[4])


def _hear_neighbours(packets: socket.socket, interface: str, address: IPv6Address) -> None:
    """Bind to the neighbour messages of the interface, and let those to the groups of the address through."""
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in neighbour_probe.NEIGHBOUR_MESSAGES)
    buffer = ctypes.create_string_buffer(program, len(program))
    filtering = struct.pack("HP", len(neighbour_probe.NEIGHBOUR_MESSAGES), ctypes.addressof(buffer))
    packets.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtering)
    packets.bind((interface, neighbour_probe.ETHERTYPE_IPV6))
    for group in neighbour_probe.hardware_groups(address):
        member = struct.pack("iHH8s", socket.if_nametoindex(interface), PACKET_MR_MULTICAST, len(group), group)
        packets.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)
