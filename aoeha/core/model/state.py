"""Everything that a node knows, in one immutable value.

Nothing here decides. `NodeState` is what `step` turns into the next one.
"""

from dataclasses import dataclass, field
from enum import Enum

from aoeha.core.model.beat import Beat, Grant, GroupBeat, GroupPhase, Ledger, Mark
from aoeha.core.model.conditions import Alarm, Condition
from aoeha.core.model.config import GroupConfig, Identity, PairConfig, ResourceConfig
from aoeha.core.model.fence import DeviceState, FenceState, Off
from aoeha.core.model.legs import (
    HeardLedger,
    HostsState,
    LegState,
    LegWork,
    ShelfLinkState,
    ShelvesState,
    StorageFenceState,
)
from aoeha.core.model.memory import Memory
from aoeha.core.model.power_order import PowerOrder
from aoeha.core.model.proof import Proof
from aoeha.core.model.task import MirrorLimits, Task
from aoeha.core.model.term import Claim, Term, Unremembered
from aoeha.core.model.unread import Unread


class LinkCondition(Enum):
    """How young the newest beat on a link is."""

    UNHEARD = "unheard"
    UP = "up"
    LATE = "late"
    DOWN = "down"


class PeerCondition(Enum):
    """What the beats say about the peer. Only SILENT and NEVER_SEEN ever lead to a fence, and neither is a proof."""

    BOOTING = "booting"
    ONLINE = "online"
    LATE = "late"
    RESTARTING = "restarting"
    LEFT = "left"
    UNREADABLE = "heard, and cannot be read"
    CHECKING_STORAGE = "not heard; the shelves are asked"
    STORAGE_ONLY = "heard by the shelves only"
    SILENT = "silent"
    NEVER_SEEN = "unheard"


class ResourcePhase(Enum):
    """What this node does with a resource or knows of it."""

    UNKNOWN = "unknown"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPING = "stopping"
    STOP_FAILED = "stop failed"


UP = (ResourcePhase.RUNNING, ResourcePhase.DEGRADED)
"""The phases in which a resource serves, even if with one leg less."""


@dataclass(frozen=True)
class UnreadBeat:
    """What last arrived on a link and could not be read (R17): why, and when."""

    kind: Unread
    at_ms: int


@dataclass(frozen=True)
class LinkState:
    """One link. `heard_ms` is None until the first beat; `fault` is the medium's own report.

    `unread` is what arrived there lately and could not be read, None for nothing.
    """

    name: str
    heard_ms: int | None = None
    fault: str = ""
    condition: LinkCondition = LinkCondition.UNHEARD
    unread: UnreadBeat | None = None


@dataclass(frozen=True)
class Question:
    """Only the shelves can tell whether the peer lives: since when without a sign of life, and when that was last so.

    Both are times of this node.
    """

    since_ms: int
    open_ms: int


@dataclass(frozen=True)
class PeerState:
    """The peer as its beats show it. `beat` is the newest one; `held` tells per group which boot was heard holding.

    The newest beat was sent after our beat of `answered_ms`; `mark` is a later one of ours, whose answer is awaited.
    At `alternated_ms` two boots of the peer were last heard in turn, None for not lately. What such boots say about
    each other is never a proof again (`disputed_boot_ids`). The peer's present boot was first heard at `booted_ms`.
    `stale`: this node was stalled, and no beat has yet answered what it sent since, so that every beat may be old news.
    `question`: what the shelves have not answered about a peer that no link carries. `config_tag` and `unlisted` are
    those of its newest beat, of which an earlier daemon may have told; `config_tag` None for none (R20). Something that
    cannot be read was last heard at `unread_ms`, and at `runs_ms` it showed that the peer runs (R17).
    """

    condition: PeerCondition = PeerCondition.BOOTING
    boot_id: str = ""
    incarnation: int = 0
    sequence: int = 0
    beat: Beat | None = None
    heard: bool = False
    retired_boot_ids: tuple[str, ...] = ()
    alternated_ms: int | None = None
    disputed_boot_ids: tuple[str, ...] = ()
    booted_ms: int = 0
    held: tuple[tuple[str, str], ...] = ()
    answered_ms: int | None = None
    mark: Mark | None = None
    stale: bool = False
    question: Question | None = None
    config_tag: int | None = None
    unlisted: bool = False
    unread_ms: int | None = None
    runs_ms: int | None = None

    @property
    def duplicate_name(self) -> bool:
        """Whether two machines use the peer's name: two boots of it were heard in turn lately."""
        return self.alternated_ms is not None


@dataclass(frozen=True)
class ResourceState:
    """One resource on this node. `task_id` 0: nothing is being done. `valid` None: not asked yet.

    `missing` are the legs that a mirror was last seen to lack, None for not seen since it was started. `copying` are
    those onto which it was last seen to copy, `dropped` those that the last look was the first to find missing.
    `changed`: the kernel has told of a change since a look told how it stands. `limits` is what the mirror was last
    told to avoid.
    `untold` counts the tasks in a row for which this node lacked the means, since `untold_since_ms`.
    """

    config: ResourceConfig
    phase: ResourcePhase = ResourcePhase.UNKNOWN
    reason: str = ""
    task_id: int = 0
    checked_ms: int = 0
    stop_failures: int = 0
    untold: int = 0
    untold_since_ms: int = 0
    valid: bool | None = None
    invalid_reason: str = ""
    validated_ms: int | None = None
    start_begun_ms: int = 0
    start_took_ms: int = 0
    conflict_task_id: int = 0
    conflict_asked_ms: int = 0
    missing: tuple[str, ...] | None = None
    copying: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    changed: bool = False
    limits: MirrorLimits = field(default_factory=MirrorLimits)


@dataclass(frozen=True)
class Failures:
    """The failures of a group's resources here: the times of the latest ones, and what followed.

    `given_up` is why this node does not serve the group any more, until `until_ms`; empty for no reason. It is forgiven
    before that when one of the legs answers that the mirror was `lacking`.
    """

    at_ms: tuple[int, ...] = ()
    given_up: str = ""
    until_ms: int = 0
    lacking: tuple[str, ...] = ()

    def and_one(self, now_ms: int, config: GroupConfig) -> "Failures":
        """One failure more. Those of before the window do not count any more."""
        recent = (*(at for at in self.at_ms if now_ms - at < config.failure_window_ms), now_ms)
        return Failures(recent[-(config.restart_max + 1) :], self.given_up, self.until_ms, self.lacking)


@dataclass(frozen=True)
class GroupState:
    """One group: its owner, the proof of that, and the state of its resources here.

    Which package writes each field:

    - ownership: `epoch`, the highest ownership known to have begun; `term`, ours, None while we do not own the group;
      `unremembered`, what an earlier daemon of this boot may have owned, None for nothing, or not any more;
      `claim_floor`, the highest epoch granted or withdrawn by us; `claims`, how often we claimed; `claim`, the one that
      is out; `grant`, what we promised the peer; `hold_back_until_ms`, when we may claim again after a hand-over;
      `refusal`, why nothing is started here, as it was last said.
    - resources: `resources`, one after the other as they are started; `failures`, the latest of them here;
      `blocked_since_ms`, since when something could be neither served nor stopped.
    - storage: `legs`; `shelves`, what they are asked; `ledger_version`, the last that we gave a ledger, and
      `heard_ledger`, the peer's; `storage_fence`; `generation`, the highest known to be on all legs of the mirror.
    - mirror: `leg_work`, an eviction or a return of a leg.
    - peer: `shelf_link`, the shelves as a link.
    - unserved: `unserved_since_ms`, since when nobody serves the group, None while somebody does or this node cannot
      tell.

    The properties below show what the term says, and what holds for a node without one.
    """

    config: GroupConfig
    resources: tuple[ResourceState, ...]
    epoch: int = 0
    term: Term | None = None
    unremembered: Unremembered | None = None
    claim_floor: int = 0
    claims: int = 0
    claim: Claim | None = None
    grant: Grant | None = None
    hold_back_until_ms: int = 0
    failures: Failures = field(default_factory=Failures)
    blocked_since_ms: int = 0
    unserved_since_ms: int | None = None
    refusal: Condition | None = None
    legs: tuple[LegState, ...] = ()
    shelves: ShelvesState = field(default_factory=ShelvesState)
    leg_work: LegWork = field(default_factory=LegWork)
    ledger_version: int = 0
    heard_ledger: HeardLedger | None = None
    storage_fence: StorageFenceState = field(default_factory=StorageFenceState)
    shelf_link: ShelfLinkState = field(default_factory=ShelfLinkState)
    generation: int = 0

    @property
    def name(self) -> str:
        """The group's name in aoeha.toml."""
        return self.config.name

    @property
    def holding(self) -> bool:
        """Whether this node owns the group."""
        return self.term is not None

    @property
    def held_epoch(self) -> int:
        """The epoch at which this node owns the group, 0 for not at all."""
        return self.term.epoch if self.term is not None else 0

    @property
    def proof(self) -> Proof | None:
        """The proof by which this node owns the group, None for not at all."""
        return self.term.proof if self.term is not None else None

    @property
    def yielding(self) -> str:
        """Why the group is being handed over, empty for not at all."""
        return self.term.yielding if self.term is not None else ""

    @property
    def ownership_unverified(self) -> bool:
        """Whether this node owns the group, was stalled meanwhile, and its legs may have been taken."""
        return self.term is not None and self.term.unverified

    @property
    def storage_lost(self) -> bool:
        """Whether this node owns the group, sees none of its shelves, and the peer does."""
        return self.term is not None and self.term.storage_lost

    @property
    def ledger(self) -> Ledger | None:
        """Our own ledger of the group's legs, None for none."""
        return self.term.ledger if self.term is not None else None

    def resource(self, name: str) -> ResourceState:
        """The resource of that name. KeyError if there is none."""
        for resource in self.resources:
            if resource.config.name == name:
                return resource
        raise KeyError(name)

    def leg(self, name: str) -> LegState:
        """The leg of that name. KeyError if there is none."""
        for leg in self.legs:
            if leg.name == name:
                return leg
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command for whose end a client waits."""

    command_id: int
    verb: str
    group: str
    until_ms: int


@dataclass(frozen=True)
class Leaving:
    """A clean leave under way: until when the peer may take our groups, and how many beats have announced it."""

    by_ms: int
    beats: int = 0


@dataclass(frozen=True)
class Revalidation:
    """The latest time that this node had to find out whether it still owns what it owned (R10).

    `sequence` was our newest one then: a beat that answers a later one was sent since. An answer is awaited until
    `until_ms`, 0 for not any more.
    """

    sequence: int = 0
    until_ms: int = 0


@dataclass(frozen=True)
class NodeState:
    """Everything this node knows at `now_ms`.

    `unclean_boot`: this node's last boot ended without leaving, so the peer may have fenced it. `powered_on_ms`: when
    we switched the fenced peer on again, 0 for never. `kept_off`: the peer was not heard afterwards and has been
    switched off for good. `released_sequence`: our newest sequence when we last gave a group up. `pause_number` counts
    the messages by which the pair was paused and resumed.
    """

    config: PairConfig
    identity: Identity
    now_ms: int
    started_ms: int
    listening_since_ms: int
    cold: bool
    links: tuple[LinkState, ...]
    peer: PeerState
    groups: tuple[GroupState, ...]
    devices: tuple[DeviceState, ...]
    fence: FenceState
    tasks: tuple[Task, ...] = ()
    next_task_id: int = 1
    sequence: int = 0
    next_beat_ms: int = 0
    last_groups: tuple[GroupBeat, ...] = ()
    last_flags: int = 0
    remembered: Memory | None = None
    standby: bool = False
    paused: bool = False
    pause_number: int = 0
    leaving: Leaving | None = None
    left: bool = False
    revalidation: Revalidation = field(default_factory=Revalidation)
    panicked_before: bool = False
    unclean_boot: bool = False
    powered_on_ms: int = 0
    kept_off: bool = False
    last_off: Off | None = None
    released_sequence: int = 0
    panic: Condition | None = None
    waiting: tuple[Waiting, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    order: PowerOrder | None = None
    hosts: HostsState = field(default_factory=HostsState)

    @property
    def panicking(self) -> bool:
        """Whether this node is to reboot itself at once, for the reason in `panic`."""
        return self.panic is not None

    @property
    def revalidating(self) -> bool:
        """Whether this node was stalled while owning and does not know yet that the peer did not take over (R10)."""
        return self.revalidation.until_ms > 0

    @property
    def probed(self) -> bool:
        """Whether every resource was probed since this daemon started."""
        return all(r.phase is not ResourcePhase.UNKNOWN for group in self.groups for r in group.resources)

    @property
    def may_be_judged(self) -> bool:
        """Whether this node knows what runs here and what it could start: before that its beats promise nothing."""
        return self.probed and all(g.holding or r.valid is not None for g in self.groups for r in g.resources)

    @property
    def heard_ms(self) -> int | None:
        """When the peer was last heard on any link, None for never in this incarnation."""
        heard = [link.heard_ms for link in self.links if link.heard_ms is not None]
        return max(heard) if heard else None

    def group(self, name: str) -> GroupState:
        """The group of that name. KeyError if there is none."""
        for group in self.groups:
            if group.config.name == name:
                return group
        raise KeyError(name)

    def link(self, name: str) -> LinkState:
        """The link of that name. KeyError if there is none."""
        for link in self.links:
            if link.name == name:
                return link
        raise KeyError(name)

    def device(self, name: str) -> DeviceState:
        """The fence device of that name. KeyError if there is none."""
        for device in self.devices:
            if device.name == name:
                return device
        raise KeyError(name)

    def peer_group(self, name: str) -> GroupBeat | None:
        """The group as the peer's newest beat shows it, None while the peer has not probed itself."""
        beat = self.peer.beat
        if beat is None:
            return None
        for group in beat.groups:
            if group.name == name:
                return group
        return None


def phase_of(group: GroupState) -> GroupPhase:
    """The phase of a group, derived from its resources."""
    phases = [resource.phase for resource in group.resources]
    if ResourcePhase.STOP_FAILED in phases:
        return GroupPhase.BLOCKED
    if ResourcePhase.UNKNOWN in phases:
        return GroupPhase.UNKNOWN
    if all(phase is ResourcePhase.STOPPED for phase in phases):
        return GroupPhase.STOPPED
    if group.storage_lost:
        return GroupPhase.BLOCKED
    if all(phase in (ResourcePhase.RUNNING, ResourcePhase.DEGRADED) for phase in phases):
        return GroupPhase.STOPPING if group.yielding else GroupPhase.RUNNING
    if group.holding and not group.yielding:
        return GroupPhase.STARTING
    return GroupPhase.STOPPING


def stopped_everywhere(state: NodeState) -> bool:
    """Whether no resource of any group is left on this node."""
    return all(phase_of(group) is GroupPhase.STOPPED for group in state.groups)
