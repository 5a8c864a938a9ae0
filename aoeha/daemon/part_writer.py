"""A thread that appends lines to files, part after part, whether the disk responds or hangs."""

import contextlib
import os
import threading
from collections import deque
from pathlib import Path

from aoeha.io.state_file import make_private_directory

__all__ = ["PartWriter"]

CLOSE_PATIENCE_MS = 1_000


class PartWriter:
    """Takes lines without waiting. After an error a part is never continued: its later lines are dropped and counted.

    `failed_part` is the highest part that an error has ended. `dropped` is the number of lines that are on no disk.
    """

    def __init__(self, directory: Path, files_max: int, old_bytes_max: int, waiting_bytes_max: int) -> None:
        self.failed_part = 0
        self.dropped = 0
        self._directory = directory
        self._files_max = files_max
        self._old_bytes_max = old_bytes_max
        self._waiting_bytes_max = waiting_bytes_max
        self._waiting: deque[tuple[int, str, bytes]] = deque()
        self._waiting_bytes = 0
        self._sentences: deque[str] = deque(maxlen=16)
        self._changed = threading.Condition()
        self._closed = False
        self._file: int | None = None
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def put(self, part: int, new_name: str, line: bytes) -> bool:
        """Append a line to a part. `new_name` begins the part. False when too much waits: the line is not taken."""
        with self._changed:
            if self._waiting_bytes + len(line) > self._waiting_bytes_max:
                return False
            self._waiting.append((part, new_name, line))
            self._waiting_bytes += len(line)
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
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    break
                part, new_name, line = self._waiting.popleft()
            fault = self._write(part, new_name, line)
            with self._changed:
                self._waiting_bytes -= len(line)
                if fault:
                    self._sentences.append(fault)
        self._close_file()

    def _write(self, part: int, new_name: str, line: bytes) -> str:
        """Write one line. Return the error, once for a part."""
        path = self._directory / new_name
        try:
            if new_name:
                self._open(path)
            if self._file is not None:
                _write_whole(self._file, line)
                return ""
        except OSError as error:
            self._close_file()
            self.failed_part = part
            self.dropped += 1
            return (
                f"cannot write the journal in {self._directory}: {error.strerror}; it has a gap now; free some space "
                "there"
            )
        self.dropped += 1
        return ""

    def _open(self, path: Path) -> None:
        self._close_file()
        make_private_directory(self._directory)
        self._forget_the_oldest()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _forget_the_oldest(self) -> None:
        """Make room for a new part. The short parts of a gateway that reboots repeatedly push out little."""
        facts = [(entry, entry.stat()) for entry in self._directory.glob("*.jsonl")]
        facts.sort(key=lambda fact: fact[1].st_mtime_ns, reverse=True)
        total = 0
        for place, (entry, about) in enumerate(facts, start=1):
            total += about.st_size
            if place >= self._files_max or total > self._old_bytes_max:
                with contextlib.suppress(FileNotFoundError):
                    entry.unlink()

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _write_whole(descriptor: int, line: bytes) -> None:
    done = 0
    while done < len(line):
        done += os.write(descriptor, line[done:])
