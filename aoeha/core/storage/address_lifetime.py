"""How long a service address lives without renewal (home of R12).

Rules. The peer may be able to preempt our legs but not to switch us off. Then our own address lives on for a while only
after a leg was seen to be ours, or while the peer says that it owns nothing. The kernel of a node whose daemon is dead,
or that sees neither shelves nor peer, drops the address by itself. That node adds it no sooner than one of these is so.
During a pause neither node takes anything, and the address lives on. An address that could not be renewed is looked at
at once.

What this file does not know: which other host may answer for the address.
"""

from aoeha.core.model import law
from aoeha.core.model.events import TaskDone
from aoeha.core.model.law import Act, Kind
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import UP, GroupState, LinkCondition, NodeState, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import AddressRenewal, ReservationsRead
from aoeha.core.peer import membership
from aoeha.core.storage import leg_ledger


def bounded(state: NodeState, group: GroupState) -> tuple[str, ...]:
    """The addresses of a group of ours that the kernel must drop by itself when they are not renewed."""
    unverified = law.stands(state, Kind.UNVERIFIED, group)
    if not group.holding or unverified or not group.legs or not state.config.storage_suffices:
        return ()
    return tuple(r.config.name for r in group.resources if r.config.exclusive and r.phase in UP)


def renewal(state: NodeState, group: GroupState) -> AddressRenewal | None:
    """What a reading renews: at once where nothing may expire or the peer owns nothing, else when a leg shows us."""
    addresses = bounded(state, group)
    if not addresses:
        return None
    may_expire = law.stops(state, Act.EXPIRE) is None
    alone = not may_expire or peer_owns_nothing(state, group)
    lifetime_ms = state.config.address_lifetime_ms if may_expire else 0
    return AddressRenewal(addresses, lifetime_ms, None if alone else leg_ledger.vouching_legs(group))


def look_at_expired(step: StepContext, group: GroupState, done: TaskDone) -> None:
    """Look at once at the addresses that could not be renewed: their monitors are due much later."""
    expired = done.outcome.expired if isinstance(done.outcome, ReservationsRead) else ()
    for resource in group.resources:
        if resource.config.name in expired and not resource.task_id:
            due_ms = step.now_ms - resource.config.monitor_every_ms
            step.change_resource(group.name, resource.config.name, checked_ms=due_ms)


def unvouched(state: NodeState, group: GroupState, resource: ResourceState) -> str:
    """Why an address would not be renewed, so that an expired one may not be added again; empty if it would."""
    if not resource.config.exclusive or not group.legs or not state.config.storage_suffices:
        return ""
    vouching = leg_ledger.vouching_legs(group)
    ours = any(leg.name in vouching and leg.shows_anywhere(Holder.US) for leg in group.legs)
    if ours or peer_owns_nothing(state, group):
        return ""
    return f"{resource.config.name} is not added: neither a leg nor {state.config.peer} confirms {state.config.node}"


def peer_owns_nothing(state: NodeState, group: GroupState) -> bool:
    """Whether the peer, heard on a link just now, says that it does not own the group."""
    theirs = state.peer_group(group.name)
    heard_now = any(link.condition is LinkCondition.UP for link in state.links)
    return heard_now and membership.has_reported(state) and theirs is not None and not theirs.holding
