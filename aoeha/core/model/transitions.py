"""Which state may follow which: the changes that are legal, and the transitions between two steps.

Nothing here decides. There are two tables for each machine, because one step may pass through several states: a power
fence without a delay is idle, waiting and switching off within one step.

- `LEGAL` is about each change by itself. `StepContext` asserts it: a change that it does not name is a bug of ours, and
  must be loud. It is derived from the rules that make the changes, and names no more than they can do.
- `MACHINES` is about the states that are left between two steps. Tests take each of its transitions and no other, and
  the diagrams in docs/states.md are made from it. It cannot be asserted. It holds what tests have seen, and a node that
  gets no processor for a while skips states that it names: a peer that was online is silent in the next step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aoeha.core.model.fence import FencePhase
from aoeha.core.model.power_order import OrderStage
from aoeha.core.model.state import LinkCondition, PeerCondition, ResourcePhase

__all__ = ["BEGIN", "LEGAL", "MACHINES", "Machine", "assert_legal"]

_UNHEARD = (PeerCondition.BOOTING, PeerCondition.NEVER_SEEN, PeerCondition.UNREADABLE)
_HEARD = (
    PeerCondition.ONLINE,
    PeerCondition.LATE,
    PeerCondition.RESTARTING,
    PeerCondition.LEFT,
    PeerCondition.UNREADABLE,
    PeerCondition.CHECKING_STORAGE,
    PeerCondition.STORAGE_ONLY,
    PeerCondition.SILENT,
)
_SPEAKING = (PeerCondition.ONLINE, PeerCondition.RESTARTING, PeerCondition.LEFT)

LEGAL: Mapping[Enum, tuple[Enum, ...]] = {
    # The peer is judged again in each step by all that is known of it. A peer that was heard once is never unheard
    # again. Silence begins after a beat, so a peer is neither silent nor late before its first one.
    PeerCondition.BOOTING: (
        *_SPEAKING,
        PeerCondition.UNREADABLE,
        PeerCondition.NEVER_SEEN,
        PeerCondition.STORAGE_ONLY,
    ),
    PeerCondition.NEVER_SEEN: (
        *_SPEAKING,
        PeerCondition.UNREADABLE,
        PeerCondition.BOOTING,
        PeerCondition.STORAGE_ONLY,
    ),
    PeerCondition.UNREADABLE: (*_UNHEARD, *_HEARD),
    PeerCondition.STORAGE_ONLY: (*_UNHEARD, *_HEARD),
    PeerCondition.ONLINE: _HEARD,
    PeerCondition.LATE: _HEARD,
    PeerCondition.RESTARTING: _HEARD,
    PeerCondition.LEFT: _HEARD,
    PeerCondition.CHECKING_STORAGE: _HEARD,
    PeerCondition.SILENT: _HEARD,
    # A link is late only after it was up. It is up again by a beat, or because we were stalled and start to count
    # again; that makes a link without any beat unheard again.
    LinkCondition.UNHEARD: (LinkCondition.UP, LinkCondition.DOWN),
    LinkCondition.UP: (LinkCondition.LATE, LinkCondition.DOWN),
    LinkCondition.LATE: (LinkCondition.UP, LinkCondition.DOWN),
    LinkCondition.DOWN: (LinkCondition.UP, LinkCondition.UNHEARD),
    # A start or a stop that began is waited for. What failed is stopped before it is started again, unless it is found
    # to run in a pause.
    ResourcePhase.UNKNOWN: (
        ResourcePhase.STOPPED,
        ResourcePhase.RUNNING,
        ResourcePhase.DEGRADED,
        ResourcePhase.FAILED,
    ),
    ResourcePhase.STOPPED: (ResourcePhase.STARTING,),
    ResourcePhase.STARTING: (
        ResourcePhase.RUNNING,
        ResourcePhase.FAILED,
        ResourcePhase.STOPPED,  # a mirror of which only the superblocks were read
    ),
    ResourcePhase.RUNNING: (
        ResourcePhase.DEGRADED,
        ResourcePhase.FAILED,
        ResourcePhase.STOPPED,  # an address that was not renewed
        ResourcePhase.STOPPING,
    ),
    ResourcePhase.DEGRADED: (
        ResourcePhase.RUNNING,
        ResourcePhase.FAILED,
        ResourcePhase.STOPPED,
        ResourcePhase.STOPPING,
    ),
    ResourcePhase.FAILED: (ResourcePhase.STOPPING, ResourcePhase.RUNNING, ResourcePhase.DEGRADED),
    ResourcePhase.STOPPING: (ResourcePhase.STOPPED, ResourcePhase.FAILED, ResourcePhase.STOP_FAILED),
    ResourcePhase.STOP_FAILED: (
        ResourcePhase.FAILED,  # and is stopped once more
        ResourcePhase.RUNNING,
        ResourcePhase.DEGRADED,
    ),
    # A device is switched off only after that was decided, and a power-off is proven only after it was read back.
    # What an earlier daemon of this boot proved is only read again.
    FencePhase.IDLE: (FencePhase.WAITING, FencePhase.READING_BACK),
    FencePhase.WAITING: (FencePhase.SWITCHING_OFF, FencePhase.IDLE),
    FencePhase.SWITCHING_OFF: (
        FencePhase.READING_BACK,
        FencePhase.BACKING_OFF,
        FencePhase.CANCELLING,
        FencePhase.IDLE,
    ),
    FencePhase.READING_BACK: (
        FencePhase.SETTLING,
        FencePhase.SWITCHING_OFF,  # the next level
        FencePhase.BACKING_OFF,
        FencePhase.CANCELLING,
        FencePhase.IDLE,
    ),
    FencePhase.SETTLING: (FencePhase.SWITCHING_OFF, FencePhase.BACKING_OFF, FencePhase.IDLE),
    FencePhase.BACKING_OFF: (FencePhase.SWITCHING_OFF, FencePhase.IDLE),
    FencePhase.CANCELLING: (FencePhase.IDLE,),
    # An order to switch on begins with no power to take, so where others come from being off.
    OrderStage.GOING_OFF: (OrderStage.OFF, OrderStage.GOING_ON),
    OrderStage.OFF: (OrderStage.GOING_ON,),
    OrderStage.GOING_ON: (OrderStage.READING,),
    OrderStage.READING: (OrderStage.GOING_ON,),
}


def assert_legal(before: Enum, after: Enum) -> None:
    """Assert that the law names a change. A state may follow itself."""
    assert before is after or after in LEGAL[before], (
        f"illegal transition of a {type(before).__name__}: {before.value} -> {after.value}"
    )


BEGIN = "(a daemon starts)"


@dataclass(frozen=True, slots=True)
class Machine:
    """One state machine: for each state the states that may follow it, and what each state means."""

    title: str
    text: str
    moves: Mapping[str, tuple[str, ...]]
    meanings: Mapping[str, str]


MACHINES: dict[str, Machine] = {
    "peer": Machine(
        "The peer, as its beats show it",
        "Membership (R1, R10, R15). Only silent and unheard ever lead to a fence, and neither is a proof.",
        {
            BEGIN: ("booting",),
            "booting": ("heard by the shelves only", "left", "online", "restarting", "unheard"),
            "heard by the shelves only": ("online", "restarting", "silent", "unheard"),
            "late": (
                "heard by the shelves only",
                "left",
                "not heard; the shelves are asked",
                "online",
                "restarting",
                "silent",
            ),
            "left": ("not heard; the shelves are asked", "online", "restarting"),
            "not heard; the shelves are asked": ("heard by the shelves only", "online", "restarting", "silent"),
            "online": ("late", "left", "restarting"),
            "restarting": ("online", "silent"),
            "silent": ("heard by the shelves only", "not heard; the shelves are asked", "online", "restarting"),
            "unheard": ("booting", "heard by the shelves only", "online"),
        },
        {
            "booting": "nothing was heard of it since we started, and that is not long ago",
            "heard by the shelves only": "no link carries its beats, and its records on the shelves go on",
            "late": "nothing was heard for warntime",
            "left": "it said that it leaves, and nothing runs on it",
            "not heard; the shelves are asked": "no link for deadtime; its records on the shelves may go on",
            "online": "a link carries its beats",
            "restarting": "its daemon said that it restarts",
            "silent": "nothing is heard of it, neither on a link nor on the shelves",
            "unheard": "nothing was heard of it since we started, and that is long ago",
        },
    ),
    "link": Machine(
        "A link",
        "Membership (R1): the age of the newest beat on it.",
        {
            BEGIN: ("unheard",),
            "down": ("unheard", "up"),
            "late": ("down", "up"),
            "unheard": ("down", "up"),
            "up": ("late",),
        },
        {
            "down": "nothing for deadtime",
            "late": "nothing for warntime",
            "unheard": "no beat yet",
            "up": "it carries beats",
        },
    ),
    "ownership": Machine(
        "Ownership of a group on one node",
        "Ownership (R2, R9): the proof by which it is owned, or what binds the node instead.",
        {
            BEGIN: ("free", "granted to the peer", "owns (handed over)", "owns (powered off)", "owns (storage-fenced)"),
            "claims": ("free", "owns (handed over)", "owns (powered off)"),
            "free": (
                "claims",
                "granted to the peer",
                "owns (handed over)",
                "owns (its own record)",
                "owns (operator's word)",
                "owns (powered off)",
                "owns (rebooted)",
                "owns (storage-fenced)",
            ),
            "granted to the peer": ("free", "owns (operator's word)", "owns (storage-fenced)"),
            "owns (handed over)": ("yields (handed over)",),
            "owns (its own record)": ("yields (its own record)",),
            "owns (operator's word)": ("yields (operator's word)",),
            "owns (powered off)": ("free", "yields (powered off)"),
            "owns (rebooted)": ("yields (rebooted)",),
            "owns (storage-fenced)": ("free", "yields (storage-fenced)"),
            "yields (handed over)": ("claims", "free", "granted to the peer"),
            "yields (its own record)": ("granted to the peer",),
            "yields (operator's word)": ("granted to the peer",),
            "yields (powered off)": ("free", "granted to the peer"),
            "yields (rebooted)": ("granted to the peer",),
            "yields (storage-fenced)": ("free", "granted to the peer"),
        },
        {
            "claims": "this node claims the next epoch",
            "free": "this node owns nothing here, claims nothing and has promised nothing",
            "granted to the peer": "this node promised an epoch to the peer, and owns nothing until that has moved on",
            "owns (handed over)": "by the peer's grant, or because it left",
            "owns (its own record)": "because its legs say so, and /run has lost it",
            "owns (operator's word)": "because an operator confirmed that the peer is off",
            "owns (powered off)": "because all its plugs were read back as off",
            "owns (rebooted)": "because the boot that owned it is gone",
            "owns (storage-fenced)": "because its legs are reserved for this node",
            "yields (handed over)": "owned as above, and about to be handed over",
            "yields (its own record)": "the same",
            "yields (operator's word)": "the same",
            "yields (powered off)": "the same",
            "yields (rebooted)": "the same",
            "yields (storage-fenced)": "the same",
        },
    ),
    "group": Machine(
        "A group on one node",
        "Resources (R14): what its resources add up to.",
        {
            BEGIN: ("unknown",),
            "blocked": ("stopping",),
            "running": ("blocked", "starting", "stopping"),
            "starting": ("blocked", "running", "stopped", "stopping"),
            "stopped": ("starting",),
            "stopping": ("blocked", "stopped"),
            "unknown": ("running", "starting", "stopped", "stopping"),
        },
        {
            "blocked": "something of it could be neither served nor stopped: this node asks to be fenced",
            "running": "all of it runs",
            "starting": "owned, and not all of it runs yet",
            "stopped": "nothing of it runs",
            "stopping": "not to run here any more, and not all of it is stopped yet",
            "unknown": "something was not looked at yet",
        },
    ),
    "resource": Machine(
        "A resource on one node",
        "Resources (R14).",
        {
            BEGIN: ("unknown",),
            "degraded": ("failed", "running", "stopping"),
            "failed": ("stopping",),
            "running": ("degraded", "failed", "starting", "stopped", "stopping"),
            "starting": ("running", "stopped", "stopping"),
            "stop failed": ("stopping",),
            "stopped": ("starting",),
            "stopping": ("starting", "stop failed", "stopped"),
            "unknown": ("degraded", "failed", "running", "starting", "stopped", "stopping"),
        },
        {
            "degraded": "it serves with less than all of it, a leg less say",
            "failed": "it does not serve, and is to be stopped",
            "running": "it serves",
            "starting": "its start is under way",
            "stop failed": "it could not be stopped",
            "stopped": "nothing of it is left on this node",
            "stopping": "its stop is under way",
            "unknown": "it was not looked at yet",
        },
    ),
    "fence": Machine(
        "A power fence",
        "Fencing (R2, R7, R8). Idle again means: proven, called off, or given up.",
        {
            BEGIN: ("idle", "reading back", "waiting"),
            "backing off": ("idle", "switching off"),
            "cancelling": ("idle",),
            "idle": ("backing off", "switching off", "waiting"),
            "reading back": ("backing off", "cancelling", "idle", "settling"),
            "settling": ("backing off", "idle", "switching off"),
            "switching off": ("backing off", "cancelling", "idle", "reading back"),
            "waiting": ("idle", "switching off"),
        },
        {
            "backing off": "all levels failed; another attempt follows",
            "cancelling": "the victim has a new boot; the tasks that are under way are waited for",
            "idle": "none is under way",
            "reading back": "all devices took the order, of an earlier daemon perhaps; each is asked about its plug",
            "settling": "all were read as off; the victim must stay unheard for a while",
            "switching off": "the devices of a level were told to switch off",
            "waiting": "decided; the peer may be about to do the same, and one waits",
        },
    ),
}
