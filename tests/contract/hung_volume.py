"""A volume that never answers: a file system in user space whose server takes every request and replies to none.

What waits for it cannot be killed, as with a disk whose shelf is gone: the kernel waits until the server has answered a
request that it has read (request_wait_answer in Linux's fs/fuse/dev.c), or is dead.
"""

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HEADER, REPLY = struct.Struct("=IIQQIIII"), struct.Struct("=IiQ")
OPENING = struct.Struct("=IIIIHHIIHHI28x")
INIT = 26
REQUEST_MAX = 1 << 20


@contextlib.contextmanager
def hung_volume(directory: Path) -> Iterator[None]:
    """Mount it. At the end all that waits for it gets an error."""
    directory.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen([sys.executable, __file__, str(directory)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "mounted\n"
        yield
    finally:
        server.kill()
        server.communicate()
        subprocess.run(["umount", "--lazy", str(directory)], check=False)


def serve(directory: str) -> None:
    """Mount, say so, and read all requests. The first one, which opens the session, is answered."""
    server = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    words = f"fd={server},rootmode=40755,user_id=0,group_id=0,allow_other".encode()
    assert libc.mount(b"hung", directory.encode(), b"fuse", 0, words) == 0, os.strerror(ctypes.get_errno())
    sys.stdout.write("mounted\n")
    sys.stdout.flush()
    while True:
        request = os.read(server, REQUEST_MAX)
        _, kind, number, *_ = HEADER.unpack_from(request)
        if kind == INIT:
            major, minor = struct.unpack_from("=II", request, HEADER.size)
            told = OPENING.pack(major, minor, 0, 0, 0, 0, 4096, 1, 0, 0, 0)
            os.write(server, REPLY.pack(REPLY.size + len(told), 0, number) + told)


if __name__ == "__main__":
    serve(sys.argv[1])
