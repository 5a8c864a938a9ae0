"""What can happen to a node. Every event carries the time at which the daemon received it."""

from dataclasses import dataclass, field

from aoeha.core.model.beat import Beat
from aoeha.core.model.task import Outcome, TaskResult
from aoeha.core.model.unread import Unread

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
    "UnreadHeard",
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
class UnreadHeard:
    """Something that arrived as a beat and could not be read; of a flood only now and then one (R17).

    `number` is its version or its key id, where the kind is about one. `boot_id` is empty where it cannot be told.
    `runs`: it authenticates, is of the peer, and answers what this node sent, so the peer runs.
    """

    now_ms: int
    link: str
    kind: Unread
    number: int = 0
    boot_id: str = ""
    runs: bool = False


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


Event = (
    Tick
    | BeatHeard
    | UnreadHeard
    | LinkReported
    | TargetStarted
    | MirrorsChanged
    | TaskDone
    | PersistDone
    | CommandGiven
)
