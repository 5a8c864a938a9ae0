"""The vocabulary of the core: what both gateways talk and think about.

Times are integers of milliseconds on CLOCK_BOOTTIME, which goes on while a machine sleeps. Durations end in
`_ms`. Names of nodes, links, groups, resources and devices are those of aoeha.toml.
"""

from dataclasses import dataclass
from enum import Enum, IntFlag


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


class Holder(Enum):
    """Whose reservation a target address shows to the node that asked. `SILENT`: it did not answer.

    `US` and `PEER` mean that node alone, with all its storage addresses; every other list is a stranger's.
    """

    UNKNOWN = "unknown"
    SILENT = "silent"
    NOBODY = "nobody"
    US = "us"
    PEER = "peer"
    STRANGER = "stranger"


class TaskKind(Enum):
    """What a task does. The first six address a resource, then three a fence device, then eight the shelves.

    `FIND_RIVAL` asks the network whether anybody else answers for a resource's address: RUNNING for yes. `ASK_HOSTS`
    asks all reference hosts: RUNNING if one answers, STOPPED if none does.

    `READ_HOLDS` asks every target address of a group's legs whose reservation it shows. `SET_HOLD` reserves one leg
    for us where nobody or we hold it; `FORCE_HOLD` takes it from whom it is expected to show, and from nobody else;
    `GIVE_HOLD` leaves a leg of ours to the peer. Each of them reads back and reports what it read. `READ_RECORDS` reads
    the lock record of every address of a group's legs, `WRITE_RECORD` puts one into all of them. `EVICT_LEG` lets the
    group's mirror, its subject, go on without a leg; `RETURN_LEG` takes the leg in again, by its bitmap or `whole`.
    `LEAVE_PATH` lets the group's driver, its subject, leave silent paths to `legs` that it would try on for long.
    """

    PROBE = "probe"
    START = "start"
    STOP = "stop"
    MONITOR = "monitor"
    VALIDATE = "validate"
    FIND_RIVAL = "find_rival"
    POWER_OFF = "power_off"
    POWER_STATUS = "power_status"
    POWER_ON = "power_on"
    READ_HOLDS = "read_holds"
    SET_HOLD = "set_hold"
    FORCE_HOLD = "force_hold"
    GIVE_HOLD = "give_hold"
    READ_RECORDS = "read_records"
    WRITE_RECORD = "write_record"
    EVICT_LEG = "evict_leg"
    RETURN_LEG = "return_leg"
    LEAVE_PATH = "leave_path"
    ASK_HOSTS = "ask_hosts"


class GroupPhase(Enum):
    """What a group does on one node, derived from its resources."""

    UNKNOWN = "unknown"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BLOCKED = "blocked"


class BeatFlag(IntFlag):
    """Facts about the sender as a whole."""

    RESTARTING = 1
    PROBED = 2
    STANDBY = 4
    LEAVING = 8
    PAUSED = 16


class ProofKind(Enum):
    """Why the peer cannot write (DESIGN.md R2). The value is the word that people read."""

    HANDED_OVER = "handed over"
    REBOOTED = "rebooted"
    POWERED_OFF = "powered off"
    OPERATOR = "operator's word"
    STORAGE_FENCED = "storage-fenced"


@dataclass(frozen=True)
class Proof:
    """A reason to own a group. Good for one epoch of one group, about one boot of the peer, and for nothing else."""

    kind: ProofKind
    group: str
    epoch: int
    peer_boot_id: str
    detail: str = ""


@dataclass(frozen=True)
class Grant:
    """A promise: the peer, at exactly this boot, incarnation and claim, may own the group at this epoch."""

    epoch: int
    boot_id: str
    incarnation: int
    claim: int


@dataclass(frozen=True)
class Ledger:
    """Which legs of a group its owner may still write to, and which of them hold every acknowledged write (R4).

    Both are places in the configuration's list of legs, rising. `version` grows with each change.
    """

    version: int
    fence: tuple[int, ...]
    start: tuple[int, ...]


@dataclass(frozen=True)
class GroupBeat:
    """One group as its sender sees it.

    `epoch` is the highest ownership that the sender knows to have begun; `floor` the highest epoch that it has
    granted or withdrawn: it will only ever claim above it. `claim` is a claim number, 0 for none. `ledger` is the
    owner's, None while it does not know; `acknowledged` the version that the sender last heard in the peer's, 0 for
    none.
    """

    name: str
    phase: GroupPhase
    holding: bool
    yielding: bool
    willing: bool
    epoch: int
    floor: int
    claim: int = 0
    claim_epoch: int = 0
    grant: Grant | None = None
    ledger: Ledger | None = None
    acknowledged: int = 0


@dataclass(frozen=True)
class Beat:
    """One heartbeat: the sender's whole public state.

    `boot_id` is 32 hex digits. `incarnation` grows with each daemon start within a boot, `sequence` with each beat
    within an incarnation, across all links. `echo_sequence` is the newest sequence of the receiver's present
    incarnation that the sender had accepted, 0 for none. `link_ages_ms` tells per link, in the order of the
    configuration, how long ago the sender heard the receiver there (`NEVER_MS` for never). `pause_number` counts the
    words by which the pair was paused and set going again.
    """

    sender: str
    boot_id: str
    incarnation: int
    sequence: int
    echo_sequence: int
    config_tag: int
    flags: BeatFlag
    link_ages_ms: tuple[int, ...]
    groups: tuple[GroupBeat, ...]
    back_within_ms: int = 0
    pause_number: int = 0


NEVER_MS = 0xFFFF * 10
"""The age of a link on which nothing was ever heard, and the greatest that a beat can carry."""


@dataclass(frozen=True)
class Hold:
    """What one target address of a leg said when it was asked whose it is.

    `heard` and `unheard` are the storage interfaces on which it answered when it was last asked on all of them, and
    those on which it did not. Both are empty where that is not known, or where there is but one.
    """

    leg: str
    address: str
    holder: Holder
    heard: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()


@dataclass(frozen=True)
class LockRecord:
    """What the holder of a leg writes into its target: who it is, and when, on its own CLOCK_BOOTTIME.

    `pause_number` and `paused` are its word about the pause of the pair, as in its beats (R15). With `word` it speaks
    about the group as it would in a beat, for want of links (R13); then it need not hold the leg.
    """

    owner: str
    boot_id: str
    incarnation: int
    epoch: int
    stamped_ms: int
    pause_number: int = 0
    paused: bool = False
    word: GroupBeat | None = None


@dataclass(frozen=True)
class SeenRecord:
    """What one target address of a leg showed as lock record of the peer, None for none that is its."""

    leg: str
    address: str
    record: LockRecord | None


@dataclass(frozen=True)
class Caution:
    """What a running mirror keeps clear of.

    With `copies_nothing` no leg is copied onto another whole one. The legs of `read_last` are read, or copied from,
    only where no other leg has the data.
    """

    copies_nothing: bool = False
    read_last: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hurry:
    """How impatient a driver shall be with silent paths, from when on and for how long.

    Not to be begun after `begin_by_ms`.
    """

    deadsecs: int
    for_ms: int
    begin_ms: int
    begin_by_ms: int


@dataclass(frozen=True)
class Task:
    """Long work. Ends in exactly one TaskDone; killed `deadline_ms` after its start.

    `subject` is a resource's, a fence device's or a leg's name; `group` is empty for devices; `node` is the node whose
    plug is meant, empty for resources and legs. `reason` is a sentence for people. `expected` tells a FORCE_HOLD from
    whom it may take the leg, `record` a WRITE_RECORD what to write. `renews` names addresses whose life a READ_HOLDS
    prolongs by `lifetime_ms`, 0 for ever: when it finds one of `legs` to be of whom it expects, or at once when it
    expects UNKNOWN. A START of a mirror may do without the others where it finds one of `legs`: each of them is known
    to hold every acknowledged write. `caution` is what a mirror keeps clear of from its START, PROBE or MONITOR on. A
    LEAVE_PATH carries `hurry`.
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
    caution: Caution = Caution()
    hurry: Hurry | None = None


@dataclass(frozen=True)
class LegConfig:
    """One half of a group's mirror: the target's name ("e1.0") and every address at which it may be written to.

    `durable`: what its target acknowledged outlives a restart of the target (vblade -s and the like).
    """

    name: str
    addresses: tuple[str, ...]
    durable: bool = False


@dataclass(frozen=True)
class ResourceConfig:
    """One resource of a group: the deadlines of its agent and how often it is looked at.

    `exclusive`: an address, for which two nodes must never answer at once. `mirror`: what the legs are halves of.
    `driver`: that by which this node's kernel reaches the legs.
    """

    name: str
    start_ms: int = 20_000
    stop_ms: int = 20_000
    monitor_ms: int = 10_000
    monitor_every_ms: int = 10_000
    exclusive: bool = False
    mirror: bool = False
    driver: bool = False


@dataclass(frozen=True)
class GroupConfig:
    """Resources that live together, in start order, and the legs on which they write.

    Without legs, or where something else than legs is written to, the shelves prove nothing (R2): `legs` is empty.
    """

    name: str
    preferred: str
    resources: tuple[ResourceConfig, ...]
    restart_max: int = 2
    restart_window_ms: int = 600_000
    legs: tuple[LegConfig, ...] = ()


@dataclass(frozen=True)
class FenceConfig:
    """One fence device. All devices of a level must confirm; levels are tried in rising order.

    `tag` differs where the configuration means another outlet, or another way to it.
    """

    name: str
    level: int = 1
    timeout_ms: int = 10_000
    settle_ms: int = 0
    monitor_every_ms: int = 60_000
    tag: int = 0


@dataclass(frozen=True)
class PairConfig:
    """All that the core must know of aoeha.toml, seen from `node`.

    `reference_hosts` are addresses among the clients: whom none of them answers serves nobody (R13).
    """

    cluster: str
    node: str
    peer: str
    links: tuple[str, ...]
    groups: tuple[GroupConfig, ...]
    fences: tuple[FenceConfig, ...]
    keepalive_ms: int = 200
    warntime_ms: int = 600
    deadtime_ms: int = 2_000
    initdead_ms: int = 10_000
    confirm_valid_ms: int = 600_000
    power_on_after_fence: bool = True
    restart_window_ms: int = 600_000
    config_tag: int = 0
    storage_suffices: bool = False
    hold_every_ms: int = 1_000
    shelf_timeout_ms: int = 500
    address_lifetime_ms: int = 3_000
    ledger_lease_ms: int = 30_000
    reference_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """Who this daemon is: this kernel's boot and this start of the daemon within it."""

    boot_id: str
    incarnation: int


@dataclass(frozen=True)
class GroupMemory:
    """What one group must remember across a daemon restart, and what of it may make a node refuse after a reboot.

    `held` names the legs' addresses, leg first, that were held in the present ownership: whoever shows there now took
    them from us (R3).
    """

    name: str
    epoch: int
    floor: int
    holding: bool
    proof: Proof | None
    grant: Grant | None
    claims: int
    held: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class DeviceMemory:
    """What was found out about a fence device with that `tag`, and how much power it owes (DeviceState)."""

    name: str
    tag: int
    distrusted: str = ""
    disobeyed: str = ""
    owed: int = 0


@dataclass(frozen=True)
class Memory:
    """What `Persist` writes. Believed in full on the same boot (it lies in /run).

    After a reboot only epochs count, and what makes a fence device no proof.
    """

    boot_id: str
    incarnation: int
    peer_boot_id: str
    peer_was_alive: bool
    standby: bool
    panicked: bool
    groups: tuple[GroupMemory, ...]
    left: bool = False
    paused: bool = False
    pause_number: int = 0
    devices: tuple[DeviceMemory, ...] = ()
