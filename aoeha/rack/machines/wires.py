"""What the wires say: which node's writes the shelves acknowledged, their holders, and which node has the address.

Looks at every frame that a guest hands to a switch, and keeps those that bear witness: a shelf's answer to a write (the
gateway that it is for has written, or was refused) or to a reservation, the question for that reservation, what a
target says when it starts, and whatever comes from the service address. No guest knows of it. Each frame bears the time
at which the kernel saw it.
"""

import asyncio
import ctypes
import errno
import ipaddress
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from aoeha.rack.machines.guest_link import now_ms

__all__ = ["ADDRESS", "REFUSED", "Stretch", "Wires", "read_frame"]

ADDRESS = "address"
REFUSED = "refused"
LOOK_EVERY_S = 0.02
PAUSE_MS = 1_000
BUFFER_BYTES = 16 << 20
SNAP_BYTES = 64
ETH_P_ALL, AOE, ARP, IPV4 = 0x0003, 0x88A2, 0x0806, 0x0800
RESPONSE, ERROR, ATA, WRITE = 8, 4, 0, 1
CONFIG, RESERVE, READ = 1, 3, 0
EVERYBODY = bytes.fromhex("ffffffffffff")
"""AoEr11: flags in the upper byte 14, command 0 is ATA, bit 0 of aflags is a write (see aoeha/fabric/aoe)."""
SO_TIMESTAMPNS, TIME_BYTES = 35, 16
"""time(7), socket(7): the kernel's own stamp of each frame, seconds and nanoseconds of the day."""
SO_ATTACH_FILTER, SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING = 26, 33, 263, 6, 4
PACKET_TYPE = 0xFFFFF000 + 4
"""Where a filter finds the packet's type (linux/filter.h, SKF_AD_OFF + SKF_AD_PKTTYPE)."""
BYTE, HALF, WORD, EQUAL, ANY_BIT, RETURN = 0x30, 0x28, 0x20, 0x15, 0x45, 0x06


@dataclass(slots=True)
class Stretch:
    """`who` did one thing for a while at a `place` (a shelf, or ADDRESS).

    `kind`: it wrote ("landed") or tried to ("refused"), asked for a reservation ("asked") and had it ("reserved"),
    announced itself ("advert"), or answered for the address ("answered").
    """

    kind: str
    place: str
    who: str
    since_ms: int
    until_ms: int
    frames: int = 1


def _filter(address: str) -> bytes:
    """The kernel's filter (bpf(4)): jumps count the instructions that are skipped."""
    number = int(ipaddress.IPv4Address(address))
    program = (
        (BYTE, 0, 0, PACKET_TYPE), (EQUAL, 23, 0, PACKET_OUTGOING),
        (HALF, 0, 0, 12), (EQUAL, 2, 0, AOE), (EQUAL, 11, 0, ARP), (EQUAL, 12, 19, IPV4),
        (BYTE, 0, 0, 14), (ANY_BIT, 0, 14, RESPONSE), (BYTE, 0, 0, 19), (EQUAL, 4, 0, ATA), (EQUAL, 13, 0, RESERVE),
        (EQUAL, 0, 13, CONFIG), (WORD, 0, 0, 20), (EQUAL, 10, 11, 0),
        (BYTE, 0, 0, 24), (ANY_BIT, 8, 9, WRITE),
        (WORD, 0, 0, 28), (EQUAL, 6, 7, number),
        (WORD, 0, 0, 26), (EQUAL, 0, 5, number), (BYTE, 0, 0, 23), (EQUAL, 2, 3, socket.IPPROTO_ICMP),
        (BYTE, 0, 0, 19), (EQUAL, 0, 1, RESERVE),
        (RETURN, 0, 0, SNAP_BYTES), (RETURN, 0, 0, 0),
    )  # fmt: skip
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def read_frame(frame: bytes, guest_of: Callable[[str], str], address: bytes) -> tuple[str, str, str] | None:
    """What a frame bears witness to: kind, place and who, as in Stretch. None where it bears none.

    The filter leaves few frames, but the socket hears before the filter stands: every frame is looked at again.
    """
    source, target = guest_of(frame[6:12].hex(":")), guest_of(frame[:6].hex(":"))
    match int.from_bytes(frame[12:14], "big"):
        case protocol if protocol == ARP:
            return ("answered", ADDRESS, source) if frame[28:32] == address else None
        case protocol if protocol == IPV4:
            answers = frame[26:30] == address and frame[23] == socket.IPPROTO_ICMP
            return ("answered", ADDRESS, source) if answers else None
        case protocol if protocol != AOE:
            return None
    return _read_aoe(frame, source, target)


def _read_aoe(frame: bytes, source: str, target: str) -> tuple[str, str, str] | None:
    refused = bool(frame[14] & ERROR)
    if not frame[14] & RESPONSE:
        return ("asked", target, source) if frame[19] == RESERVE and _sets(frame) else None
    match frame[19]:
        case command if command == ATA and frame[24] & WRITE:
            return (REFUSED if refused else "landed"), source, target
        case command if command == CONFIG:
            # Answers to the kernel driver's questions bear no tag either, but go to who asked.
            return ("advert", source, source) if frame[:6] == EVERYBODY else None
        case command if command == RESERVE:
            return ("reserved", source, target) if _sets(frame) and not refused else None
        case _:
            return None


def _sets(reservation: bytes) -> bool:
    return reservation[24] != READ and reservation[25] > 0


class Wires:
    """Made in the rack's network namespace; sees all switches of it."""

    def __init__(self, address: str, guest_of: Callable[[str], str]) -> None:
        self._guest_of, self._address = guest_of, socket.inet_aton(address)
        self._now: dict[tuple[str, str], Stretch] = {}
        self._stretches: list[Stretch] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        program = ctypes.create_string_buffer(_filter(address))
        count = (len(program) - 1) // 8
        self._socket.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", count, ctypes.addressof(program))
        )

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self._look()
            await asyncio.sleep(LOOK_EVERY_S)

    def _look(self) -> None:
        day_ahead_ms = time.time_ns() // 1_000_000 - now_ms()
        while True:
            try:
                frame, told, _, _ = self._socket.recvmsg(SNAP_BYTES, socket.CMSG_SPACE(TIME_BYTES))
            except BlockingIOError:
                return
            except OSError as error:
                # Told once to a socket that sees all interfaces, when one of them is taken down.
                if error.errno == errno.ENETDOWN:
                    continue
                raise
            seconds, nanoseconds = struct.unpack("qq", told[0][2])
            witnessed = read_frame(frame, self._guest_of, self._address)
            if witnessed is not None:
                self._keep(seconds * 1_000 + nanoseconds // 1_000_000 - day_ahead_ms, *witnessed)

    def _keep(self, at_ms: int, kind: str, place: str, who: str) -> None:
        now = self._now.get((kind, place))
        if now is not None and now.who == who and at_ms - now.until_ms <= PAUSE_MS:
            now.until_ms, now.frames = at_ms, now.frames + 1
            return
        self._now[kind, place] = Stretch(kind, place, who, at_ms, at_ms)
        self._stretches.append(self._now[kind, place])

    def close(self) -> dict[str, Any]:
        """Stop looking; returns all stretches in order of their beginning, and how many frames were not looked at."""
        self._look()
        _, unseen = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._socket.close()
        return {"unseen": unseen, "stretches": [asdict(stretch) for stretch in self._stretches]}
