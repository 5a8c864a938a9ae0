"""What the two gateways say to each other. Times are milliseconds; see aoeha.wire.codec for the bytes."""

from dataclasses import dataclass
from enum import Enum, IntFlag


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
    UNLISTED = 32
    """The sender's driver uses an address of a leg that its configuration does not name (R20)."""


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

    `epoch` is the highest ownership that the sender knows to have begun; `claim_floor` the highest epoch that it has
    granted or withdrawn: it will only ever claim above it. `claim` is a claim number, 0 for none. `ledger` is the
    owner's, None while it does not know; `acknowledged` the version that the sender last heard in the peer's, 0 for
    none. `generation` is the highest that the sender knows to be on all legs of the mirror, 0 for none. `doubted` are
    the places of legs that may lack acknowledged writes, as the sender found as the owner, or as the last one.
    """

    name: str
    phase: GroupPhase
    holding: bool
    yielding: bool
    willing: bool
    epoch: int
    claim_floor: int
    claim: int = 0
    claim_epoch: int = 0
    grant: Grant | None = None
    ledger: Ledger | None = None
    acknowledged: int = 0
    generation: int = 0
    doubted: tuple[int, ...] = ()


class Ability(Enum):
    """How a node could prove its peer dead now. The value is the word that people read."""

    NONE = "nothing"
    STORAGE = "its shelves"
    POWER = "its power"


@dataclass(frozen=True)
class Readiness:
    """What the sender would do if the receiver died now: how it would prove that, and how long everything takes.

    `takeover_ms` counts from the death until all that the receiver serves runs at the sender, 0 where nothing would.
    """

    ability: Ability
    takeover_ms: int


@dataclass(frozen=True)
class Beat:
    """One heartbeat: the sender's whole public state.

    `boot_id` is 32 hex digits. `incarnation` grows with each daemon start within a boot, `sequence` with each beat
    within an incarnation, across all links. `echo_sequence` is the newest sequence of the receiver's present
    incarnation that the sender had accepted, 0 for none. `link_ages_ms` tells per link, in the order of the
    configuration, how long ago the sender heard the receiver there (`NEVER_MS` for never). `pause_number` counts the
    messages by which the pair was paused and resumed. So many reference hosts (`hosts`) answer the sender lately, None
    where it does not know. `readiness` is None where the sender does not say it: before it
    knows, or because it speaks version 2 of the wire format. None means unknown, never a no.
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
    hosts: int | None = None
    readiness: Readiness | None = None


HOSTS_MAX = 14
"""The most reference hosts that a beat can count."""
NEVER_MS = 0xFFFF * 10
"""The age of a link on which nothing was ever heard, and the greatest that a beat can carry."""


@dataclass(frozen=True)
class Mark:
    """A beat of ours, sent at `sent_ms`, whose answer is awaited: what the peer says then is no older than that."""

    sequence: int
    sent_ms: int
