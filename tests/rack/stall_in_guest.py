"""Runs in a gateway whose storage is made: how long writes wait for the driver alone, with nobody watching the shelves.

One target address goes silent, as in tests/rack/leg_in_guest.py: it is reserved for somebody else, and the driver drops
its errors. With one address a leg that is the loss of a shelf; with two it is the loss of one of its paths.

The driver leaves a path when a frame has waited longer than deadsecs / paths there. A third word, `failover`, tries
what shortens that: 2 s into the silence deadsecs is 3 for a moment, too long to give up the leg, too short to keep the
path.

    python -m aoeha.rack.drills.shell --storage --deadline-s 300 alpha -- python tests/rack/stall_in_guest.py 15 eth1
    python -m aoeha.rack.drills.shell --storage --dual-homed alpha -- python tests/rack/stall_in_guest.py 15 eth1,eth3
"""

import asyncio
import mmap
import os
import sys
import time
from pathlib import Path

from aoeha.agents.registry import load_resource_agent
from aoeha.fabric.aoe.client import AoeClient, TargetAddress
from aoeha.fabric.aoe.frames import Target
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

DEVICE, UUID = "/dev/md/aoeha", "a0e4a000:00000000:00000000:00000001"
LEGS = ["/dev/etherd/e1.0", "/dev/etherd/e2.0"]
SHELF = TargetAddress(Target(2, 0), bytes.fromhex("027701000032"), "eth1")
STRANGER = bytes.fromhex("02aaaaaaaaaa")
BLOCK, PLACES, FIRST_BYTE = 4_096, 1_024, 32 << 20
GO_ON_S = 5
DEADSECS = Path("/sys/module/aoe/parameters/aoe_deadsecs")
HURRY_AFTER_S, HURRIED, HURRY_FOR_S = 2, 3, 0.5


def longest_wait_s(until_s: float) -> float:
    """Write block after block through to the mirror; return when the longest wait is over for a while."""
    page = mmap.mmap(-1, BLOCK)
    disk = os.open(DEVICE, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
    longest_s, written, began = 0.0, 0, time.monotonic()
    before = ended = began
    while before - began < until_s and (longest_s < 1 or before - ended < GO_ON_S):
        os.pwrite(disk, page, FIRST_BYTE + written % PLACES * BLOCK)
        written += 1
        now = time.monotonic()
        if now - before > longest_s:
            longest_s, ended = now - before, now
        time.sleep(0.005)
        before = time.monotonic()
    os.close(disk)
    return longest_s


async def hurry(deadsecs: int) -> None:
    await asyncio.sleep(HURRY_AFTER_S)
    await asyncio.to_thread(DEADSECS.write_text, str(HURRIED))
    await asyncio.sleep(HURRY_FOR_S)
    await asyncio.to_thread(DEADSECS.write_text, str(deadsecs))


async def main(deadsecs: int, interfaces: list[str], *, hurried: bool) -> None:
    host = ProcessHost(Place("gw", "alpha"))
    shelves = load_resource_agent("aoe")
    settings = {"interfaces": interfaces, "targets": ["e1.0", "e2.0"], "deadsecs": deadsecs}
    await shelves("shelves", shelves.typed(settings), host).start()
    kind = load_resource_agent("raid")
    mirror = kind("mirror", kind.typed({"device": DEVICE, "uuid": UUID, "legs": LEGS, "hold_resync": "1s"}), host)
    await mirror.start()
    writing = asyncio.create_task(asyncio.to_thread(longest_wait_s, 240))
    await asyncio.sleep(2)
    async with AoeClient(["eth1"]) as client:
        await client.reserve(SHELF, (STRANGER,), force=True, deadline_ms=2_000)
    if hurried:
        await hurry(deadsecs)
    longest_s = await writing
    status = (await mirror.monitor()).status.value
    settings_told = f"deadsecs {deadsecs}{', hurried' if hurried else ''}, storage on {', '.join(interfaces)}"
    sys.stdout.write(f"{settings_told}: longest wait of a write {longest_s:.2f} s; the mirror is {status} then\n")


Path("/run/aoeha").mkdir(exist_ok=True)
asyncio.run(main(int(sys.argv[1]), sys.argv[2].split(","), hurried="hurry" in sys.argv))
