"""What a client of the service does: writes numbered records and pings the address. Runs inside a guest.

A record counts when write and fsync returned. It is a line of fixed size that names its number and a check sum, at the
place in the file that belongs to its number, so that a lost, torn, moved or foreign record shows.
"""

import os
import select
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any, Protocol

RECORD_BYTES = 64
READ_BYTES = 1 << 20

__all__ = ["RECORD_BYTES", "Prober", "Writer", "read_records", "record"]


def record(number: int) -> bytes:
    """One record: 64 bytes of text, newline included."""
    body = f"record {number:012d} "
    return f"{body}{zlib.crc32(body.encode()):08x}".ljust(RECORD_BYTES - 1, ".").encode() + b"\n"


class Writer:
    """Writes record after record, each followed by fsync, at most one every `every_ms`."""

    def __init__(self, path: str, every_ms: int, say: Callable[..., None]) -> None:
        self._path = path
        self._every_s = every_ms / 1000
        self._say = say
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._acknowledged = 0

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> int:
        """End after the record under way; returns the number acknowledged."""
        self._stop.set()
        self._thread.join(120)
        return self._acknowledged

    def _write(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        number = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                os.pwrite(descriptor, record(number), number * RECORD_BYTES)
                os.fsync(descriptor)
            except OSError as error:
                self._say("refused", number=number, reason=str(error))
                self._stop.wait(0.1)
                continue
            self._acknowledged = number + 1
            self._say("acknowledged", number=number, took_ms=round((time.monotonic() - began) * 1000, 1))
            number += 1
            self._stop.wait(max(0.0, self._every_s - (time.monotonic() - began)))
        os.close(descriptor)


def read_records(path: str) -> dict[str, Any]:
    """Read a file of records: how many places it has, and which of them don't hold what belongs there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        bad: list[int] = []
        places = 0
        while chunk := os.pread(descriptor, READ_BYTES, places * RECORD_BYTES):
            for offset in range(0, len(chunk), RECORD_BYTES):
                if chunk[offset : offset + RECORD_BYTES] != record(places):
                    bad.append(places)
                places += 1
    finally:
        os.close(descriptor)
    return {"places": places, "bad": bad[:10_000]}


class Loop(Protocol):
    """What a prober needs of the agent."""

    def event(self, kind: str, **facts: Any) -> None:
        """Tell the driver."""

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Call back after a while."""

    def watch(self, descriptor: int, action: Callable[[], None]) -> None:
        """Call back when readable."""


class Prober:
    """Pings one address from the agent's loop. An answer is an event with the number of its question."""

    def __init__(self, address: str, every_ms: int, loop: Loop) -> None:
        self._address = address
        self._every_ms = every_ms
        self._loop = loop
        self._number = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.setblocking(False)

    def start(self) -> None:
        """Begin; returns at once."""
        self._loop.watch(self._socket.fileno(), self._hear)
        self._loop.later(0, self._ask)

    def _ask(self) -> None:
        self._number += 1
        self._loop.later(self._every_ms, self._ask)
        body = struct.pack("!BBHHH", 8, 0, 0, 0xA0E, self._number & 0xFFFF)
        total = sum(struct.unpack("!4H", body))
        total = (total & 0xFFFF) + (total >> 16)
        packet = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
        try:
            self._socket.sendto(packet, (self._address, 0))
        except OSError:
            return

    def _hear(self) -> None:
        while select.select([self._socket], [], [], 0)[0]:
            packet = self._socket.recv(2048)
            if len(packet) >= 28 and packet[20] == 0 and struct.unpack("!H", packet[24:26])[0] == 0xA0E:
                self._loop.event("answered", number=struct.unpack("!H", packet[26:28])[0])
