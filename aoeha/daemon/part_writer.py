"""A thread that appends lines to files, part after part, whether the disk responds or hangs.

What it wrote is on the disk within seconds: a gateway whose power is cut must be able to explain itself. Parts are
ordered by the number in their names. The oldest go first, but those around what matters (`keep`) have a second name
below `kept`, and a budget of their own.
"""

import contextlib
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from aoeha.io.state_file import make_private_directory, sync_directory, write_whole
from aoeha.journal.part_names import numbered, order

__all__ = ["Budget", "PartWriter"]

CLOSE_PATIENCE_MS = 1_000
SYNC_MS = 2_000
"""How long a line waits at most before it is told to go to the disk."""
KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Budget:
    """What old parts may take, in a folder and below `kept` in it each, and what may wait for the disk."""

    files_max: int
    old_bytes_max: int
    waiting_bytes_max: int


@dataclass(frozen=True, slots=True)
class _Line:
    """One line. `new_name`: it begins a part with that name. `keep`: the part, and those beside it, matter."""

    part: int
    new_name: str
    content: bytes
    keep: bool


class PartWriter:
    """Takes lines without waiting. After an error a part is never continued: its later lines are dropped and counted.

    `failed_part` is the highest part that an error has ended. `dropped` is the number of lines that are on no disk.
    """

    def __init__(self, directory: Path, budget: Budget) -> None:
        self.failed_part = 0
        self.dropped = 0
        self._directory = directory
        self._budget = budget
        self._waiting: deque[_Line] = deque()
        self._waiting_bytes = 0
        self._sentences: deque[str] = deque(maxlen=16)
        self._changed = threading.Condition()
        self._closed = False
        self._file: int | None = None
        self._path: Path | None = None
        self._keep_next = False
        self._unsynced_since_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def put(self, part: int, new_name: str, content: bytes, *, keep: bool = False) -> bool:
        """Append a line to a part. `new_name` begins the part. False when too much waits: the line is not taken."""
        with self._changed:
            if self._waiting_bytes + len(content) > self._budget.waiting_bytes_max:
                return False
            self._waiting.append(_Line(part, new_name, content, keep))
            self._waiting_bytes += len(content)
            self._changed.notify()
            return True

    def news(self) -> list[str]:
        """Return the errors since the last call, one sentence each."""
        with self._changed:
            sentences = list(self._sentences)
            self._sentences.clear()
        return sentences

    def close(self) -> None:
        """Write the queued lines and end. A disk that hangs is abandoned after a second."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSE_PATIENCE_MS / 1_000)

    def _run(self) -> None:
        part = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed, self._until_sync_s())
                line = self._waiting.popleft() if self._waiting else None
                is_end = line is None and self._closed
            fault = ""
            if line is not None:
                part, fault = line.part, self._write(line)
            if is_end or self._until_sync_s() == 0 or (line is not None and line.keep):
                fault = fault or self._sync(part)
            with self._changed:
                self._waiting_bytes -= len(line.content) if line is not None else 0
                if fault:
                    self._sentences.append(fault)
            if is_end:
                break
        self._close_file()

    def _write(self, line: _Line) -> str:
        """Write one line. Return the error, once for a part."""
        try:
            if line.new_name:
                self._open(line.new_name)
            if self._file is not None:
                write_whole(self._file, line.content)
                self._unsynced_since_s = self._unsynced_since_s or time.monotonic()
                if line.keep:
                    self._keep_this_and_its_neighbours()
                return ""
        except OSError as error:
            self.dropped += 1
            return self._failed(line.part, error)
        self.dropped += 1
        return ""

    def _failed(self, part: int, error: OSError) -> str:
        self._close_file()
        self.failed_part = part
        return (
            f"cannot write the journal in {self._directory}: {error.strerror}; it has a gap now; free some space there"
        )

    def _open(self, name: str) -> None:
        self._close_file()
        make_private_directory(self._directory)
        old = self._parts(self._directory)
        newest = max((order(path.name)[0] for path in (*old, *self._parts(self._directory / KEPT))), default=0)
        _forget_the_oldest(old, self._budget)
        self._path = self._directory / numbered(newest + 1, name)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        sync_directory(self._directory)
        if self._keep_next:
            self._keep_next = False
            self._keep(self._path)

    def _parts(self, folder: Path) -> list[Path]:
        return sorted(folder.glob("*.jsonl"), key=lambda path: order(path.name))

    def _keep_this_and_its_neighbours(self) -> None:
        for path in self._parts(self._directory)[-2:]:
            self._keep(path)
        self._keep_next = True

    def _keep(self, path: Path) -> None:
        """Give a part a second name, under which it outlives its time in the journal."""
        folder = self._directory / KEPT
        make_private_directory(folder)
        with contextlib.suppress(FileExistsError):
            (folder / path.name).hardlink_to(path)
            _forget_the_oldest(self._parts(folder), self._budget)

    def _until_sync_s(self) -> float | None:
        """How long what was written may still wait, None for nothing waits."""
        if self._unsynced_since_s is None:
            return None
        return max(self._unsynced_since_s + SYNC_MS / 1_000 - time.monotonic(), 0)

    def _sync(self, part: int) -> str:
        """Have the disk keep what was written. Return the error."""
        self._unsynced_since_s = None
        try:
            if self._file is not None:
                os.fdatasync(self._file)
        except OSError as error:
            return self._failed(part, error)
        return ""

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _forget_the_oldest(parts: list[Path], budget: Budget) -> None:
    """Make room for a new part. The short parts of a gateway that reboots repeatedly push out little."""
    total = 0
    for place, path in enumerate(reversed(parts), start=1):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
            if place >= budget.files_max or total > budget.old_bytes_max:
                path.unlink()
