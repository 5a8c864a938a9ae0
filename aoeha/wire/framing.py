"""Frames beats on a serial line: where each begins and ends, and whether it arrived complete.

A frame is a zero byte, the payload and its CRC-32 in COBS (consistent overhead byte stuffing, Cheshire and Baker
1999: no zero byte inside, at most one byte in 254 more), and a zero byte. The leading zero costs one byte and makes
each frame independent of what was on the line before it: garbage, or a frame that was cut in half because the line
was stuck.
"""

import struct
import zlib

from aoeha.wire.codec import SERIAL_LIMIT

__all__ = ["FRAME_SIZE_MAX", "Deframer", "frame"]

_DELIMITER = b"\0"
_CRC = struct.Struct(">I")
_RUN_MAX = 254

FRAME_SIZE_MAX = SERIAL_LIMIT + _CRC.size + (SERIAL_LIMIT + _CRC.size) // _RUN_MAX + 1 + 2
"""Bytes on the line for the longest beat, delimiters included."""


def frame(payload: bytes) -> bytes:
    """Return the bytes to put on the line for one beat of at most SERIAL_LIMIT bytes."""
    assert 0 < len(payload) <= SERIAL_LIMIT
    return _DELIMITER + _stuff(payload + _CRC.pack(zlib.crc32(payload))) + _DELIMITER


class Deframer:
    """Finds the frames in the bytes from the line, in pieces of any size.

    `dropped` counts stretches between two zero bytes that were no frame: garbage, halves, frames with a bad CRC.
    The caller may reset it. Never holds more than FRAME_SIZE_MAX bytes.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._pending = bytearray()
        self._overflowed = False

    @property
    def is_between_frames(self) -> bool:
        """Whether nothing is held of a frame that has begun."""
        return not (self._pending or self._overflowed)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that these bytes complete, in order."""
        *complete, rest = data.split(_DELIMITER)
        payloads = []
        for piece in complete:
            self._append(piece)
            payload = self._finish()
            if payload is not None:
                payloads.append(payload)
        self._append(rest)
        return payloads

    def _append(self, piece: bytes) -> None:
        if len(self._pending) + len(piece) > FRAME_SIZE_MAX:
            self._overflowed = True
            self._pending.clear()
        if not self._overflowed:
            self._pending += piece

    def _finish(self) -> bytes | None:
        stuffed, overflowed = bytes(self._pending), self._overflowed
        self._pending.clear()
        self._overflowed = False
        if not stuffed and not overflowed:
            return None
        payload = None if overflowed else _checked(_unstuff(stuffed))
        if payload is None:
            self.dropped += 1
        return payload


def _checked(data: bytes | None) -> bytes | None:
    if data is None or not _CRC.size < len(data) <= SERIAL_LIMIT + _CRC.size:
        return None
    payload, crc = data[: -_CRC.size], data[-_CRC.size :]
    return payload if _CRC.pack(zlib.crc32(payload)) == crc else None


def _stuff(data: bytes) -> bytes:
    stuffed = bytearray()
    for run in data.split(_DELIMITER):
        start = 0
        while len(run) - start >= _RUN_MAX:
            stuffed.append(_RUN_MAX + 1)
            stuffed += run[start : start + _RUN_MAX]
            start += _RUN_MAX
        stuffed.append(len(run) - start + 1)
        stuffed += run[start:]
    return bytes(stuffed)


def _unstuff(stuffed: bytes) -> bytes | None:
    data = bytearray()
    position = 0
    while position < len(stuffed):
        code = stuffed[position]
        end = position + code
        if end > len(stuffed):
            return None
        data += stuffed[position + 1 : end]
        if code <= _RUN_MAX and end < len(stuffed):
            data += _DELIMITER
        position = end
    return bytes(data)
