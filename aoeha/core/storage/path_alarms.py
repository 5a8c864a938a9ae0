"""Storage paths: those that fell silent while their leg responds on another, and those not in the configuration (R2).

Rules. An address that responded in none of two hold checks, while another one of its leg does, is an alarm for as long
as that lasts. Nothing is lost yet, but no storage fence of that leg is complete, and the next fault takes the leg away.
A leg that responds on one storage interface of this node and no longer on another is an alarm too, in the same way. So
is an interface on which no leg ever responded: it may have been dead before this daemon started. An address by which
this node's driver reaches a leg, and which the configuration does not name, is an alarm as well: it is not reserved, so
the peer could keep writing there after a storage fence.

What this file does not know: whose the legs are, and how their addresses are found.
"""

from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.legs import AddressState, InterfacePath, LegState
from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.storage import reservations


def judge(step: StepContext, name: str) -> None:
    """Raise and clear the alarms about silent paths, after an answer of a group's shelves."""
    group, peer = step.state.group(name), step.state.config.peer
    for leg in group.legs:
        for address in leg.addresses if len(leg.addresses) > 1 else ():
            subject = Subject.address(name, leg.name, address.name)
            if address.holder is not Holder.SILENT or not reservations.answers(leg):
                still = "answers again" if reservations.answers(leg) else "is not the only silent one any more"
                step.clear_alarm(Code.PATH_SILENT, subject, f"{leg.name} at {address.name} {still}")
            elif _was_silent_before(step, group, address):
                step.alarm(
                    Code.PATH_SILENT,
                    subject,
                    f"{leg.name} does not answer at {address.name}, only at {_others(leg, address)}: check that port "
                    f"of its shelf, its cable and its switch. Until it answers, {peer} cannot be fenced there",
                )


def judge_interfaces(step: StepContext, name: str, holds: tuple[Reservation, ...]) -> None:
    """Raise and clear the alarms about our own storage interfaces, after an answer that tells of them."""
    node = step.state.config.node
    for leg in step.state.group(name).legs:
        told = [hold for hold in holds if hold.leg == leg.name and (hold.heard or hold.unheard)]
        if not told:
            continue
        ways = _note_ways(step, name, leg, told)
        heard = [way.interface for way in ways if way.heard]
        for way in ways:
            subject = Subject.path(name, leg.name, way.interface)
            if way.heard:
                sentence = f"{leg.name} answers on {way.interface} again"
                step.clear_alarm(Code.PATH_INTERFACE_SILENT, subject, sentence)
            elif heard and _is_lost(step, step.state.group(name), way):
                step.alarm(
                    Code.PATH_INTERFACE_SILENT,
                    subject,
                    f"{leg.name} does not answer on {way.interface}, only on {' and '.join(heard)}: check "
                    f"{way.interface} of {node}, its cable and its switch. With one more fault {node} loses {leg.name}",
                )


def note_used(step: StepContext, name: str, used: tuple[tuple[str, str], ...]) -> None:
    """Compare the addresses by which the driver reaches its targets with those that the configuration names."""
    for leg in step.state.group(name).legs if used else ():
        named = {address.name for address in leg.addresses}
        strays = tuple(sorted({address for target, address in used if target == leg.name} - named))
        for address in leg.unlisted_addresses:
            if address not in strays:
                sentence = f"the AoE driver does not reach {leg.name} at {address} any more"
                step.clear_alarm(Code.PATH_UNLISTED, Subject.address(name, leg.name, address), sentence)
        for address in strays:
            step.alarm(
                Code.PATH_UNLISTED,
                Subject.address(name, leg.name, address),
                f"the AoE driver reaches {leg.name} at {address}, which aoeha.toml does not name: no storage fence "
                f"covers it. Add it to the address of leg {leg.name} on both gateways",
            )
        if strays != leg.unlisted_addresses:
            step.change_leg(name, leg.name, unlisted_addresses=strays)


def _others(leg: LegState, silent: AddressState) -> str:
    return " and ".join(a.name for a in leg.addresses if a is not silent and a.holder is not Holder.SILENT)


def _note_ways(step: StepContext, name: str, leg: LegState, told: list[Reservation]) -> tuple[InterfacePath, ...]:
    """Record on which interfaces a leg responded, by any of its addresses; return what is known of them now."""
    read_ms, before = step.state.group(name).shelves.read_ms or 0, {way.interface: way for way in leg.paths}
    heard = {interface for hold in told for interface in hold.heard}
    asked = heard.union(*(hold.unheard for hold in told))
    ways = []
    for interface in sorted(asked):
        now, known = interface in heard, before.get(interface)
        since_ms = known.since_ms if known is not None and known.heard is now else read_ms
        ways.append(InterfacePath(interface, now, since_ms, now or (known is not None and known.known)))
    if tuple(ways) != leg.paths:
        step.change_leg(name, leg.name, paths=tuple(ways))
    return tuple(ways)


def _is_lost(step: StepContext, group: GroupState, way: InterfacePath) -> bool:
    """Whether a path has been silent for two hold checks, and can be expected to respond."""
    read_ms = group.shelves.read_ms
    if read_ms is None or read_ms - way.since_ms < step.state.config.hold_every_ms:
        return False
    return way.known or not _ever_answered(step.state, way.interface)


def _ever_answered(state: NodeState, interface: str) -> bool:
    """Whether any leg has responded there: not every interface need lead to every shelf."""
    ways = [way for group in state.groups for leg in group.legs for way in leg.paths]
    return any(way.known for way in ways if way.interface == interface)


def _was_silent_before(step: StepContext, group: GroupState, address: AddressState) -> bool:
    """Whether an earlier hold check found it silent too: one lost frame is no fault of a path."""
    read_ms = group.shelves.read_ms
    return read_ms is not None and read_ms - address.since_ms >= step.state.config.hold_every_ms
