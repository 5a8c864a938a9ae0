"""The history of attempts to switch a gateway's power, for operators: who, what, which device, when, and the result.

No decision reads it. It outlives daemon and boot in one small file with the time of day,
which the core does not know; the journal, which has all of this too, is overwritten within hours. Routine readings are
kept only where a device answers otherwise than before.
"""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from aoeha.core.model.actions import Action, Answer, StartTask
from aoeha.core.model.events import CommandGiven, Event, TaskDone
from aoeha.core.model.exits import Exit
from aoeha.core.model.task import PlugRead, PowerPurpose, PowerTask, TaskKind, TaskResult
from aoeha.io import clock
from aoeha.io.durable import LatestWriter
from aoeha.io.state_file import read_state, write_state

__all__ = ["HISTORY_MAX", "Attempt", "FenceHistory"]

HISTORY_MAX = 400
FILE_NAME = "fence_history.json"
TEXT_MAX = 400
"""The longest sentence of a device that is kept."""
ACTIONS = {TaskKind.POWER_OFF: "off", TaskKind.POWER_ON: "on", TaskKind.POWER_STATUS: "status"}


class Attempt(msgspec.Struct):
    """One thing asked of a device about a gateway's plug, or an operator's word (`device` empty).

    `plug` is the outlet as the configuration names it there, '' where it names none.

    Times are since 1970; `ended_wall_ms` is None while it goes on. `result` is a TaskResult's word, for a reading what
    the plug read ("on", "off", "unknown"), for a word the exit code of the answer.
    """

    device: str
    node: str
    action: str
    reason: str
    begun_wall_ms: int
    ended_wall_ms: int | None = None
    result: str = ""
    detail: str = ""
    plug: str = ""


class FenceHistory:
    """The newest attempts, oldest first. `plugs` are each device's outlets by gateway.

    `fault` tells why they are not on disk, or ''.
    """

    def __init__(
        self,
        directory: Path,
        plugs: Mapping[str, Mapping[str, str]] | None = None,
        wall_ms: Callable[[], int] = clock.wall_ms,
    ) -> None:
        self.fault = ""
        self._plugs = plugs or {}
        self._file = directory / FILE_NAME
        self._wall_ms = wall_ms
        self._attempts: deque[Attempt] = deque(self._recalled(), maxlen=HISTORY_MAX)
        self._running: dict[int, tuple[Attempt, PowerPurpose]] = {}
        self._last_read: dict[str, str] = {a.device: a.result for a in self._attempts if a.action == "status"}
        self._writer = LatestWriter(self._write)

    def record(self, event: Event | None, actions: tuple[Action, ...]) -> None:
        """Take one step of the core: what happened and what it asked for. Never waits, never raises."""
        changed = False
        match event:
            case TaskDone() if event.task_id in self._running:
                changed = self._end(*self._running.pop(event.task_id), event)
            case CommandGiven(verb="confirm"):
                self._attempts.append(self._word(event, actions))
                changed = True
            case _:
                pass
        for action in actions:
            if isinstance(action, StartTask) and isinstance(action.task, PowerTask):
                changed = self._begin(action.task) or changed
        if changed:
            self._writer.put(msgspec.json.encode(self.attempts()))

    def attempts(self, number: int = HISTORY_MAX) -> list[dict[str, Any]]:
        """Return the given number of newest attempts as plain values, oldest first."""
        return [msgspec.to_builtins(attempt) for attempt in list(self._attempts)[-number:]] if number else []

    def close(self) -> None:
        """End the writer."""
        self._writer.close()

    def _begin(self, task: PowerTask) -> bool:
        plug = self._plugs.get(task.subject, {}).get(task.node, "")[:TEXT_MAX]
        reason, now_ms = task.reason[:TEXT_MAX], self._wall_ms()
        attempt = Attempt(task.subject, task.node, ACTIONS[task.kind], reason, now_ms, plug=plug)
        self._running[task.id] = (attempt, task.purpose)
        if task.purpose is PowerPurpose.READING:
            return False
        self._attempts.append(attempt)
        return True

    def _end(self, attempt: Attempt, purpose: PowerPurpose, done: TaskDone) -> bool:
        attempt.ended_wall_ms = self._wall_ms()
        attempt.detail = done.detail[:TEXT_MAX]
        told = done.outcome if done.result is TaskResult.OK else None
        read = told.plug.value if isinstance(told, PlugRead) else done.result.value
        attempt.result = read
        if purpose is not PowerPurpose.READING:
            return True
        before, self._last_read[attempt.device] = self._last_read.get(attempt.device), read
        if before == read:
            return False
        self._attempts.append(attempt)
        return True

    def _word(self, event: CommandGiven, actions: tuple[Action, ...]) -> Attempt:
        now_ms, node = self._wall_ms(), event.arguments.get("node", "")[:TEXT_MAX]
        answer = next((a for a in actions if isinstance(a, Answer) and a.command_id == event.command_id), None)
        result = "taken" if answer is None or answer.exit_code is Exit.DONE else "refused"
        detail = "" if answer is None else answer.sentence
        return Attempt("", node, "confirm", f"the word of {event.user}", now_ms, now_ms, result, detail)

    def _recalled(self) -> list[Attempt]:
        """Read the file. An attempt that had not ended when the daemon died has no known end."""
        attempts, self.fault = read_state(self._file, _decoded)
        if attempts is None:
            return []
        for attempt in attempts:
            if attempt.ended_wall_ms is None:
                attempt.ended_wall_ms, attempt.result = attempt.begun_wall_ms, TaskResult.LOST.value
                attempt.detail = "the daemon ended before it heard how this went"
        return attempts

    def _write(self, content: bytes) -> None:
        try:
            write_state(self._file, content, sync=True)
        except OSError as error:
            self.fault = f"cannot write {self._file}: {error.strerror}; the fence history is in memory only"
            return
        self.fault = ""


def _decoded(state: bytes) -> list[Attempt]:
    return msgspec.json.decode(state, type=list[Attempt])
