"""The serial link against real pseudo-terminals: the kernel's own tty layer, without a cable."""

import asyncio
import contextlib
import os
import pty
import termios
import time
import tty
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from patience import PATIENCE_S

from aoeha.io.link import BACK_OFF_MAX_MS, SerialSettings
from aoeha.io.serial_link import SerialLink
from aoeha.wire.codec import SERIAL_LIMIT
from aoeha.wire.framing import Deframer, frame


class Ears:
    """What a link reported, with something to await."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.faults: list[str] = []
        self._changed = asyncio.Event()

    def on_datagram(self, name: str, data: bytes) -> None:
        assert name == "serial"
        self.heard.append(data)
        self._changed.set()

    def on_fault(self, name: str, sentence: str) -> None:
        assert name == "serial"
        self.faults.append(sentence)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def line(device: Path) -> AsyncIterator[tuple[SerialLink, Ears, int]]:
    """A link on a path that leads to the other end of a raw pty, whose near end is the third value."""
    near = plug_in(device)
    link, ears = SerialLink("serial", SerialSettings(str(device))), Ears()
    link.open(asyncio.get_running_loop(), ears.on_datagram, ears.on_fault)
    try:
        yield link, ears, near
    finally:
        link.close()
        with contextlib.suppress(OSError):
            os.close(near)


def descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def plug_in(device: Path) -> int:
    near, far = pty.openpty()
    tty.setraw(far)
    os.set_blocking(near, False)
    device.unlink(missing_ok=True)
    device.symlink_to(os.ttyname(far))
    os.close(far)
    return near


def test_beats_go_both_ways_and_garbage_is_counted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with line(tmp_path / "port") as (link, ears, near):
            for payload in (b"\0" * SERIAL_LIMIT, b"\x11\x13\x03\n\r" * 50, bytes(range(250))):
                os.write(near, b"\0login: \xff\x00" + frame(payload)[:-1])
                os.write(near, b"\0")
                await ears.until(partial(ears.heard.__contains__, payload))
                assert link.send(payload)
                assert Deframer().feed(os.read(near, 1_000)) == [payload]
            assert link.counters["noise"] == 3
            assert (link.counters["sent"], link.counters["received"]) == (3, 3)
            assert ears.faults == []

    asyncio.run(scene())


def test_the_line_is_raw_without_flow_control_at_the_configured_speed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with line(tmp_path / "port") as (_, _, near):
            input_flags, output_flags, control_flags, local_flags, _, speed, characters = termios.tcgetattr(near)
            assert speed == termios.B115200
            assert not input_flags & (termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR)
            assert not output_flags & termios.OPOST
            assert not control_flags & termios.CRTSCTS
            assert not local_flags & (termios.ICANON | termios.ECHO | termios.ISIG)
            assert characters[termios.VMIN] == 1, "else an empty read would not mean a hang-up"

    asyncio.run(scene())


def test_a_stuck_line_drops_beats_at_once_and_works_again_when_read(tmp_path: Path) -> None:
    async def scene() -> None:
        async with line(tmp_path / "port") as (link, ears, near):
            longest_ms = 0.0
            for _ in range(5_000):
                before = time.monotonic()
                sent = link.send(b"x" * SERIAL_LIMIT)
                longest_ms = max(longest_ms, 1_000 * (time.monotonic() - before))
                if not sent:
                    break
            assert not sent
            assert longest_ms < 100
            assert ears.faults[-1].startswith("cannot send on serial port ")
            deframer, read = Deframer(), []
            with contextlib.suppress(BlockingIOError):
                while True:
                    read += deframer.feed(os.read(near, 65_536))
            assert link.send(b"next")
            async with asyncio.timeout(PATIENCE_S):
                while b"next" not in read:
                    with contextlib.suppress(BlockingIOError):
                        read += deframer.feed(os.read(near, 65_536))
                    await asyncio.sleep(0)
            assert read == [b"x" * SERIAL_LIMIT] * (link.counters["sent"] - 1) + [b"next"]
            assert ears.faults[-1] == ""

    asyncio.run(scene())


def test_a_hung_up_line_is_a_fault_and_comes_back_by_itself(tmp_path: Path) -> None:
    async def scene() -> None:
        device = tmp_path / "port"
        async with line(device) as (link, ears, near):
            os.close(near)
            await ears.until(lambda: len(ears.faults) > 0)
            assert ears.faults[0].startswith(f"lost serial port {device}: ")
            assert not link.send(b"beat")
            await ears.until(lambda: ears.faults[-1].startswith("cannot open serial port"))
            again = plug_in(device)
            try:
                async with asyncio.timeout(BACK_OFF_MAX_MS / 1_000 + 1):
                    await ears.until(lambda: ears.faults[-1] == "")
                os.write(again, frame(b"hello"))
                await ears.until(lambda: ears.heard == [b"hello"])
                assert link.send(b"beat")
            finally:
                os.close(again)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("device", "says"),
    [("missing", "No such file or directory"), ("/dev/null", "Inappropriate ioctl for device")],
)
def test_a_device_that_is_no_port_is_a_sentence_and_never_fatal(tmp_path: Path, device: str, says: str) -> None:
    async def scene() -> None:
        link, ears = SerialLink("serial", SerialSettings(str(tmp_path / device))), Ears()
        link.open(asyncio.get_running_loop(), ears.on_datagram, ears.on_fault)
        assert ears.faults[0].startswith(f"cannot open serial port {tmp_path / device} at 115200 baud: {says}; ")
        assert not link.send(b"beat")
        assert link.counters["dropped"] == 1
        link.close()

    asyncio.run(scene())


def test_a_port_that_another_program_uses_is_said_to_be(tmp_path: Path) -> None:
    async def scene() -> None:
        async with line(tmp_path / "port"):
            second, ears = SerialLink("serial", SerialSettings(str(tmp_path / "port"))), Ears()
            second.open(asyncio.get_running_loop(), ears.on_datagram, ears.on_fault)
            assert "another program has it open" in ears.faults[0]
            second.close()

    asyncio.run(scene())


def test_a_closed_link_calls_nobody_and_leaves_no_descriptor(tmp_path: Path) -> None:
    async def scene() -> None:
        before = descriptors()
        async with line(tmp_path / "port") as (link, ears, near):
            link.close()
            os.write(near, frame(b"late"))
            os.close(near)
            await asyncio.sleep(0.3)
            assert (ears.heard, ears.faults) == ([], [])
            assert descriptors() == before

    asyncio.run(scene())
