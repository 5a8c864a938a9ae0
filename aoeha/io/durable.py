"""Stores Memory, the state that outlives the daemon: in /run for the next daemon, on disk for the next boot.

Both are state files, which prove that they are whole (aoeha.io.state_file). The copy in /run is of this boot and is
trusted, unless the other one was saved later. The copy on disk may be old
(R16): a thread writes it, and that thread may hang for any time. So the copy on disk is never trusted as being of this
boot. Where a daemon could not write to a full /run, an empty file tells the next one that it was there, for making one
takes no space. So does a copy that was set aside.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from aoeha.core.memory import contradiction, newest
from aoeha.core.model.memory import Memory
from aoeha.io.state_file import DamagedError, read_state, write_state
from aoeha.journal.codec import from_plain, to_plain

__all__ = ["DISK_DEADLINE_MS", "LatestWriter", "MemoryStore", "Recalled", "Saved"]

DISK_DEADLINE_MS = 200
FILE_NAME = "memory.json"


class Recalled(msgspec.Struct, frozen=True):
    """The result of reading at start: the memory or None, and a sentence for each file that is not believed."""

    memory: Memory | None
    sentences: tuple[str, ...]


class Saved(NamedTuple):
    """Why a copy was not written, each empty for none."""

    run_fault: str
    disk_fault: str


class MemoryStore:
    """Writes and reads the two copies of Memory."""

    def __init__(self, run_directory: Path, state_directory: Path) -> None:
        self.run_file = run_directory / "state" / FILE_NAME
        self.disk_file = state_directory / FILE_NAME
        self._mark = self.run_file.with_name(f"{FILE_NAME}.lost")
        self._traces = (self._mark, self.run_file.with_name(f"{FILE_NAME}.bad"))
        self._disk = LatestWriter(lambda content: write_state(self.disk_file, content, sync=True))

    def recall(self, boot_id: str) -> Recalled:
        """Return what a daemon of this boot believes of both copies. Never raises."""
        (run, run_fault), (disk, disk_fault) = (read_state(path, _decoded) for path in (self.run_file, self.disk_file))
        was_here = run is None and any(path.exists() for path in self._traces)
        memory = newest(run, disk, boot_id, was_here=was_here)
        return Recalled(memory, tuple(fault for fault in (run_fault, disk_fault) if fault))

    async def remember(self, memory: Memory, deadline_ms: int = DISK_DEADLINE_MS) -> Saved:
        """Write both copies. Return why one was not written. Returns within the deadline."""
        run_fault = self.remember_in_run(memory)
        fault = await self._disk.write(_content(memory), deadline_ms)
        return Saved(
            run_fault, f"cannot write {self.disk_file}: {fault}; a reboot would not remember this" if fault else ""
        )

    def remember_in_run(self, memory: Memory) -> str:
        """Write the copy in /run. Return an empty string, or why it was not written: then a mark alone is left."""
        try:
            write_state(self.run_file, _content(memory), sync=False)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._mark.touch(mode=0o600)
            return f"cannot write {self.run_file}: {error.strerror}; a daemon restart would not remember this"
        return ""

    def close(self) -> None:
        """End the disk thread without waiting for a disk that hangs."""
        self._disk.close()


def _content(memory: Memory) -> bytes:
    return msgspec.json.format(msgspec.json.encode(to_plain(memory)), indent=1)


def _decoded(state: bytes) -> Memory:
    memory = from_plain(msgspec.json.decode(state), Memory, "the memory")
    if why := contradiction(memory):
        raise DamagedError(why)
    return memory


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
