"""The fence history on real files: what is kept, and what a new daemon finds."""

import json
import time
from pathlib import Path

import pytest
from patience import PATIENCE_S

from aoeha.core.model.actions import Answer, StartTask
from aoeha.core.model.conditions import Code
from aoeha.core.model.events import CommandGiven, TaskDone
from aoeha.core.model.exits import Exit
from aoeha.core.model.task import PlugRead, PlugState, PowerPurpose, PowerTask, TaskKind, TaskResult
from aoeha.daemon.fence_history import HISTORY_MAX, FenceHistory
from aoeha.io.state_file import sealed

FILE = "fence_history.json"


def task(number: int, kind: TaskKind, purpose: PowerPurpose = PowerPurpose.FENCE) -> StartTask:
    reason = "alpha is silent" if purpose is PowerPurpose.FENCE else "routine reading"
    return StartTask(PowerTask(number, 10_000, reason, kind, "switch", "alpha", purpose))


def written(directory: Path) -> list[dict[str, object]]:
    """What is on disk once the writer came to it."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if (directory / FILE).exists():
            return list(json.loads((directory / FILE).read_text())["state"])
        time.sleep(0.01)
    pytest.fail("nothing was written")


def test_an_attempt_is_kept_with_its_reason_and_its_end(tmp_path: Path) -> None:
    history = FenceHistory(tmp_path, {"switch": {"alpha": "7", "beta": "8"}}, iter((1_000, 3_500)).__next__)
    history.record(None, (task(7, TaskKind.POWER_OFF),))
    history.record(TaskDone(0, 7, TaskResult.TIMED_OUT, detail="no answer"), ())
    assert history.attempts() == [
        {
            "device": "switch",
            "node": "alpha",
            "action": "off",
            "reason": "alpha is silent",
            "begun_wall_ms": 1_000,
            "ended_wall_ms": 3_500,
            "result": "timed_out",
            "detail": "no answer",
            "plug": "7",
        }
    ]
    history.close()


def test_a_new_daemon_finds_it_and_calls_lost_what_had_not_ended(tmp_path: Path) -> None:
    history = FenceHistory(tmp_path)
    history.record(None, (task(7, TaskKind.POWER_OFF),))
    assert len(written(tmp_path)) == 1
    history.close()
    (found,) = FenceHistory(tmp_path).attempts()
    assert (found["action"], found["result"]) == ("off", "lost")


def test_routine_readings_are_kept_only_where_they_change(tmp_path: Path) -> None:
    history = FenceHistory(tmp_path)
    for number, plug in enumerate((PlugState.ON, PlugState.ON, None, None, PlugState.ON)):
        result = TaskResult.OK if plug else TaskResult.FAILED
        history.record(None, (task(number, TaskKind.POWER_STATUS, PowerPurpose.READING),))
        history.record(TaskDone(0, number, result, outcome=PlugRead(plug) if plug else None), ())
    assert [attempt["result"] for attempt in history.attempts()] == ["on", "failed", "on"]
    history.close()


@pytest.mark.parametrize(
    ("exit_code", "code", "result"),
    [
        (Exit.DONE, Code.COMMAND_BEGUN, "taken"),
        (Exit.UNSAFE, Code.COMMAND_REFUSED_PEER_NOT_SILENT, "refused"),
    ],
)
def test_an_operators_word_is_kept_with_the_name(tmp_path: Path, exit_code: Exit, code: Code, result: str) -> None:
    history = FenceHistory(tmp_path)
    history.record(CommandGiven(0, 3, "confirm", "anna", {"node": "alpha"}), (Answer(3, exit_code, code, "so it is"),))
    (found,) = history.attempts()
    assert (found["action"], found["reason"], found["result"]) == ("confirm", "the word of anna", result)
    history.close()


def test_it_is_bounded(tmp_path: Path) -> None:
    history = FenceHistory(tmp_path)
    for number in range(HISTORY_MAX + 10):
        history.record(None, (task(number, TaskKind.POWER_ON),))
    assert len(history.attempts()) == HISTORY_MAX
    assert len(history.attempts(3)) == 3
    assert history.attempts(0) == []
    history.close()


@pytest.mark.parametrize("garbage", [b"", b"[5]", b'[{"device": 1}]', b"\xff"])
def test_garbage_is_a_sentence_and_an_empty_history(tmp_path: Path, garbage: bytes) -> None:
    for content in (garbage, sealed(garbage)):
        (tmp_path / FILE).write_bytes(content)
        history = FenceHistory(tmp_path)
        assert history.attempts() == []
        assert "cannot believe" in history.fault
