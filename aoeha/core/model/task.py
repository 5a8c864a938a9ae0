"""Long work that the core asks for, and how it can end."""

from dataclasses import dataclass
from enum import Enum

from aoeha.core.model.shelves import Holder, LockRecord


class ResourceStatus(Enum):
    """What an agent's monitor saw."""

    RUNNING = "running"
    STOPPED = "stopped"
    DEGRADED = "degraded"
    FAILED = "failed"


class PlugState(Enum):
    """What a fence device says of a node's power."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class TaskResult(Enum):
    """How a task ended. `LOST`: it ran under an earlier daemon and nobody knows how it ended."""

    OK = "ok"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


class TaskKind(Enum):
    """What a task does. The first six address a resource, then three a fence device, then eight the shelves.

    `DETECT_CONFLICT` asks the network whether anybody else answers for a resource's address: RUNNING for yes.
    `ASK_HOSTS` asks all reference hosts: RUNNING if one answers, STOPPED if none does.

    `READ_RESERVATIONS` asks every target address of a group's legs whose reservation it shows. `RESERVE` reserves one
    leg for us where nobody or we hold it; `PREEMPT` takes it from whom it is expected to show, and from nobody else;
    `TRANSFER` leaves a leg of ours to the peer. Each of them reads back and reports what it read. `READ_RECORDS` reads
    the lock record of every address of a group's legs, `WRITE_RECORD` puts one into all of them. `EVICT_LEG` lets the
    group's mirror, its subject, go on without a leg; `RETURN_LEG` takes the leg in again, by its bitmap or `whole`.
    `FAIL_OVER_PATH` lets the group's driver, its subject, leave silent paths to `legs` that it would try on for long.
    """

    PROBE = "probe"
    START = "start"
    STOP = "stop"
    MONITOR = "monitor"
    VALIDATE = "validate"
    DETECT_CONFLICT = "find_rival"
    POWER_OFF = "power_off"
    POWER_STATUS = "power_status"
    POWER_ON = "power_on"
    READ_RESERVATIONS = "read_holds"
    RESERVE = "set_hold"
    PREEMPT = "force_hold"
    TRANSFER = "give_hold"
    READ_RECORDS = "read_records"
    WRITE_RECORD = "write_record"
    EVICT_LEG = "evict_leg"
    RETURN_LEG = "return_leg"
    FAIL_OVER_PATH = "leave_path"
    ASK_HOSTS = "ask_hosts"


@dataclass(frozen=True)
class MirrorLimits:
    """What a running mirror keeps clear of.

    With `freeze_resync` no leg is copied onto another whole one. The legs of `write_mostly` are read, or copied from,
    only where no other leg has the data.
    """

    freeze_resync: bool = False
    write_mostly: tuple[str, ...] = ()


@dataclass(frozen=True)
class PathFailover:
    """When a driver's patience with silent paths is to be overridden, and for how long.

    Not to be begun after `begin_by_ms`.
    """

    for_ms: int
    begin_ms: int
    begin_by_ms: int


@dataclass(frozen=True)
class Task:
    """Long work. Ends in exactly one TaskDone; killed `deadline_ms` after its start.

    `subject` is a resource's, a fence device's or a leg's name; `group` is empty for devices; `node` is the node whose
    plug is meant, empty for resources and legs. `reason` is a sentence for people. `expected` tells a PREEMPT from whom
    it may take the leg, `record` a WRITE_RECORD what to write. `renews` names addresses whose life a READ_RESERVATIONS
    prolongs by `lifetime_ms`, 0 for ever: when it finds one of `legs` to be of whom it expects, or at once when it
    expects UNKNOWN. A START of a mirror may do without the others where it finds one of `legs`: each of them is known
    to hold every acknowledged write. `limits` is what a mirror keeps clear of from its START, PROBE or MONITOR on. A
    FAIL_OVER_PATH carries `failover`.
    """

    id: int
    kind: TaskKind
    group: str
    subject: str
    node: str
    deadline_ms: int
    reason: str
    expected: Holder = Holder.UNKNOWN
    record: LockRecord | None = None
    renews: tuple[str, ...] = ()
    lifetime_ms: int = 0
    leg: str = ""
    whole: bool = False
    legs: tuple[str, ...] = ()
    limits: MirrorLimits = MirrorLimits()
    failover: PathFailover | None = None
