"""What frames.c tells a guest's network driver when a frame is lost, so that the interface outlives it."""

import ctypes
import errno
import os
import shutil
from pathlib import Path

import pytest

from aoeha.rack.machines.host import preload

pytestmark = [
    pytest.mark.rack,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc, as the rack does"),
]


class Part(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


@pytest.fixture
def library(tmp_path: Path) -> ctypes.CDLL:
    """The library that guests are started with."""
    return ctypes.CDLL(str(preload(tmp_path)), use_errno=True)


def test_a_frame_that_finds_no_memory_is_taken_off_the_queue_and_no_error(library: ctypes.CDLL) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"frame")
        assert library.readv(reader, ctypes.byref(Part(None, 32)), 1) == 5
        os.write(writer, b"the next")
        buffer = ctypes.create_string_buffer(32)
        assert library.readv(reader, ctypes.byref(Part(ctypes.addressof(buffer), 32)), 1) == 8
        assert buffer.value == b"the next"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_frame_for_a_pulled_cable_is_a_full_queue_to_the_driver(library: ctypes.CDLL) -> None:
    refusing = os.open("/proc/self/mem", os.O_RDWR)  # where nothing is mapped it fails as a tap that is down does
    try:
        with pytest.raises(OSError, match="Input/output error"):
            os.write(refusing, b"frame")
        frame = ctypes.create_string_buffer(5)
        assert library.writev(refusing, ctypes.byref(Part(ctypes.addressof(frame), 5)), 1) == -1
        assert ctypes.get_errno() == errno.ENOBUFS
    finally:
        os.close(refusing)
