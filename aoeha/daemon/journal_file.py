"""The journal on disk: every step in order. Writing it never blocks the loop.

Files are parts of bounded size, bounded in number. Each begins with a header from which it can be replayed by itself
(aoeha.journal.records). Records that a disk could not take are counted. The next part then starts afresh and says how
many are missing. The parts around a change of owner, a fence and a panic are kept longer, and so
is what was written before a boot that ended without a leave.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from aoeha.core.model.actions import Action, Panic, Persist, StartTask
from aoeha.core.model.events import Event
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import PowerTask, TaskKind
from aoeha.daemon.part_writer import Budget, PartWriter
from aoeha.io import clock
from aoeha.journal.records import Header, encode_header, encode_step

__all__ = ["JournalFile", "JournalLimits"]

RETRY_MS = 10_000


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """The limits. 32 parts of 4 MiB hold some hours of beats five times a second on two links.

    The older parts have room for all but one whole part together, in at most `files` files. What is kept longer has as
    much room again: about ten incidents, with a quarter of an hour around each.
    """

    part_bytes: int = 4 << 20
    parts: int = 32
    files: int = 256
    waiting_bytes: int = 4 << 20


class JournalFile:
    """Records steps into parts below a directory. `header` is the first part's."""

    def __init__(self, directory: Path, header: Header, limits: JournalLimits | None = None) -> None:
        self._limits = limits or JournalLimits()
        old_bytes = (self._limits.parts - 1) * self._limits.part_bytes
        self._writer = PartWriter(directory, Budget(self._limits.files, old_bytes, self._limits.waiting_bytes))
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(header.wall_ms / 1_000))
        self._stem = f"{stamp}-{os.getpid()}"
        self._header = header
        self._part_bytes = 0
        self._not_taken = 0
        self._lost_before = 0
        self._has_gap = False
        self._next_try_ms = 0
        self._sentences: list[str] = []
        self._begin(header)

    @property
    def lost(self) -> int:
        """The number of records that are on no disk."""
        return self._not_taken + self._writer.dropped

    def record(self, before: NodeState, event: Event, actions: tuple[Action, ...]) -> None:
        """Record one step: the state before it, its event and its actions. Never waits, never raises."""
        line = encode_step(event, actions)
        has_gap = self._has_gap or self._writer.failed_part >= self._header.part
        is_full = self._part_bytes + len(line) > self._limits.part_bytes
        if (has_gap or is_full) and event.now_ms >= self._next_try_ms:
            self._next_try_ms = event.now_ms + RETRY_MS if has_gap else event.now_ms
            has_gap = not self._begin(self._continuation(before, event.now_ms))
        if not has_gap and self._writer.put(self._header.part, "", line, keep=_matters(before, actions)):
            self._part_bytes += len(line)
            return
        self._not_taken += 1
        if not self._has_gap:
            self._has_gap = True
            self._next_try_ms = max(self._next_try_ms, event.now_ms + RETRY_MS)
            self._sentences.append("cannot keep the journal: the disk does not keep up; it has a gap now")

    def news(self) -> list[str]:
        """Return the sentences since the last call that tell an operator about faults of the journal."""
        sentences, self._sentences = self._sentences + self._writer.news(), []
        return sentences

    def close(self) -> None:
        """Write the queued records. A disk that hangs is abandoned after a second."""
        self._writer.close()

    def _continuation(self, state: NodeState, now_ms: int) -> Header:
        return replace(
            self._header,
            part=self._header.part + 1,
            now_ms=now_ms,
            wall_ms=clock.wall_ms(),
            actions=(),
            state=state,
            lost=self.lost - self._lost_before,
        )

    def _begin(self, header: Header) -> bool:
        line = encode_header(header)
        name, keep = f"{self._stem}-{header.part:04d}.jsonl", header.state is None and _is_after_a_bad_end(header)
        if not self._writer.put(header.part, name, line, keep=keep):
            return False
        self._header = header
        self._part_bytes = len(line)
        self._has_gap = False
        self._lost_before = self.lost
        return True


def _matters(before: NodeState, actions: tuple[Action, ...]) -> bool:
    """Whether somebody will ask about this step weeks later: a change of owner, a fence, a panic."""
    return any(
        isinstance(action, Panic)
        or (isinstance(action, StartTask) and isinstance(action.task, PowerTask) and _switches(action.task))
        or (isinstance(action, Persist) and _owned(action.memory) != _owned(before.remembered))
        for action in actions
    )


def _switches(task: PowerTask) -> bool:
    return task.kind in (TaskKind.POWER_OFF, TaskKind.POWER_ON)


def _owned(memory: Memory | None) -> tuple[tuple[str, int, bool], ...]:
    return tuple((group.name, group.epoch, group.holding) for group in memory.groups) if memory is not None else ()


def _is_after_a_bad_end(header: Header) -> bool:
    """Whether the boot before this one ended without a leave: its last part tells how."""
    memory = header.memory
    return memory is not None and memory.boot_id != header.identity.boot_id and not memory.left
