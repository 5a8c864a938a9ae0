"""Runs in a gateway whose storage is made: a leg that goes silent is evicted under writes, and comes back.

The leg is silenced by reserving its target for nobody here: to the driver that looks like a dead shelf, frames are
answered by errors that it drops, and I/O hangs up to deadsecs, which is an hour here.
"""

# ruff: noqa: ASYNC221, ASYNC240  # nothing else runs in its loop while it looks
import asyncio
import mmap
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aoeha.agents.interface import AgentError
from aoeha.agents.parts.aoe_driver import is_up
from aoeha.agents.registry import load_resource_agent
from aoeha.core.model.task import MirrorLimits
from aoeha.fabric.aoe.client import AoeClient, TargetAddress
from aoeha.fabric.aoe.frames import Target
from aoeha.io.host import Place
from aoeha.io.mirror_watch import MirrorWatch
from aoeha.io.processes import ProcessHost

DEVICE, UUID = "/dev/md/aoeha", "a0e4a000:00000000:00000000:00000001"
LEGS = ["/dev/etherd/e1.0", "/dev/etherd/e2.0"]
SHELF = TargetAddress(Target(2, 0), bytes.fromhex("027701000032"), "eth1")
STRANGER = bytes.fromhex("02aaaaaaaaaa")
BLOCK = 4_096
FIRST_BYTE = 32 << 20
PLACES = 1_024


class Writer:
    """Writes blocks through to the mirror, one by one, and knows the longest wait."""

    def __init__(self) -> None:
        self.written = 0
        self.longest_s = 0.0
        self.last = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        page = mmap.mmap(-1, BLOCK)
        disk = os.open(DEVICE, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
        while not self._ended.is_set():
            page[:8] = self.written.to_bytes(8, "big")
            os.pwrite(disk, page, FIRST_BYTE + self.written % PLACES * BLOCK)
            now = time.monotonic()
            self.longest_s, self.last = max(self.longest_s, now - self.last), now
            self.written += 1
            time.sleep(0.005)
        os.close(disk)

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)
        assert not self._thread.is_alive(), "a write hangs"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def timed(about: str, work: Awaitable[Any]) -> None:
    began = time.monotonic()
    await work
    say(f"{about}: {time.monotonic() - began:.3f} s")


async def refused(work: Awaitable[None]) -> str:
    try:
        await work
    except AgentError as error:
        return str(error)
    raise AssertionError("it was not refused")


async def until(about: str, look: Callable[[], Awaitable[bool]], seconds: float) -> None:
    began = time.monotonic()
    while not await look():
        assert time.monotonic() - began < seconds, (
            f"{about}: not within {seconds} s: {Path('/proc/mdstat').read_text()}"
        )
        await asyncio.sleep(0.1)
    say(f"{about}: {time.monotonic() - began:.3f} s")


async def reserve(*owners: bytes) -> None:
    async with AoeClient(["eth1"]) as client:
        await client.reserve(SHELF, owners, force=True, deadline_ms=2_000)


async def evicted(mirror: Any, writer: Writer) -> None:
    await reserve(STRANGER)
    await asyncio.sleep(1)
    stuck = writer.written
    await asyncio.sleep(0.5)
    assert writer.written == stuck, "the leg is not silent"
    await timed("evict", mirror.evict("e2.0"))
    await until("writes go on after evict", lambda: went_on(writer, stuck), 5)
    seen = await mirror.monitor()
    assert (seen.status.value, seen.missing) == ("degraded", ("e2.0",)), seen
    await timed("evict again", mirror.evict("e2.0"))
    assert "no other leg works" in await refused(mirror.evict("e1.0"))
    say(f"longest wait of a write, of which 1.5 s are the test's own: {writer.longest_s:.3f} s")


async def failed_by_itself(mirror: Any, writer: Writer) -> None:
    """Nobody evicts the leg: the driver gives it up, and it stays open."""
    deadsecs = Path("/sys/module/aoe/parameters/aoe_deadsecs")
    deadsecs.write_text("2")
    await reserve(STRANGER)

    async def is_missing() -> bool:
        return (await mirror.monitor()).missing == ("e2.0",)

    told = asyncio.Event()
    watch = MirrorWatch(told.set)
    watch.listen()
    assert not told.is_set(), "nothing has happened yet"
    await asyncio.wait_for(told.wait(), 10)
    await until("the driver has given the leg up, and the kernel said so", is_missing, 0.5)
    watch.close()
    deadsecs.write_text("3600")
    say(f"the driver calls it {Path('/sys/class/block/etherd!e2.0/state').read_text().strip()}")
    seen = writer.written
    await until("writes go on", lambda: went_on(writer, seen), 5)


async def went_on(writer: Writer, stuck: int) -> bool:
    return writer.written > stuck + 1


async def returned(mirror: Any, *, whole: bool) -> None:
    await reserve()
    await timed(f"take back, whole: {whole}", mirror.take_back("e2.0", whole=whole))
    seen = await mirror.monitor()
    assert seen.missing == (), seen
    await timed("take back again", mirror.take_back("e2.0", whole=whole))

    async def is_whole() -> bool:
        return (await mirror.monitor()).status.value == "running"

    await until("copied", is_whole, 90)


def same_legs() -> None:
    """Compare the data of both legs, which begins behind their superblocks and bitmaps."""
    # md writes past the page cache of its legs.
    Path("/proc/sys/vm/drop_caches").write_text("3")
    offsets = data_offsets()
    done = subprocess.run(
        ["cmp", "-i", f"{offsets[0]}:{offsets[1]}", "-n", str(48 << 20), *LEGS], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def data_offsets() -> list[int]:
    """Where the data of each leg begin, in bytes."""
    offsets = []
    for leg in LEGS:
        said = subprocess.run(["mdadm", "--examine", leg], check=True, capture_output=True, text=True).stdout
        found = re.search(r"Data Offset : (\d+) sectors", said)
        assert found, said
        offsets.append(int(found[1]) * 512)
    return offsets


def block(device: str, at: int, text: bytes = b"") -> bytes:
    """Read the first bytes of a block past the page cache, or write them."""
    page = mmap.mmap(-1, BLOCK)
    disk = os.open(device, (os.O_WRONLY if text else os.O_RDONLY) | os.O_DIRECT)
    page[: len(text)] = text
    os.pwrite(disk, page, at) if text else os.preadv(disk, [page], at)
    os.close(disk)
    return page[:4]


async def left_unclean(mirror: Any, places: list[int]) -> None:
    """Both legs are lost in the midst of a write, and hold different things where it was."""
    block(DEVICE, FIRST_BYTE, b"both")
    for target in ("e1.0", "e2.0"):
        Path("/dev/etherd/flush").write_text(target)
    await mirror.stop()

    async def are_back() -> bool:
        Path("/dev/etherd/discover").write_text("1")
        await asyncio.sleep(0.3)
        for leg in LEGS:
            number = Path(f"/sys/class/block/etherd!{Path(leg).name}/dev")
            if number.exists() and not Path(leg).exists():
                major, _, minor = number.read_text().strip().partition(":")
                os.mknod(leg, stat.S_IFBLK | 0o600, os.makedev(int(major), int(minor)))
        return all(is_up(Path(leg).name) for leg in LEGS)

    await until("both legs are there again", are_back, 20)
    for leg, at, text in zip(LEGS, places, (b"leg1", b"leg2"), strict=True):
        block(leg, at, text)


async def kept_clear(mirror: Any) -> None:
    """Nothing is copied for as long as that is forbidden; then it is read, and copied, from the leg that is sound."""
    places = [FIRST_BYTE + offset for offset in data_offsets()]
    await left_unclean(mirror, places)
    said = await refused(mirror.start_from(("e1.0",), MirrorLimits(), short=False))
    say(f"one leg of two, which is not meant to be alone: {said}")
    await mirror.stop()
    found = await mirror.read_superblocks()
    assert [(leg.name, leg.superblock.states) for leg in found.legs] == [("e1.0", "AA"), ("e2.0", "AA")], found
    await mirror.start_from(("e1.0", "e2.0"), MirrorLimits(freeze_resync=True), short=False)
    assert (await mirror.read_superblocks()).running
    block(DEVICE, FIRST_BYTE + (1 << 20), b"more")
    await asyncio.sleep(2)
    assert [block(leg, at) for leg, at in zip(LEGS, places, strict=True)] == [b"leg1", b"leg2"]
    assert block(DEVICE, FIRST_BYTE) == b"leg1", "md reads the first leg of what is not in sync"
    seen = await mirror.look(MirrorLimits(freeze_resync=True, write_mostly=("e1.0",)))
    assert (seen.status.value, seen.write_mostly) == ("running", ("e1.0",)), seen
    assert {block(DEVICE, FIRST_BYTE) for _ in range(20)} == {b"leg2"}
    await mirror.look(MirrorLimits(write_mostly=("e1.0",)))

    async def is_equal() -> bool:
        return block(LEGS[0], places[0]) == b"leg2"

    await until("let go, the sound leg was copied", is_equal, 30)
    assert block(LEGS[1], places[1]) == b"leg2"
    await mirror.evict("e1.0")
    await mirror.take_back("e1.0", whole=True)
    seen = await mirror.monitor()
    assert (seen.missing, seen.copying) == ((), ("e1.0",)) or seen.status.value == "running", seen

    async def is_whole() -> bool:
        return (await mirror.monitor()).status.value == "running"

    await until("copied as a whole", is_whole, 90)
    assert (await mirror.monitor()).write_mostly == (), "the mark is gone with the copy"


async def marked(mirror: Any, least: int, generation: int) -> None:
    """Both legs carry a number, at least this one, and take the next."""
    told = await mirror.renew((("e1.0", least), ("e2.0", least)), generation)
    assert (told.written, told.exchanged, told.refused) == (("e1.0", "e2.0"), (), ()), told


async def keeps_its_generation(mirror: Any) -> None:
    """See that mdadm writes nothing where the number lies, and what is lower than it must be is not written over."""
    for bitmap in ("none", "internal"):
        subprocess.run(["mdadm", "--grow", f"--bitmap={bitmap}", DEVICE], check=True)
    told = await mirror.renew((("e1.0", 1_000), ("e2.0", 0)), 1_000)
    assert (told.written, told.exchanged) == (("e2.0",), ("e1.0",)), told
    await marked(mirror, 30, 1_001)


async def written_apart(mirror: Any) -> None:
    """Both halves run without the other, one after the other: taking one back must be refused."""
    await mirror.stop()
    for alone, other in (LEGS, reversed(LEGS)):
        for words in (
            ["--assemble", "--run", "/dev/md9", alone],
            ["/dev/md9", "--fail", "detached"],
            ["--stop", "/dev/md9"],
        ):
            if "--stop" in words:
                subprocess.run(
                    ["dd", "if=/dev/urandom", "of=/dev/md9", "bs=4k", "count=1", "seek=9000", "oflag=direct"],
                    check=True,
                )
            subprocess.run(["mdadm", *words], check=True)
        say(f"{alone} ran without {other}")
    subprocess.run(["mdadm", "--assemble", "--run", DEVICE, LEGS[0]], check=True)
    sentence = await refused(mirror.take_back("e2.0", whole=False))
    assert "both were written apart" in sentence, sentence


async def main() -> None:
    Path("/run/aoeha").mkdir(exist_ok=True)
    host = ProcessHost(Place("gw", "alpha"))
    shelves = load_resource_agent("aoe")
    settings = {"interfaces": ["eth1"], "targets": ["e1.0", "e2.0"], "deadsecs": 3_600}
    await shelves("shelves", shelves.typed(settings), host).start()
    kind = load_resource_agent("raid")
    mirror = kind("mirror", kind.typed({"device": DEVICE, "uuid": UUID, "legs": LEGS, "hold_resync": "60s"}), host)
    await mirror.start()
    assert "has no leg on e3.0" in await refused(mirror.evict("e3.0"))
    await marked(mirror, 0, 10)
    for whole in (False, True):
        writer = Writer()
        await asyncio.sleep(1)
        await evicted(mirror, writer)
        await returned(mirror, whole=whole)
        writer.end()
        say(f"{writer.written} blocks written")
        same_legs()
        await marked(mirror, 20 if whole else 10, 30 if whole else 20)
    await keeps_its_generation(mirror)
    writer = Writer()
    await failed_by_itself(mirror, writer)
    await returned(mirror, whole=False)
    writer.end()
    same_legs()
    await kept_clear(mirror)
    await written_apart(mirror)
    say("legs passed")


asyncio.run(main())
