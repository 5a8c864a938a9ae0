"""What can happen to a node. Every event carries the time at which the daemon received it."""

from dataclasses import dataclass, field

from aoeha.core.model.beat import Beat
from aoeha.core.model.task import Outcome, TaskResult

__all__ = [
    "BeatHeard",
    "CommandGiven",
    "Event",
    "LinkReported",
    "MirrorsChanged",
    "PersistDone",
    "TargetStarted",
    "TaskDone",
    "Tick",
]


@dataclass(frozen=True)
class Tick:
    """Time passed. Comes whenever `next_wake` asked for it, at the latest once a keepalive."""

    now_ms: int


@dataclass(frozen=True)
class BeatHeard:
    """An authentic beat of the peer that is not a replay. `now_ms` is when it was read, not when it was processed."""

    now_ms: int
    link: str
    beat: Beat


@dataclass(frozen=True)
class LinkReported:
    """A link's own report about its medium: a fault as a sentence, or empty when it works again. It decides nothing."""

    now_ms: int
    link: str
    fault: str


@dataclass(frozen=True)
class TargetStarted:
    """A target announced itself on the storage network, as targets do at start. It may have lost its reservations."""

    now_ms: int
    leg: str
    address: str


@dataclass(frozen=True)
class MirrorsChanged:
    """The kernel changed a mirror of this node by itself. The mirror's monitor tells what; that cannot wait (R5)."""

    now_ms: int


@dataclass(frozen=True)
class TaskDone:
    """A task ended. `detail` is a sentence; `outcome` is what its class of tasks tells, None where it tells nothing."""

    now_ms: int
    task_id: int
    result: TaskResult
    detail: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True)
class PersistDone:
    """The last Persist ended, `steady` or not. `fault` is empty, or why it is not on disk; `run_fault` not in /run."""

    now_ms: int
    fault: str = ""
    run_fault: str = ""
    steady: bool = False


@dataclass(frozen=True)
class CommandGiven:
    """An operator's request. `user` is the login name, as the kernel reports it."""

    now_ms: int
    command_id: int
    verb: str
    user: str
    arguments: dict[str, str] = field(default_factory=dict)


Event = Tick | BeatHeard | LinkReported | TargetStarted | MirrorsChanged | TaskDone | PersistDone | CommandGiven
