"""Every condition of a node that can stop an act, and a table that says which acts it stops.

A rule never tests a condition by hand. It asks `stops(state, act, group)`, and the table decides. So a new condition is
weighed against every act once, here, and a new act against every condition. The table has no empty cell. A condition
that the table does not know stops every act but `STOP`. A condition that stops a start or a takeover is told under a
code of its own (`aoeha.core.ownership.blockers`).

Some conditions take more than the state itself to judge: whether the shelves respond, and whether a proof could be had.
They are in the table too. Higher layers test them: `aoeha.core.ownership.blockers` and `aoeha.core.fencing.forecast`.

What this file does not know: why a condition began. Each condition has one home file, which sets it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from aoeha.core.model.state import GroupState, NodeState, ResourcePhase

PAUSED: Final = "the pair is paused; to end that: aoeha resume"


class Act(Enum):
    """What a node may be about to do."""

    START = "start"  # a resource of a group that this node owns
    STOP = "stop"  # a resource
    CLAIM = "claim"  # come to own a group: claim it, accept a grant, take it by a proof, fence for it
    GRANT = "grant"  # promise an epoch to the peer
    RESERVE = "reserve"  # take a leg that this node owns by a proof, confirm it, or reserve it again
    PREEMPT = "preempt"  # take a leg from the peer by force
    TRANSFER = "transfer"  # give a leg to the peer
    POWER_OFF = "power-off"  # the peer, without an operator's order to do it anyway
    POWER_ON = "power-on"  # the peer, after a fence that was given up
    EVICT = "evict"  # let a leg leave a running mirror
    RETURN = "return"  # add a leg to a running mirror again, or let its driver leave a path
    TRUST = "trust"  # consider a leg of a whole mirror sound
    STAMP = "stamp"  # write the disk heartbeat
    OFFER = "offer"  # offer a group to the peer, which clients may reach
    EXPIRE = "expire"  # let an address expire that no leg renews
    REBOOT = "reboot"  # this node itself, because it can neither serve nor stop
    CONFIRM = "confirm"  # accept an operator's confirmation that the peer is off
    READY = "ready"  # count as ready to take over

    __hash__ = object.__hash__  # a member is equal to itself alone; the enum's own hash costs a tenth of a step here


class Kind(Enum):
    """A condition that can stop an act. The order is the order in which conditions are told to people."""

    STANDBY = "standby"
    PANICKING = "panicking"
    LEAVING = "leaving"
    LEFT = "left"
    PAUSED = "paused"
    REVALIDATING = "revalidating"
    DUPLICATE_NAME = "duplicate-name"
    UNVERIFIED = "unverified"
    STORAGE_LOST = "storage-lost"
    HANDING_OVER = "handing-over"
    GIVEN_UP = "given-up"
    NO_RIGHT = "no-right"
    UNRESERVED = "unreserved"
    NO_SHELF = "no-shelf"
    NOT_PROBED = "not-probed"
    STOP_FAILED = "stop-failed"
    INVALID = "invalid"
    FENCE_FUTILE = "fence-futile"
    UNPROVABLE = "unprovable"

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Blocked:
    """A standing condition: its kind, and a sentence that says why it stands and, where a human can end it, how."""

    kind: Kind
    sentence: str


# "x": the condition stops the act. "-": it does not. The reasons for the less plain ones stand below the tables.
_GROUPS_AND_LEGS: Final = """
                start stop claim grant reserve preempt transfer
standby           -    -     x     -      -       -       -
panicking         x    -     x     x      x       x       x
leaving           -    -     x     -      -       -       -
left              x    -     x     x      x       x       x
paused            x    x     x     x      -       x       x
revalidating      x    -     x     -      x       x       -
duplicate-name    -    -     x     x      -       -       -
unverified        x    -     -     -      x       -       -
storage-lost      -    -     -     -      -       -       -
handing-over      -    -     -     -      -       -       -
given-up          -    -     x     -      -       -       -
no-right          x    -     -     -      -       -       -
unreserved        x    -     -     -      -       -       -
no-shelf          -    -     x     -      -       -       -
not-probed        -    -     x     -      -       -       -
stop-failed       -    -     x     -      -       -       -
invalid           -    -     x     -      -       -       -
fence-futile      -    -     -     -      -       -       -
unprovable        -    -     -     -      -       -       -
"""
_POWER_AND_THE_REST: Final = """
                power-off power-on evict return trust stamp offer expire reboot confirm ready
standby             -        -       -     -      -     -     -     -      -       -      x
panicking           x        x       x     x      -     x     x     -      x       x      x
leaving             -        -       -     x      -     -     -     -      -       -      x
left                x        x       x     x      -     x     x     -      x       x      x
paused              x        x       x     x      -     -     x     x      x       -      x
revalidating        -        -       x     x      -     -     x     -      -       -      x
duplicate-name      x        -       -     -      -     -     -     -      -       x      x
unverified          -        -       x     x      x     x     -     -      -       -      -
storage-lost        -        -       x     x      -     -     -     -      -       -      -
handing-over        -        -       -     x      -     -     x     -      -       -      -
given-up            -        -       -     -      -     -     -     -      -       -      x
no-right            -        -       -     -      -     -     -     -      -       -      -
unreserved          -        -       -     -      -     -     -     -      -       -      -
no-shelf            -        -       -     -      -     -     -     -      -       -      x
not-probed          -        -       -     -      -     -     -     -      -       -      x
stop-failed         -        -       -     -      -     -     -     -      -       -      x
invalid             -        -       -     -      -     -     -     -      -       -      x
fence-futile        -        -       -     -      -     -     -     -      -       -      x
unprovable          -        -       -     -      -     -     -     -      -       -      x
"""
"""
- A pause of the pair stops every move of either node, stops included (R15). A reservation that a target lost is made
  again, a stamp is written and a lease is renewed all the same: they move nothing. Nor does an address expire then.
- A node that revalidates its ownership after a stall does nothing that requires it (R10). It keeps what it runs.
- While two machines use the peer's name nothing that the peer says is a proof, and its plug may feed either of them:
  this node claims, grants and fences nothing (R1). It stops and restarts what it owns.
- A node in standby, or one that leaves, hands over and may take a confirmation. It claims nothing new.
- `unverified`: after a stall it is not known yet whose the legs are. Nothing is started from them, they are neither
  preempted nor evicted, and no stamp claims them (R3, R6): the peer may have served meanwhile, and died.
"""


def parsed(*tables: str) -> Mapping[Act, tuple[Kind, ...]]:
    """Read the tables: for each act the conditions that stop it, in their order. An empty cell is an error."""
    stopped_by: dict[Act, tuple[Kind, ...]] = {}
    for table in tables:
        head, *rows = [line.split() for line in table.strip().splitlines()]
        cells = {Kind(row[0]): row[1:] for row in rows}
        for kind, marks in cells.items():
            assert len(marks) == len(head), f"{kind.value}: a cell is empty"
            assert set(marks) <= {"x", "-"}, f"{kind.value}: a cell is neither x nor -"
        for place, act in enumerate(map(Act, head)):
            known = {kind for kind, marks in cells.items() if marks[place] == "x"}
            unknown = set(Kind) - cells.keys() if act is not Act.STOP else set()
            stopped_by[act] = tuple(kind for kind in Kind if kind in known | unknown)
    assert stopped_by.keys() == set(Act), "an act is missing in the tables"
    return stopped_by


STOPPED_BY: Final[Mapping[Act, tuple[Kind, ...]]] = parsed(_GROUPS_AND_LEGS, _POWER_AND_THE_REST)
"""For each act the conditions that stop it."""

Test = Callable[[NodeState, GroupState | None], str]
"""Whether a condition stands: returns the sentence that reports it, empty if it does not stand."""


def _standby(state: NodeState, _group: GroupState | None) -> str:
    node = state.config.node
    return f"{node} is in standby; to end that: aoeha unstandby {node}" if state.standby else ""


def _panicking(state: NodeState, _group: GroupState | None) -> str:
    return f"{state.config.node} is about to reboot" if state.panicking else ""


def _leaving(state: NodeState, _group: GroupState | None) -> str:
    return f"{state.config.node} is leaving" if state.leaving else ""


def _left(state: NodeState, _group: GroupState | None) -> str:
    return f"{state.config.node} has left the pair" if state.left else ""


def _paused(state: NodeState, _group: GroupState | None) -> str:
    return PAUSED if state.paused else ""


def _revalidating(state: NodeState, _group: GroupState | None) -> str:
    return f"{state.config.node} was stalled and waits to hear that nobody took over" if state.revalidating else ""


def _duplicate_name(state: NodeState, _group: GroupState | None) -> str:
    if not state.peer.duplicate_name:
        return ""
    return f"two machines use the name {state.config.peer}; find the other one and switch it off"


def _unverified(state: NodeState, group: GroupState | None) -> str:
    if group is None or not group.ownership_unverified:
        return ""
    return f"{state.config.node} does not know yet whether {group.name} was taken from it"


def _storage_lost(state: NodeState, group: GroupState | None) -> str:
    return f"no shelf of {group.name} answers {state.config.node}" if group is not None and group.storage_lost else ""


def _handing_over(_state: NodeState, group: GroupState | None) -> str:
    return f"{group.name} is being handed over: {group.yielding}" if group is not None and group.yielding else ""


def _given_up(_state: NodeState, group: GroupState | None) -> str:
    if group is None or not group.failures.given_up:
        return ""
    return f"{group.failures.given_up}; to try again at once: aoeha cleanup"


def _not_probed(state: NodeState, group: GroupState | None) -> str:
    for resource in group.resources if group is not None else ():
        if resource.phase is ResourcePhase.UNKNOWN:
            return f"{state.config.node} has not looked at {resource.config.name} yet"
    return ""


def _stop_failed(state: NodeState, group: GroupState | None) -> str:
    for resource in group.resources if group is not None else ():
        if resource.phase is ResourcePhase.STOP_FAILED:
            return f"{resource.config.name} could not be stopped on {state.config.node}: {resource.reason}"
    return ""


def _invalid(state: NodeState, group: GroupState | None) -> str:
    node = state.config.node
    for resource in group.resources if group is not None else ():
        if resource.valid is False:
            return f"{node} could not start {resource.config.name}: {resource.invalid_reason}"
        if resource.valid is None and group is not None and not group.holding:
            return f"{node} has not checked yet whether it could start {resource.config.name}"
    return ""


TESTS: Final[Mapping[Kind, Test]] = {
    Kind.STANDBY: _standby,
    Kind.PANICKING: _panicking,
    Kind.LEAVING: _leaving,
    Kind.LEFT: _left,
    Kind.PAUSED: _paused,
    Kind.REVALIDATING: _revalidating,
    Kind.DUPLICATE_NAME: _duplicate_name,
    Kind.UNVERIFIED: _unverified,
    Kind.STORAGE_LOST: _storage_lost,
    Kind.HANDING_OVER: _handing_over,
    Kind.GIVEN_UP: _given_up,
    Kind.NOT_PROBED: _not_probed,
    Kind.STOP_FAILED: _stop_failed,
    Kind.INVALID: _invalid,
}
"""The conditions that the state alone tells of."""


def stops(state: NodeState, act: Act, group: GroupState | None = None) -> Blocked | None:
    """Return the first condition of the state alone that stops an act, None if none does."""
    return first(state, act, group, TESTS)


def stands(state: NodeState, kind: Kind, group: GroupState | None = None) -> bool:
    """Whether a condition that the state alone tells of stands: for rules that read it as a fact, and stop nothing."""
    return bool(TESTS[kind](state, group))


def first(
    state: NodeState, act: Act, group: GroupState | None, tests: Mapping[Kind, Test], *but: Kind
) -> Blocked | None:
    """Return the first condition, of those that `tests` can judge and but for some, that stops an act."""
    for kind in STOPPED_BY[act]:
        test = tests.get(kind)
        if test is not None and kind not in but and (sentence := test(state, group)):
            return Blocked(kind, sentence)
    return None
