"""Memory on real files: what comes back, and that no disk can hold the loop up."""

import asyncio
import errno
import os
import threading
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from aoeha.core.model.memory import DeviceMemory, GroupMemory, Memory
from aoeha.io.durable import MemoryStore
from aoeha.io.state_file import opened, sealed, write_state

BOOT = "a" * 32
OTHER_BOOT = "b" * 32
GROUP = GroupMemory("g", 7, 5, holding=False, proof=None, grant=None, claims=2)
STRIP = DeviceMemory("strip", 77, distrusted="read b as off while it was running", restore_tries_left=2)
MEMORY = Memory(
    BOOT, 3, OTHER_BOOT, standby=True, groups=(GROUP,), peer_was_alive=True, panicked=False, devices=(STRIP,)
)


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "run", tmp_path / "lib")


def remember(store: MemoryStore, memory: Memory) -> str:
    return "; ".join(filter(None, asyncio.run(store.remember(memory))))


def is_full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_nothing_remembered_is_no_fault(store: MemoryStore) -> None:
    recalled = store.recall(BOOT)
    assert recalled.memory is None
    assert recalled.sentences == ()


def test_this_boots_memory_comes_back_whole(store: MemoryStore) -> None:
    assert remember(store, MEMORY) == ""
    assert store.recall(BOOT).memory == MEMORY
    store.close()


def test_a_file_from_before_devices_were_remembered_is_read(store: MemoryStore) -> None:
    remember(store, MEMORY)
    plain = msgspec.json.decode(opened(store.run_file.read_bytes()))
    del plain["devices"]
    write_state(store.run_file, msgspec.json.encode(plain), sync=False)
    assert store.recall(BOOT).memory == replace(MEMORY, devices=())
    store.close()


def test_the_next_boot_reads_the_disk(store: MemoryStore) -> None:
    remember(store, MEMORY)
    store.run_file.unlink()
    assert store.recall(OTHER_BOOT).memory == MEMORY
    store.close()


def test_a_later_daemon_of_a_boot_that_left_no_copy_is_not_taken_for_the_first_one(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(store, replace(MEMORY, panicked=True))
    with monkeypatch.context() as full:
        full.setattr(os, "write", is_full)
        assert store.remember_in_run(replace(MEMORY, boot_id=OTHER_BOOT))
    marked = store.recall(OTHER_BOOT)
    assert marked.sentences == ()
    for path in store.run_file.parent.iterdir():
        path.unlink()
    store.run_file.write_bytes(b"{")
    damaged = store.recall(OTHER_BOOT)
    for found in (marked.memory, damaged.memory, store.recall(OTHER_BOOT).memory):
        assert found is not None
        assert (found.run_lost, found.boot_id, found.standby) == (True, "", True)
        assert (found.panicked_before, found.unclean_boot) == (True, True)
    store.close()


def test_a_disk_copy_of_this_boot_is_never_believed_as_of_this_boot(store: MemoryStore) -> None:
    remember(store, MEMORY)
    store.run_file.write_bytes(b"{")
    recalled = store.recall(BOOT)
    assert recalled.memory == replace(MEMORY, boot_id="", run_lost=True)
    assert "cannot believe" in recalled.sentences[0]
    store.close()


def test_a_copy_in_run_that_is_older_than_the_disk_is_not_believed(store: MemoryStore) -> None:
    remember(store, replace(MEMORY, saved_ms=1_000))
    old = store.run_file.read_bytes()
    remember(store, replace(MEMORY, saved_ms=2_000, standby=False))
    store.run_file.write_bytes(old)
    assert store.recall(BOOT).memory == replace(MEMORY, saved_ms=2_000, standby=False, boot_id="", run_lost=True)
    store.close()


def test_a_steady_copy_that_the_disk_lacks_is_believed(store: MemoryStore) -> None:
    remember(store, replace(MEMORY, saved_ms=1_000))
    assert store.remember_in_run(replace(MEMORY, saved_ms=2_000)) == ""
    assert store.recall(BOOT).memory == replace(MEMORY, saved_ms=2_000)
    store.close()


def test_a_run_that_takes_nothing_more_is_a_fault_and_leaves_no_older_copy(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(store, MEMORY)
    with monkeypatch.context() as full:
        full.setattr(os, "write", is_full)
        assert "No space left on device" in store.remember_in_run(replace(MEMORY, standby=False))
    assert not store.run_file.exists()
    assert store.recall(BOOT).memory == replace(MEMORY, boot_id="", run_lost=True)
    store.close()


@pytest.mark.parametrize("garbage", [b"", b"\xff\x00", b"[]", b'{"boot_id": 5}', b'{"boot_id": "x"', b"{}"])
def test_garbage_is_nothing_and_a_sentence(store: MemoryStore, garbage: bytes) -> None:
    for path in (store.run_file, store.disk_file):
        path.parent.mkdir(parents=True)
    for content in (garbage, sealed(garbage)):
        store.run_file.write_bytes(content)
        store.disk_file.write_bytes(content)
        recalled = store.recall(BOOT)
        assert recalled.memory is None
        assert len(recalled.sentences) == 2
        assert all("cannot believe" in sentence for sentence in recalled.sentences)


def test_both_copies_are_for_root_alone(store: MemoryStore) -> None:
    remember(store, MEMORY)
    for path in (store.run_file, store.disk_file):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    store.close()


def test_a_disk_that_cannot_be_written_is_a_fault_and_run_remembers_all_the_same(store: MemoryStore) -> None:
    store.disk_file.parent.parent.mkdir(parents=True, exist_ok=True)
    store.disk_file.parent.write_text("a file where the directory should be")
    fault = remember(store, MEMORY)
    assert str(store.disk_file) in fault
    assert store.recall(BOOT).memory == MEMORY
    store.close()


def test_a_disk_that_hangs_costs_its_deadline_once_and_gets_the_newest_when_it_wakes(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake, sync = threading.Event(), os.fsync

    def hang(descriptor: int) -> None:
        awake.wait(10)
        sync(descriptor)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert "did not answer within 200 ms" in (await store.remember(MEMORY)).disk_fault
        assert loop.time() - begun < 0.5
        begun = loop.time()
        assert "still hangs" in (await store.remember(replace(MEMORY, incarnation=4))).disk_fault
        assert loop.time() - begun < 0.1
        awake.set()
        async with asyncio.timeout(5):
            while any(await store.remember(replace(MEMORY, incarnation=5))):  # noqa: ASYNC110 - a thread wakes up
                await asyncio.sleep(0.01)

    monkeypatch.setattr(os, "fsync", hang)
    asyncio.run(run())
    store.run_file.unlink()
    recalled = store.recall(OTHER_BOOT).memory
    assert recalled is not None
    assert recalled.incarnation == 5
    store.close()
