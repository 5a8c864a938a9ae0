"""Filters of raw sockets. The kernel drops all other frames, so that a busy array costs the daemon nothing.

A raw socket hears everything that this host's AoE driver hears, thousands of data frames a second. Classic BPF,
attached before the socket is bound (packet(7), Documentation/networking/filter.rst); offsets count from the Ethernet
header: 14 version and flags, 19 command, 20 the tag's first byte.
"""

import ctypes
import socket
import struct
from enum import Enum

__all__ = ["FrameFilter", "attach"]

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_LOAD_BYTE, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x30, 0x15, 0x45, 0x06  # linux/bpf_common.h
_FLAGS_AT, _COMMAND_AT, _TAG_AT = 14, 19, 20
_RESPONSE, _CONFIG, _TOP_BIT = 0x08, 1, 0x80
_WHOLE_FRAME = 0xFFFF

Instruction = tuple[int, int, int, int]
"""Operation, how many instructions to skip if true, if false, and its operand."""


class FrameFilter(Enum):
    """ANSWERS: to questions from user space, by the top bit of their tags. ADVERTS: what targets say of themselves."""

    ANSWERS = (
        (_LOAD_BYTE, 0, 0, _TAG_AT),
        (_IF_ANY_BIT, 0, 1, _TOP_BIT),
        (_RETURN, 0, 0, _WHOLE_FRAME),
        (_RETURN, 0, 0, 0),
    )
    ADVERTS = (
        (_LOAD_BYTE, 0, 0, _FLAGS_AT),
        (_IF_ANY_BIT, 0, 3, _RESPONSE),
        (_LOAD_BYTE, 0, 0, _COMMAND_AT),
        (_IF_EQUAL, 0, 1, _CONFIG),
        (_RETURN, 0, 0, _WHOLE_FRAME),
        (_RETURN, 0, 0, 0),
    )


def attach(raw: socket.socket, chosen: FrameFilter) -> None:
    """Attach the filter of the chosen frames. Raises OSError."""
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in chosen.value)
    buffer = ctypes.create_string_buffer(program, len(program))
    description = struct.pack("HP", len(chosen.value), ctypes.addressof(buffer))
    raw.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, description)
