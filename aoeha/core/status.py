"""Why things are as they are: the status document and the sentences in it (I8).

Derived from the state alone, so that a replay explains a decision in the words that the operator saw.
"""

from dataclasses import dataclass

from aoeha.core import verdict
from aoeha.core.fencing import readiness
from aoeha.core.model import law
from aoeha.core.model.beat import NEVER_MS, BeatFlag, GroupPhase, Ledger
from aoeha.core.model.conditions import Alarm, Code, Condition, Subject
from aoeha.core.model.fence import DeviceState, FencePhase
from aoeha.core.model.law import Kind
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import (
    GroupState,
    LinkCondition,
    LinkState,
    NodeState,
    PeerCondition,
    ResourcePhase,
    phase_of,
)
from aoeha.core.ownership import blockers, client_isolation, owners
from aoeha.core.peer import membership
from aoeha.core.storage import leg_ledger
from aoeha.core.verdict import Verdict

SCHEMA = 2


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One of the two gateways."""

    name: str
    self: bool
    state: str
    standby: bool
    boot_id: str
    heard_ms_ago: int | None


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One link, from both ends."""

    name: str
    state: str
    heard_ms_ago: int | None
    peer_hears_ms_ago: int | None
    fault: str


@dataclass(frozen=True, slots=True)
class ResourceStatusView:
    """One resource on this node."""

    name: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class LegStatus:
    """One target address of a leg: whose reservation it showed to this node, and how long it has done so.

    `holder` is a node's name, "nobody", "a stranger", "silent" or "unknown". `stamped_ms_ago` tells how long ago the
    peer's stamp was seen to move there (R6), None where it was not looked for. `data` is what the ledger says of the
    leg (R4): "whole" (it holds every acknowledged write), "lags" (it is written to, and lacks some), "left out" or
    "not known".
    """

    leg: str
    address: str
    holder: str
    since_ms_ago: int
    stamped_ms_ago: int | None
    data: str


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """One group: its owner, by what proof, its resources here.

    `refusal` tells why this node does not start it, None for no reason. `phase` is "unknown" while its owner is silent:
    what was heard last is not what is. `served` is null while the shelves are asked about a silent owner.
    """

    name: str
    epoch: int
    phase: str
    served: bool | None
    owner: str
    proof: str
    resources: tuple[ResourceStatusView, ...]
    refusal: Condition | None
    legs: tuple[LegStatus, ...]


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One fence device. `plug` is what it last read the peer's plug to be: "on", "off" or "unknown"."""

    name: str
    level: int
    state: str
    checked_ms_ago: int | None
    detail: str
    plug: str


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """An alarm that a human should see. Code and subject identify it; docs/alarms.md tells what to do."""

    code: Code
    subject: Subject
    sentence: str
    since_ms_ago: int


@dataclass(frozen=True, slots=True)
class Status:
    """The status document, schema 2. `unprotected` says why `protected` is false, with the remedy.

    `reference_hosts` is empty where none are configured, else "not known", "none answers" or for example "1 of 2
    answer" (R25).
    """

    schema: int
    cluster: str
    node: str
    now_ms: int
    config_matches: bool | None
    nodes: tuple[NodeStatus, ...]
    links: tuple[LinkStatus, ...]
    groups: tuple[GroupStatus, ...]
    fences: tuple[DeviceStatus, ...]
    protected: bool
    unprotected: str
    alarms: tuple[AlarmStatus, ...]
    reference_hosts: str
    verdict: str
    forecasts: tuple[Verdict, ...]
    why: Condition


def status(state: NodeState) -> Status:
    """Describe a node."""
    unprotected = readiness.unprotected(state)
    return Status(
        schema=SCHEMA,
        cluster=state.config.cluster,
        node=state.config.node,
        now_ms=state.now_ms,
        config_matches=config_matches(state),
        nodes=_nodes(state),
        links=tuple(_link(state, index, link) for index, link in enumerate(state.links)),
        groups=tuple(_group(state, group) for group in state.groups),
        fences=_devices(state),
        protected=not unprotected,
        unprotected=unprotected,
        alarms=tuple(_alarm(state, alarm) for alarm in state.alarms),
        reference_hosts=_reference_hosts(state),
        verdict=verdict.verdict(state),
        forecasts=verdict.verdicts(state),
        why=why(state),
    )


def _alarm(state: NodeState, alarm: Alarm) -> AlarmStatus:
    told = alarm.condition
    return AlarmStatus(told.code, told.subject, told.sentence, state.now_ms - alarm.since_ms)


def config_matches(state: NodeState) -> bool | None:
    """Whether both nodes run the same aoeha.toml, None while the peer is unheard."""
    return None if state.peer.beat is None else state.peer.beat.config_tag == state.config.config_tag


def _reference_hosts(state: NodeState) -> str:
    if not state.config.reference_hosts:
        return ""
    answering = state.hosts.answering
    if answering is None:
        return "not known"
    return f"{answering} of {len(state.config.reference_hosts)} answer" if answering else "none answers"


def why(state: NodeState) -> Condition:
    """One sentence that sums up the state of the pair, with its code: the most urgent condition comes first."""
    node = state.config.node
    if law.stands(state, Kind.PAUSED):
        return Condition(Code.STATE_PAUSED, Subject.pair(state.config.cluster), law.PAUSED)
    if law.stands(state, Kind.REVALIDATING):
        sentence = f"{node} was stalled and waits for {state.config.peer} to answer before it continues"
        return Condition(Code.STATE_REVALIDATING, Subject.node(node), sentence)
    for group in state.groups:
        if phase_of(group) is GroupPhase.BLOCKED:
            sentence = f"{group.name} is blocked: {_what_blocks(group)}"
            return Condition(Code.STATE_BLOCKED, Subject.group(group.name), sentence)
    for group in state.groups:
        if (refusal := _refusal(state, group)) is not None:
            return refusal
    each = [_why_group(state, group) for group in state.groups]
    return Condition(each[0].code, each[0].subject, "; ".join(one.sentence for one in each))


def _refusal(state: NodeState, group: GroupState) -> Condition | None:
    """Why this node does not start a group. A refusal from a silence is over when the peer serves and is heard."""
    served = owners.owner(state, group) == state.config.peer and membership.may_be_alive(state)
    return None if group.holding or served else group.refusal


def _what_blocks(group: GroupState) -> str:
    stuck = [resource for resource in group.resources if resource.phase is ResourcePhase.STOP_FAILED]
    if stuck:
        return f"{stuck[0].config.name} could not be stopped: {stuck[0].reason}"
    return "none of its shelves answers here"


def _why_group(state: NodeState, group: GroupState) -> Condition:
    if group.refusal is not None and group.holding and phase_of(group) is not GroupPhase.RUNNING:
        return group.refusal
    code, sentence = _how_group_stands(state, group)
    return Condition(code, Subject.group(group.name), sentence)


def _how_group_stands(state: NodeState, group: GroupState) -> tuple[Code, str]:
    node, peer = state.config.node, state.config.peer
    up = sum(1 for link in state.links if link.condition is LinkCondition.UP)
    match owners.owner(state, group):
        case owner if owner == node and client_isolation.offers(state, group):
            return Code.STATE_OFFERED, client_isolation.sentence(state, group)
        case owner if owner == peer and group.claim is not None and not membership.is_alive(state):
            return Code.STATE_CLAIMING, f"{node} claims {group.name}, which {peer} offers through the lock records"
        case owner if owner == node and phase_of(group) is not GroupPhase.RUNNING:
            phase = phase_of(group).value
            return (
                Code.STATE_OWNING,
                f"{node} owns {group.name} since epoch {group.held_epoch}, and it is {phase}",
            )
        case owner if owner == node and group.proof is not None:
            serving = f"{node} serves {group.name} since epoch {group.held_epoch}: {peer} {group.proof.kind.value}"
            return Code.STATE_SERVING, serving
        case owner if owner == peer and membership.is_alive(state):
            left = f"{node} leaves {group.name} to {peer}, which is heard on {up} of {len(state.links)} links"
            return Code.STATE_PEER_SERVES, left
        case owner if owner == peer and membership.may_be_alive(state):
            return (
                Code.STATE_PEER_SERVES,
                f"{node} leaves {group.name} to {peer}, which is {state.peer.condition.value}",
            )
        case owner if owner == peer and state.fence.phase is not FencePhase.IDLE:
            fencing = f"{node} is fencing {peer} ({state.fence.phase.value}) to take {group.name} over"
            return Code.STATE_FENCING, fencing
        case None if state.peer.condition is PeerCondition.BOOTING:
            return Code.STATE_LISTENING, f"{node} listens for {peer} before it judges"
        case _:
            left_pair = state.peer.condition is PeerCondition.LEFT and group.legs
            agreeing = (
                f"{node} reads the reservations, for {peer} has left and may be back unheard"
                if left_pair
                else "the nodes are agreeing"
                if config_matches(state) is not False
                else f"the configurations of {node} and {peer} differ: compare aoeha.toml"
            )
            blocked = blockers.could_serve(state, group)
            reason = agreeing if blocked is None else blocked.sentence
            return Code.STATE_NOBODY_OWNS, f"nobody owns {group.name}: {reason}"


def _nodes(state: NodeState) -> tuple[NodeStatus, ...]:
    heard = state.heard_ms
    beat = state.peer.beat
    peer = NodeStatus(
        name=state.config.peer,
        self=False,
        state=state.peer.condition.value,
        standby=beat is not None and BeatFlag.STANDBY in beat.flags,
        boot_id=state.peer.boot_id,
        heard_ms_ago=None if heard is None else state.now_ms - heard,
    )
    own = NodeStatus(state.config.node, True, "online", state.standby, state.identity.boot_id, 0)
    return tuple(sorted((own, peer), key=lambda node: node.name))


def _link(state: NodeState, index: int, link: LinkState) -> LinkStatus:
    ages = state.peer.beat.link_ages_ms if state.peer.beat is not None else ()
    age = ages[index] if index < len(ages) and ages[index] < NEVER_MS else None
    heard = None if link.heard_ms is None else state.now_ms - link.heard_ms
    return LinkStatus(link.name, link.condition.value, heard, age, link.fault)


def _group(state: NodeState, group: GroupState) -> GroupStatus:
    owner = owners.owner(state, group)
    theirs = state.peer_group(group.name)
    phase = phase_of(group)
    if owner == state.config.peer and theirs is not None:
        phase = theirs.phase if membership.is_alive(state) else GroupPhase.UNKNOWN
    return GroupStatus(
        name=group.name,
        epoch=max(group.held_epoch, group.epoch),
        phase=phase.value,
        served=verdict.served(state, group),
        owner="unknown" if owner is None else owner or "nobody",
        proof="" if group.proof is None else group.proof.kind.value,
        resources=tuple(ResourceStatusView(r.config.name, r.phase.value, r.reason) for r in group.resources),
        refusal=_refusal(state, group),
        legs=_legs(state, group),
    )


def _legs(state: NodeState, group: GroupState) -> tuple[LegStatus, ...]:
    names = {Holder.US: state.config.node, Holder.PEER: state.config.peer, Holder.STRANGER: "a stranger"}
    heard_ms = group.shelf_link.heard_ms
    known = group.ledger if group.holding else leg_ledger.current(state, group)
    return tuple(
        LegStatus(
            leg=leg.name,
            address=address.name,
            holder=names.get(address.holder, address.holder.value),
            since_ms_ago=state.now_ms - address.since_ms,
            stamped_ms_ago=None if heard_ms is None else state.now_ms - heard_ms,
            data=_data(known, place),
        )
        for place, leg in enumerate(group.legs)
        for address in leg.addresses
    )


def _data(known: Ledger | None, place: int) -> str:
    if known is None:
        return "not known"
    if place in known.start:
        return "whole"
    return "lags" if place in known.fence else "left out"


def _devices(state: NodeState) -> tuple[DeviceStatus, ...]:
    levels = {fence.name: fence.level for fence in state.config.fences}
    words = {None: "unknown", True: "reachable", False: "UNREACHABLE"}
    return tuple(
        DeviceStatus(
            name=device.name,
            level=levels[device.name],
            state=_trouble(device) or words[device.reachable],
            checked_ms_ago=None if device.checked_ms is None else state.now_ms - device.checked_ms,
            detail=device.doubt or device.disobeyed or device.detail,
            plug=device.plug.value if device.plug is not None else "unknown",
        )
        for device in state.devices
    )


def _trouble(device: DeviceState) -> str:
    return "DISTRUSTED" if device.doubt else "DISOBEYS" if device.disobeyed else ""
