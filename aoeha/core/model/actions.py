"""What the core asks for. The daemon and the simulator perform actions in the order given (see action_queue.py)."""

from dataclasses import dataclass

from aoeha.core.model.beat import Beat
from aoeha.core.model.conditions import Code, Condition, Level
from aoeha.core.model.exits import Exit
from aoeha.core.model.memory import Memory
from aoeha.core.model.task import Task

__all__ = ["Action", "Answer", "CancelTask", "Leave", "Panic", "Persist", "Say", "SendBeat", "StartTask"]


@dataclass(frozen=True, slots=True)
class SendBeat:
    """Send this beat on every link. Never waits: a link that is stuck drops it."""

    beat: Beat


@dataclass(frozen=True, slots=True)
class StartTask:
    """Begin long work; answer with exactly one TaskDone."""

    task: Task


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Kill this task; its one TaskDone still comes."""

    task_id: int


@dataclass(frozen=True, slots=True)
class Persist:
    """Save this state. No later action is performed before PersistDone, whether the save succeeded or not (R16).

    A `steady` one is written to /run alone, says nothing new and holds nothing up.
    """

    memory: Memory
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Tell people a decision, a refusal or an alarm. `ends`: the alarm of that code and subject is over."""

    level: Level
    condition: Condition
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a command: an exit code (README.md lists them), the code that tells why, and a sentence."""

    command_id: int
    exit_code: Exit
    code: Code
    sentence: str


@dataclass(frozen=True, slots=True)
class Panic:
    """Reboot this kernel at once by sysrq, without syncing: what it still holds may belong to the peer."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Leave:
    """The daemon may end: every group is handed over or stopped, and the leave was announced."""


Action = SendBeat | StartTask | CancelTask | Persist | Say | Answer | Panic | Leave
