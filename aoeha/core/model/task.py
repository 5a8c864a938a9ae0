"""Long work that the core asks for, and how it can end."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from aoeha.core.model.shelves import Holder, LockRecord, Reservation, SeenRecord
from aoeha.core.model.superblock import Superblock


class ResourceStatus(Enum):
    """What an agent's monitor saw."""

    RUNNING = "running"
    STOPPED = "stopped"
    DEGRADED = "degraded"
    FAILED = "failed"


class PlugState(Enum):
    """What a fence device reports about a node's power."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class TaskResult(Enum):
    """How a task ended. `LOST`: it ran under an earlier daemon and its result is not known.

    `UNABLE`: this gateway lacked descriptors, memory or processes to look at a resource, or to stop it. Nothing is
    known of the resource.
    """

    OK = "ok"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNABLE = "unable"


class TaskKind(Enum):
    """What a task does; its class tells what it is about and how its end is told.

    `READ_RESERVATIONS` asks every target address of a group's legs whose reservation it shows. `RESERVE` reserves one
    leg for us where no node holds it, or we do. `PREEMPT` takes a leg from the holder that it is expected to show, and
    from no other. `TRANSFER` gives a leg of ours to the peer. Each of them reads back and reports what it read.
    `READ_RECORDS` reads the lock record of every address of a group's legs; `WRITE_RECORD` writes one to all of them.
    `READ_SUPERBLOCKS` reads what a mirror's legs record about themselves and about each other.
    `RENEW_GENERATION` writes a number on each leg of a running mirror.
    `EVICT_LEG` lets a mirror continue without a leg; `RETURN_LEG` returns the leg to the mirror.
    """

    PROBE = "probe"
    START = "start"
    STOP = "stop"
    MONITOR = "monitor"
    VALIDATE = "validate"
    DETECT_CONFLICT = "detect_conflict"
    POWER_OFF = "power_off"
    POWER_STATUS = "power_status"
    POWER_ON = "power_on"
    READ_RESERVATIONS = "read_reservations"
    RESERVE = "reserve"
    PREEMPT = "preempt"
    TRANSFER = "transfer"
    READ_RECORDS = "read_records"
    WRITE_RECORD = "write_record"
    READ_SUPERBLOCKS = "read_superblocks"
    RENEW_GENERATION = "renew_generation"
    EVICT_LEG = "evict_leg"
    RETURN_LEG = "return_leg"
    FAIL_OVER_PATH = "fail_over_path"
    ASK_HOSTS = "ask_hosts"


class PowerPurpose(Enum):
    """Which rule asked for a power task, and processes its end."""

    FENCE = "fence"
    READING = "reading"
    RESTORE = "restore"
    ORDER = "order"


@dataclass(frozen=True)
class MirrorLimits:
    """What a running mirror avoids.

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
class AddressRenewal:
    """Addresses whose life a reading of reservations prolongs, by `lifetime_ms`, 0 for ever.

    They are prolonged at once where `vouching` is None, else when one of these legs is found to be reserved for us.
    """

    addresses: tuple[str, ...]
    lifetime_ms: int
    vouching: tuple[str, ...] | None = None


@dataclass(frozen=True)
class BaseTask:
    """What all tasks have. A task ends in exactly one TaskDone, and is killed `deadline_ms` after its start.

    `reason` is a sentence for people. `kinds` are those that a class of tasks may have.
    """

    kinds: ClassVar[tuple[TaskKind, ...]]

    id: int
    deadline_ms: int
    reason: str


@dataclass(frozen=True)
class _OfKind(BaseTask):
    kind: TaskKind

    def __post_init__(self) -> None:
        if self.kind not in self.kinds:
            raise ValueError(f"{self.kind.value} is no kind of {type(self).__name__}")


@dataclass(frozen=True)
class ResourceTask(_OfKind):
    """An agent's work on the resource `subject`. PROBE and MONITOR end with `Observed`, other kinds with no outcome.

    The START of a mirror is from `legs` and from no other one. `short`: they are fewer than their own superblocks
    expect, and that is meant. `limits` is what a mirror avoids from its START, PROBE or MONITOR on.
    """

    kinds = (TaskKind.PROBE, TaskKind.START, TaskKind.STOP, TaskKind.MONITOR, TaskKind.VALIDATE)

    group: str
    subject: str
    legs: tuple[str, ...] = ()
    short: bool = False
    limits: MirrorLimits = MirrorLimits()


@dataclass(frozen=True)
class SuperblockTask(BaseTask):
    """Read the superblocks of the mirror `subject`, for a start in the ownership of `epoch`: `SuperblocksRead`.

    Only `legs` are read, all where there are none: the others could not be started from.
    """

    kind: ClassVar[TaskKind] = TaskKind.READ_SUPERBLOCKS

    group: str
    subject: str
    epoch: int
    legs: tuple[str, ...] = ()


@dataclass(frozen=True)
class GenerationTask(BaseTask):
    """Write `generation` on legs of the running mirror `subject`: `GenerationsWritten`.

    With each leg stands the lowest number that must lie there before; where a lower one lies, nothing is written.
    """

    kind: ClassVar[TaskKind] = TaskKind.RENEW_GENERATION

    group: str
    subject: str
    legs: tuple[tuple[str, int], ...]
    generation: int


@dataclass(frozen=True)
class ConflictTask(BaseTask):
    """Ask the network whether another host answers for the address `subject`. Ends with `Answered`."""

    kind: ClassVar[TaskKind] = TaskKind.DETECT_CONFLICT

    group: str
    subject: str


@dataclass(frozen=True)
class PowerTask(_OfKind):
    """An order to the fence device `subject`, about the plug of `node`. A reading ends with `PlugRead`."""

    kinds = (TaskKind.POWER_OFF, TaskKind.POWER_STATUS, TaskKind.POWER_ON)
    group: ClassVar[str] = ""

    subject: str
    node: str
    purpose: PowerPurpose


@dataclass(frozen=True)
class ReservationTask(_OfKind):
    """A reading of all legs of a group (`subject` is the group), or a change of the leg `subject`.

    Ends with `ReservationsRead`. `expected` tells a PREEMPT from whom it may take the leg. A reading may carry a
    `renewal`.
    """

    kinds = (TaskKind.READ_RESERVATIONS, TaskKind.RESERVE, TaskKind.PREEMPT, TaskKind.TRANSFER)

    group: str
    subject: str
    expected: Holder = Holder.UNKNOWN
    renewal: AddressRenewal | None = None


@dataclass(frozen=True)
class RecordTask(BaseTask):
    """Write `record` into every address of a group's legs; without one, read what lies there: `RecordsRead`.

    A reading reports the peer's records, or this node's `own`.
    """

    group: str
    record: LockRecord | None
    own: bool = False

    @property
    def kind(self) -> TaskKind:
        """Reading or writing."""
        return TaskKind.READ_RECORDS if self.record is None else TaskKind.WRITE_RECORD

    @property
    def subject(self) -> str:
        """The group."""
        return self.group


@dataclass(frozen=True)
class LegTask(_OfKind):
    """Let the mirror `subject` evict `leg`, or return it: by its bitmap, or by a full copy (`whole`). No outcome.

    `outdated`: what lies on the leg is known to be old, so nothing is lost with it, whatever it records of other legs.
    """

    kinds = (TaskKind.EVICT_LEG, TaskKind.RETURN_LEG)

    group: str
    subject: str
    leg: str
    whole: bool = False
    outdated: bool = False


@dataclass(frozen=True)
class PathTask(BaseTask):
    """Let the driver `subject` leave silent paths to `legs`, which it would keep trying for long. No outcome."""

    kind: ClassVar[TaskKind] = TaskKind.FAIL_OVER_PATH

    group: str
    subject: str
    legs: tuple[str, ...]
    failover: PathFailover


@dataclass(frozen=True)
class HostsTask(BaseTask):
    """Ask all reference hosts. Ends with `HostsHeard`."""

    kind: ClassVar[TaskKind] = TaskKind.ASK_HOSTS
    group: ClassVar[str] = ""
    subject: ClassVar[str] = "reference hosts"


Task = (
    ResourceTask
    | SuperblockTask
    | GenerationTask
    | ConflictTask
    | PowerTask
    | ReservationTask
    | RecordTask
    | LegTask
    | PathTask
    | HostsTask
)


@dataclass(frozen=True)
class Observed:
    """What an agent saw of a resource.

    `missing` names the legs that a mirror goes without, and does not rebuild. `used` are the addresses at which the
    kernel's driver reaches its targets, each after its target's name; empty where that is not known. `write_mostly` are
    the legs that a mirror reads only where no other has the data. `copying` are the legs onto which it copies what they
    lack: they are written to, and they are not whole.
    """

    status: ResourceStatus
    missing: tuple[str, ...] = ()
    used: tuple[tuple[str, str], ...] = ()
    write_mostly: tuple[str, ...] = ()
    copying: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExaminedLeg:
    """One leg of a mirror as its agent found it, which needs the name of its `device` to do so.

    `superblock` is None where none could be read, and always where the leg is not `present`. `late`: its disk did not
    answer in time. `generation` is the
    number that was last written there as long as a mirror ran, None where none lies (R22).
    """

    name: str
    device: str
    present: bool
    superblock: Superblock | None = None
    late: bool = False
    generation: int | None = None


@dataclass(frozen=True)
class SuperblocksRead:
    """What lies on every leg that the configuration gives to the mirror `array`, which is to have this UUID.

    `running`: the mirror is assembled here already, and its legs were not read.
    """

    array: str
    uuid: str
    legs: tuple[ExaminedLeg, ...] = ()
    running: bool = False


@dataclass(frozen=True)
class GenerationsWritten:
    """Which legs carry the number now, which carried a lower one than they must, and which have no place for it."""

    written: tuple[str, ...] = ()
    exchanged: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """The hardware address of the host that answered a question on the network, empty for nobody."""

    by: str


@dataclass(frozen=True)
class HostsHeard:
    """How many of the reference hosts answered."""

    count: int


@dataclass(frozen=True)
class PlugRead:
    """What a fence device reports about a plug."""

    plug: PlugState


@dataclass(frozen=True)
class ReservationsRead:
    """What the target addresses that answered show of reservations, and which addresses could not be renewed."""

    reservations: tuple[Reservation, ...]
    expired: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecordsRead:
    """What the target addresses that answered show of lock records."""

    records: tuple[SeenRecord, ...]


Outcome = (
    Observed | SuperblocksRead | GenerationsWritten | Answered | HostsHeard | PlugRead | ReservationsRead | RecordsRead
)
