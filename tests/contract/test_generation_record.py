"""The generation of a leg, written to a real block device past the page cache, and read back."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aoeha.agents.interface import AgentError
from aoeha.agents.parts import generation_record
from aoeha.agents.parts.generation_record import BLOCK, Mark, Place
from aoeha.io.host import Place as Where
from aoeha.io.processes import ProcessHost

UUID, OTHER = "a0e4a000:00000000:00000000:00000001", "b0e4a000:00000000:00000000:00000001"
SIZE = 1 << 20
DEADLINE_MS = 10_000

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root"),
    pytest.mark.skipif(shutil.which("losetup") is None, reason="needs losetup"),
]


@pytest.fixture
def leg(tmp_path: Path) -> Iterator[Place]:
    """A leg on an empty disk."""
    image = tmp_path / "disk"
    image.write_bytes(bytes(SIZE))
    told = subprocess.run(["losetup", "-f", "--show", str(image)], check=True, capture_output=True, text=True)
    device = told.stdout.strip()
    yield Place(device, UUID, "e1.0")
    subprocess.run(["losetup", "-d", device], check=True)


def read(place: Place) -> Mark:
    return asyncio.run(generation_record.read(ProcessHost(Where("test", "alpha")), place, DEADLINE_MS))


def write(place: Place, number: int) -> None:
    asyncio.run(generation_record.write(ProcessHost(Where("test", "alpha")), place, number, DEADLINE_MS))


def raw(place: Place, data: bytes = b"") -> bytes:
    """What lies in the first 8 KiB; with `data` that is put in their place."""
    with Path(place.device).open("r+b") as disk:
        if data:
            disk.write(data)
            disk.flush()
            os.fsync(disk.fileno())
            disk.seek(0)
        return disk.read(2 * BLOCK)


def test_what_was_written_is_read_and_only_grows_by_being_written(leg: Place) -> None:
    assert read(leg) == Mark(0)
    write(leg, 7)
    assert read(leg) == Mark(7)
    write(leg, 8)
    assert read(leg) == Mark(8)


def test_nothing_behind_the_first_4_kib_is_touched(leg: Place) -> None:
    behind = os.urandom(BLOCK)
    raw(leg, bytes(BLOCK) + behind)
    write(leg, 1)
    assert raw(leg)[BLOCK:] == behind


def test_a_copy_of_another_leg_or_array_is_no_generation_of_this_one(leg: Place) -> None:
    write(Place(leg.device, UUID, "e2.0"), 40)
    assert read(leg) == Mark(0)
    write(Place(leg.device, OTHER, "e1.0"), 40)
    assert read(leg) == Mark(0)


def test_a_record_that_was_changed_counts_for_nothing(leg: Place) -> None:
    write(leg, 40)
    raw(leg, raw(leg).replace(b" 40 ", b" 90 "))
    assert read(leg) == Mark(0)


@pytest.mark.parametrize("content", [b"\x33\xc0" + bytes(510), os.urandom(BLOCK), b"aoeha-generation 1 \n"])
def test_where_something_else_lies_there_is_no_room(leg: Place, content: bytes) -> None:
    raw(leg, content)
    assert read(leg) == Mark(0, is_free=False)


def test_a_disk_that_is_not_there_is_an_error_with_a_sentence() -> None:
    with pytest.raises(AgentError, match=r"cannot read the generation of e1\.0"):
        read(Place("/dev/nonesuch", UUID, "e1.0"))


def test_a_number_that_does_not_fit_is_refused(leg: Place) -> None:
    with pytest.raises(AgentError, match="out of range"):
        write(leg, 1 << 32)
