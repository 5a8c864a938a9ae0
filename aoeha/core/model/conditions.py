"""What this node tells people, by code: alarms, refusals, decisions and the answers to commands.

A condition is a code, the thing that it is about, and a sentence. Programs branch on code and subject. The sentence is
for people and may change with any version. The identity of an alarm is its code and its subject, so no alarm can end
another one. `aoeha.core.model.code_book` explains what each code means, and what to do about it.
"""

from dataclasses import dataclass
from enum import Enum

__all__ = ["TAKEOVERS", "Alarm", "Code", "Condition", "Level", "Subject", "SubjectKind"]


class Level(Enum):
    """The severity of a sentence."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


class SubjectKind(Enum):
    """What kinds of things a condition is about."""

    NODE = "node"
    LINK = "link"
    GROUP = "group"
    RESOURCE = "resource"
    LEG = "leg"
    ADDRESS = "address"
    PATH = "path"
    DEVICE = "device"
    PAIR = "pair"


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing that a condition is about.

    Names of nodes, links, groups and devices are those of aoeha.toml. A resource and a leg are named with their group
    (`storage/mirror`, `storage/e1.0`), since another group may use the same name. An address is a leg and a hardware
    address (`storage/e1.0@02:77:01:00:00:31`), a path a leg and an interface of this node (`storage/e1.0@eth1`).
    """

    kind: SubjectKind
    name: str

    @classmethod
    def node(cls, name: str) -> "Subject":
        """One of the two gateways."""
        return cls(SubjectKind.NODE, name)

    @classmethod
    def link(cls, name: str) -> "Subject":
        """A link that carries beats."""
        return cls(SubjectKind.LINK, name)

    @classmethod
    def group(cls, name: str) -> "Subject":
        """A group of resources."""
        return cls(SubjectKind.GROUP, name)

    @classmethod
    def resource(cls, group: str, name: str) -> "Subject":
        """A resource of a group."""
        return cls(SubjectKind.RESOURCE, f"{group}/{name}")

    @classmethod
    def leg(cls, group: str, name: str) -> "Subject":
        """A leg of a group's mirror."""
        return cls(SubjectKind.LEG, f"{group}/{name}")

    @classmethod
    def address(cls, group: str, leg: str, address: str) -> "Subject":
        """A target address of a leg."""
        return cls(SubjectKind.ADDRESS, f"{group}/{leg}@{address}")

    @classmethod
    def path(cls, group: str, leg: str, interface: str) -> "Subject":
        """A path from an interface of this node to a leg."""
        return cls(SubjectKind.PATH, f"{group}/{leg}@{interface}")

    @classmethod
    def device(cls, name: str) -> "Subject":
        """A fence device."""
        return cls(SubjectKind.DEVICE, name)

    @classmethod
    def pair(cls, cluster: str) -> "Subject":
        """Both gateways together, by the name of the cluster."""
        return cls(SubjectKind.PAIR, cluster)

    def __str__(self) -> str:
        """Return the kind and the name."""
        return f"{self.kind.value} {self.name}"


class Code(Enum):
    """Every code that is told. A value never changes its meaning, and a value that was removed is never used again."""

    # told by peer, membership
    LINK_DOWN = "link.down"
    LINK_LATE = "link.late"
    LINK_HEARD = "link.heard"
    LINK_UNREADABLE = "link.unreadable"
    LINK_FAULT = "link.fault"
    LINK_FAULT_OVER = "link.fault-over"
    PEER_SILENT = "peer.silent"
    PEER_NEVER_SEEN = "peer.never-seen"
    PEER_UNREADABLE = "peer.unreadable"
    PEER_STORAGE_ONLY = "peer.storage-only"
    PEER_DUPLICATE_NAME = "peer.duplicate-name"
    PEER_CONFIGURATION = "peer.configuration"
    PEER_ONLINE = "peer.online"
    PEER_LATE = "peer.late"
    PEER_RESTARTING = "peer.restarting"
    PEER_LEFT = "peer.left"
    PEER_CHECKING_STORAGE = "peer.checking-storage"
    PEER_REBOOTED = "peer.rebooted"
    # memory
    DISK_WRITE_FAILED = "disk.write-failed"
    RUN_WRITE_FAILED = "run.write-failed"
    # operator
    PAIR_PAUSED = "pair.paused"
    STANDBY_BEGUN = "standby.begun"
    STANDBY_ENDED = "standby.ended"
    SWITCHOVER_BEGUN = "switchover.begun"
    CLEANUP_DONE = "cleanup.done"
    LEAVE_BEGUN = "leave.begun"
    LEAVE_DURING_PAUSE = "leave.during-pause"
    # told by ownership, leave
    LEAVE_BLOCKED = "leave.blocked"
    LEAVE_DONE = "leave.done"
    # told by ownership, own_stall
    NODE_STALLED = "node.stalled"
    OWNERSHIP_CONFIRMED_BY_PEER = "ownership.confirmed-by-peer"
    OWNERSHIP_CONFIRMED_BY_LEGS = "ownership.confirmed-by-legs"
    OWNERSHIP_UNCONFIRMED = "ownership.unconfirmed"
    OWNERSHIP_WAITING_FOR_PEER = "ownership.waiting-for-peer"
    OWNERSHIP_STALLED_UNANSWERED = "ownership.stalled-unanswered"
    OWNERSHIP_FENCED_WHILE_STALLED = "ownership.fenced-while-stalled"
    # told by ownership, claims
    OWNERSHIP_TAKEN_HANDED_OVER = "ownership.taken.handed-over"
    OWNERSHIP_TAKEN_REBOOTED = "ownership.taken.rebooted"
    OWNERSHIP_TAKEN_POWERED_OFF = "ownership.taken.powered-off"
    OWNERSHIP_TAKEN_CONFIRMED = "ownership.taken.confirmed"
    OWNERSHIP_TAKEN_RECORDED = "ownership.taken.recorded"
    OWNERSHIP_TAKEN_STORAGE_FENCED = "ownership.taken.storage-fenced"
    OWNERSHIP_GRANTED = "ownership.granted"
    OWNERSHIP_RELEASED = "ownership.released"
    OWNERSHIP_KEPT_RESERVED = "ownership.kept-reserved"
    OWNERSHIP_GIVEN_UP = "ownership.given-up"
    OWNERSHIP_LOST = "ownership.lost"
    OWNERSHIP_SUPERSEDED = "ownership.superseded"
    # told for ownership, blockers: one for each condition that stops the act
    TAKEOVER_REFUSED_STANDBY = "takeover.refused.standby"
    TAKEOVER_REFUSED_PANICKING = "takeover.refused.panicking"
    TAKEOVER_REFUSED_LEAVING = "takeover.refused.leaving"
    TAKEOVER_REFUSED_LEFT = "takeover.refused.left"
    TAKEOVER_REFUSED_PAUSED = "takeover.refused.paused"
    TAKEOVER_REFUSED_REVALIDATING = "takeover.refused.revalidating"
    TAKEOVER_REFUSED_DUPLICATE_NAME = "takeover.refused.duplicate-name"
    TAKEOVER_REFUSED_GIVEN_UP = "takeover.refused.given-up"
    TAKEOVER_REFUSED_NO_SHELF = "takeover.refused.no-shelf"
    TAKEOVER_REFUSED_NOT_PROBED = "takeover.refused.not-probed"
    TAKEOVER_REFUSED_STOP_FAILED = "takeover.refused.stop-failed"
    TAKEOVER_REFUSED_INVALID = "takeover.refused.invalid"
    START_REFUSED_PANICKING = "start.refused.panicking"
    START_REFUSED_LEFT = "start.refused.left"
    START_REFUSED_PAUSED = "start.refused.paused"
    START_REFUSED_REVALIDATING = "start.refused.revalidating"
    START_REFUSED_UNVERIFIED = "start.refused.unverified"
    START_REFUSED_NO_RIGHT = "start.refused.no-right"
    START_REFUSED_UNRESERVED = "start.refused.unreserved"
    # told by ownership, client_reach
    CLIENTS_UNREACHABLE = "clients.unreachable"
    CLIENTS_HANDING_OVER = "clients.handing-over"
    HOSTS_NOT_ASKED = "hosts.not-asked"
    HOSTS_ANSWER = "hosts.answer"
    HOSTS_SILENT = "hosts.silent"
    # resources
    GROUP_UNSERVED = "group.unserved"
    ADDRESS_CONFLICT = "address.conflict"
    ADDRESS_NOT_PROBED = "address.not-probed"
    STORAGE_LOST = "storage.lost"
    START_REFUSED_ADDRESS_IN_USE = "start.refused.address-in-use"
    START_REFUSED_ADDRESS_UNCONFIRMED = "start.refused.address-unconfirmed"
    RESOURCE_RUNNING = "resource.running"
    RESOURCE_STOPPED = "resource.stopped"
    RESOURCE_EXPIRED = "resource.expired"
    RESOURCE_RESTARTING = "resource.restarting"
    RESOURCE_FAILED = "resource.failed"
    RESOURCE_DEGRADED = "resource.degraded"
    RESOURCE_STOP_FAILED = "resource.stop-failed"
    RESOURCE_CANNOT_TELL = "resource.cannot-tell"
    RESOURCE_NOT_STARTABLE = "resource.not-startable"
    GROUP_RUNNING = "group.running"
    GROUP_HANDING_OVER = "group.handing-over"
    GROUP_FAILING = "group.failing"
    GROUP_BLOCKED = "group.blocked"
    # told by fencing, devices
    DEVICE_UNREACHABLE = "device.unreachable"
    DEVICE_WRONG_PLUG = "device.wrong-plug"
    DEVICE_CONTRADICTED = "device.contradicted"
    DEVICE_DISOBEYS = "device.disobeys"
    DEVICE_POWER_NOT_RESTORED = "device.power-not-restored"
    # told by fencing, power_on, power_orders, power_restore, readiness
    PEER_KEPT_OFF = "peer.kept-off"
    PEER_POWER_ON = "peer.power-on"
    PEER_SWITCHED_OFF = "peer.switched-off"
    PEER_POWER_RESTORED = "peer.power-restored"
    ORDER_TESTING = "order.testing"
    ORDER_BEGUN = "order.begun"
    ORDER_DONE = "order.done"
    ORDER_FAILED = "order.failed"
    NOT_PROTECTED = "pair.not-protected"
    # told by fencing, power_fence
    PEER_CONFIRMED_OFF = "peer.confirmed-off"
    PEER_CONFIRMATION_EXPIRED = "peer.confirmation-expired"
    FENCE_BEGUN = "fence.begun"
    FENCE_STOOD_DOWN = "fence.stood-down"
    FENCE_SUCCEEDED = "fence.succeeded"
    FENCE_LEVEL_FAILED = "fence.level-failed"
    FENCE_CANCELLED = "fence.cancelled"
    FENCE_FAILED = "fence.failed"
    FENCE_LATE_BEAT = "fence.late-beat"
    PROOF_WRONG = "proof.wrong"
    TAKEOVER_REFUSED_UNCLEAN_BOOT = "takeover.refused.unclean-boot"
    TAKEOVER_REFUSED_UNSEEN_OWNER = "takeover.refused.unseen-owner"
    TAKEOVER_REFUSED_NO_PROOF = "takeover.refused.no-proof"
    # storage
    TAKEOVER_REFUSED_LEG_NOT_RESERVED = "takeover.refused.leg-not-reserved"
    STORAGE_FENCE_DONE = "storage-fence.done"
    STORAGE_FENCE_PEER_REBOOTED = "storage-fence.peer-rebooted"
    STORAGE_FENCE_STOOD_DOWN = "storage-fence.stood-down"
    STORAGE_FENCE_YIELDED = "storage-fence.yielded"
    OWNERSHIP_FENCED = "ownership.fenced"
    LEG_FOREIGN_RESERVATION = "leg.foreign-reservation"
    LEG_RESERVATION_LOST = "leg.reservation-lost"
    PATH_SILENT = "path.silent"
    PATH_INTERFACE_SILENT = "path.interface-silent"
    PATH_UNLISTED = "path.unlisted"
    LEG_READ_WHILE_SUSPECT = "leg.read-while-suspect"
    LEG_EXCHANGED = "leg.exchanged"
    LEG_UNMARKED = "leg.unmarked"
    LEG_MARKED_SUSPECT = "leg.marked-suspect"
    # mirror
    MIRROR_LEG_OUT = "mirror.leg-out"
    MIRROR_LEG_KICKED = "mirror.leg-kicked"
    MIRROR_LEG_FAILING = "mirror.leg-failing"
    MIRROR_LEG_STUCK = "mirror.leg-stuck"
    MIRROR_LEG_WAITING = "mirror.leg-waiting"
    MIRROR_WRITES_WAIT = "mirror.writes-wait"
    MIRROR_DATA_DOUBTFUL = "mirror.data-doubtful"
    MIRROR_LEG_LEAVING = "mirror.leg-leaving"
    MIRROR_LEG_INTERRUPTED = "mirror.leg-interrupted"
    MIRROR_LEG_RETURNING_FULL = "mirror.leg-returning-full"
    MIRROR_LEG_RETURNING_PARTIAL = "mirror.leg-returning-partial"
    MIRROR_LEG_COPYING = "mirror.leg-copying"
    MIRROR_LEG_AVOIDED = "mirror.leg-avoided"
    MIRROR_DATA_OLD = "mirror.data-old"
    MIRROR_LEG_SET_ASIDE = "mirror.leg-set-aside"
    PATH_FAILOVER = "path.failover"
    PATH_FAILOVER_FAILED = "path.failover-failed"
    # status
    STATE_PAUSED = "state.paused"
    STATE_REVALIDATING = "state.revalidating"
    STATE_BLOCKED = "state.blocked"
    STATE_OFFERED = "state.offered"
    STATE_CLAIMING = "state.claiming"
    STATE_OWNING = "state.owning"
    STATE_SERVING = "state.serving"
    STATE_PEER_SERVES = "state.peer-serves"
    STATE_FENCING = "state.fencing"
    STATE_LISTENING = "state.listening"
    STATE_NOBODY_OWNS = "state.nobody-owns"
    # answers to commands, told by operator and by the daemon's control socket
    COMMAND_DONE = "command.done"
    COMMAND_BEGUN = "command.begun"
    COMMAND_TIMED_OUT = "command.timed-out"
    COMMAND_USAGE = "command.usage"
    COMMAND_FAILED = "command.failed"
    COMMAND_REFUSED_NO_PRIVILEGE = "command.refused.no-privilege"
    COMMAND_REFUSED_BUSY = "command.refused.busy"
    COMMAND_REFUSED_PAUSED = "command.refused.paused"
    COMMAND_REFUSED_LEAVING = "command.refused.leaving"
    COMMAND_REFUSED_NOT_OWNER = "command.refused.not-owner"
    COMMAND_REFUSED_SERVICE_LOST = "command.refused.service-lost"
    COMMAND_REFUSED_NO_DEVICE = "command.refused.no-device"
    COMMAND_REFUSED_DUPLICATE_NAME = "command.refused.duplicate-name"
    COMMAND_REFUSED_PEER_NOT_HEARD = "command.refused.peer-not-heard"
    COMMAND_REFUSED_PEER_NOT_SILENT = "command.refused.peer-not-silent"
    COMMAND_REFUSED_PEER_NOT_READY = "command.refused.peer-not-ready"
    COMMAND_REFUSED_PEER_NOT_IN_STANDBY = "command.refused.peer-not-in-standby"
    # daemon
    DAEMON_STARTED = "daemon.started"
    DAEMON_NOTICE = "daemon.notice"
    DAEMON_LEAVE_OVERDUE = "daemon.leave-overdue"
    DAEMON_JOURNAL = "daemon.journal"
    DAEMON_JOURNAL_LOST = "daemon.journal-lost"
    DAEMON_BEATS = "daemon.beats"
    DAEMON_FIRST_BEAT = "daemon.first-beat"
    DAEMON_KEYS = "daemon.keys"
    DAEMON_WATCHDOG = "daemon.watchdog"
    DAEMON_STORAGE_NETWORK = "daemon.storage-network"
    DAEMON_FENCE_HISTORY = "daemon.fence-history"
    DAEMON_STATE_DAMAGED = "daemon.state-damaged"


TAKEOVERS = (
    Code.OWNERSHIP_TAKEN_HANDED_OVER,
    Code.OWNERSHIP_TAKEN_REBOOTED,
    Code.OWNERSHIP_TAKEN_POWERED_OFF,
    Code.OWNERSHIP_TAKEN_CONFIRMED,
    Code.OWNERSHIP_TAKEN_STORAGE_FENCED,
)
"""One for each kind of proof by which a node takes a group (R2)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is told: programs compare `code` and `subject`, people read `sentence`."""

    code: Code
    subject: Subject
    sentence: str

    @property
    def identity(self) -> tuple[Code, Subject]:
        """The identity of the condition, whatever its sentence says."""
        return self.code, self.subject


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition that a human should see, for as long as it holds. `since_ms` is when it was raised."""

    condition: Condition
    since_ms: int
