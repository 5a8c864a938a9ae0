"""Stores Memory, the state that outlives the daemon: in /run for the next daemon, on disk for the next boot.

The copy in /run is of this boot and is trusted. The copy on disk may be old (R16): a thread writes it, and that
thread may hang for any time. So the copy on disk is never trusted as being of this boot.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from aoeha.core.model.memory import Memory
from aoeha.journal.codec import RecordError, from_plain, to_plain

__all__ = ["DISK_DEADLINE_MS", "LatestWriter", "MemoryStore", "Recalled", "make_private_directory", "write_atomically"]

DISK_DEADLINE_MS = 200
FILE_NAME = "memory.json"
FILE_BYTES_MAX = 1 << 20


class Recalled(msgspec.Struct, frozen=True):
    """The result of reading at start: the memory or None, and a sentence for each file that could not be read."""

    memory: Memory | None
    sentences: tuple[str, ...]


class MemoryStore:
    """Writes and reads the two copies of Memory."""

    def __init__(self, run_directory: Path, state_directory: Path) -> None:
        self.run_file = run_directory / "state" / FILE_NAME
        self.disk_file = state_directory / FILE_NAME
        self._disk = LatestWriter(lambda content: _write_disk(self.disk_file, content))

    def recall(self, boot_id: str) -> Recalled:
        """Return this boot's memory from /run, else that of an earlier boot from disk. Never raises."""
        here, here_fault = _read(self.run_file)
        if here and here.boot_id == boot_id:
            return Recalled(here, ())
        disk, disk_fault = _read(self.disk_file)
        if disk and disk.boot_id == boot_id:
            # The copy in /run is lost, and the copy on disk may be older. About this boot it may only cause refusals.
            disk = replace(disk, boot_id="")
        return Recalled(disk, tuple(fault for fault in (here_fault, disk_fault) if fault))

    async def remember(self, memory: Memory, deadline_ms: int = DISK_DEADLINE_MS) -> str:
        """Write both copies. Return an empty string, or why one was not written. Returns within the deadline."""
        content = msgspec.json.format(msgspec.json.encode(to_plain(memory)), indent=1) + b"\n"
        faults = []
        try:
            make_private_directory(self.run_file.parent)
            write_atomically(self.run_file, content, sync=False)
        except OSError as error:
            faults.append(f"cannot write {self.run_file}: {error.strerror}; a daemon restart would not remember this")
        fault = await self._disk.write(content, deadline_ms)
        if fault:
            faults.append(f"cannot write {self.disk_file}: {fault}; a reboot would not remember this")
        return "; ".join(faults)

    def close(self) -> None:
        """End the disk thread without waiting for a disk that hangs."""
        self._disk.close()


def make_private_directory(path: Path) -> None:
    """Create a directory, and those above it, for root only. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_atomically(path: Path, content: bytes, *, sync: bool) -> None:
    """Replace a file by another of mode 0600, so that a reader sees the old or the new one. Raises OSError.

    With `sync` it returns only when both the content and the name are on disk.
    """
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with memoryview(content) as rest:
            done = 0
            while done < len(content):
                done += os.write(descriptor, rest[done:])
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    if sync:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _write_disk(path: Path, content: bytes) -> None:
    make_private_directory(path.parent)
    write_atomically(path, content, sync=True)


def _read(path: Path) -> tuple[Memory | None, str]:
    """Return the memory and an empty sentence, or None and the reason. A missing file is not a fault."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX)
        return from_plain(msgspec.json.decode(content), Memory, f"the memory in {path}"), ""
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"cannot read {path}: {error.strerror}; this node starts without that memory"
    except msgspec.DecodeError as error:
        return None, f"cannot read {path}: {error}; this node starts without that memory"
    except RecordError as error:
        return None, f"{error}; this node starts without that memory"


class LatestWriter:
    """A thread that writes the newest content it was given, and skips older content."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._content: bytes | None = None
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[str]]] = []
        self._busy_late = False
        self._closed = False
        self._thread: threading.Thread | None = None

    async def write(self, content: bytes, deadline_ms: int) -> str:
        """Return an empty string once this content or newer is written, or the reason. Bounded by the deadline."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()
        with self._changed:
            self._content = content
            if self._busy_late:
                return "the disk still hangs in an earlier write"
            self._waiting.append((loop, done))
            self._begin()
        try:
            async with asyncio.timeout(deadline_ms / 1_000):
                return await done
        except TimeoutError:
            self._busy_late = True
            return f"the disk did not answer within {deadline_ms} ms"

    def put(self, content: bytes) -> None:
        """Queue this content to be written, and never wait for it."""
        with self._changed:
            self._content = content
            self._begin()

    def close(self) -> None:
        """End the thread once it has written the queued content."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="memory-writer", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._content is not None or self._closed)
                content, self._content = self._content, None
                waiting, self._waiting = self._waiting, []
            if content is None:
                return
            fault = ""
            try:
                self._write(content)
            except OSError as error:
                fault = error.strerror or str(error)
            self._busy_late = False
            for loop, done in waiting:
                _report(loop, done, fault)


def _report(loop: asyncio.AbstractEventLoop, done: "asyncio.Future[str]", fault: str) -> None:
    def settle() -> None:
        if not done.done():
            done.set_result(fault)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        # The loop has ended: no caller waits any more.
        return
