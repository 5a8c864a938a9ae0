"""What a node could see of its peer and of its clients, by the world's own facts. Shares no code with the core."""

from collections.abc import Mapping
from dataclasses import dataclass

from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["Blackout", "may_make_way", "stamped_for_ms", "whole_link_ms"]


@dataclass(slots=True)
class Blackout:
    """A node that was stalled, and when it last could have heard its peer before that."""

    since_ms: int = 0
    until_ms: int = 0


def whole_link_ms(world: World, machine: Gateway, victim: Gateway) -> int:
    """For how long both have been up, without a stall, and with a whole link between them."""
    clean = [link.clean_since_ms for link in world.links.values() if link.clean_since_ms is not None]
    if not clean or victim.present_since_ms is None or machine.present_since_ms is None:
        return 0
    return world.timeline.now_ms - max(min(clean), victim.present_since_ms, machine.present_since_ms)


def stamped_for_ms(
    world: World, machine: Gateway, victim: Gateway, whole_since_ms: Mapping[tuple[str, str], int]
) -> int:
    """For how long the victim, present, has served a group from a shelf that holds for it and that both reach.

    `whole_since_ms` tells of each node and group that is whole there since when.
    """
    storage, since = world.storage, victim.present_since_ms
    if since is None or machine.present_since_ms is None:
        return 0
    reserved = {group.name for group in machine.config.groups if group.legs}
    stamped = [0]
    for (name, group), whole_ms in whole_since_ms.items():
        if name != victim.name or group not in reserved:
            continue
        for shelf_name, shelf in storage.shelves.items():
            addresses = shelf.addresses[group]
            held = all(address.answers and address.holders == (name,) for address in addresses)
            if held and any(storage.sees(machine, a.name) and storage.sees(victim, a.name) for a in addresses):
                begun_ms = max(since, machine.present_since_ms, whole_ms, storage.undisturbed_since_ms[shelf_name])
                stamped.append(world.timeline.now_ms - begun_ms)
    return max(stamped)


def may_make_way(world: World, machine: Gateway, *, patience_ms: int, slack_ms: int) -> bool:
    """Whether it may have lost its clients for deadtime while the other one had them, as each knew lately (R13)."""
    mine, theirs = (world.storage.reach[name] for name in (machine.name, machine.config.peer))
    now_ms = world.timeline.now_ms
    if not mine.cut:
        return mine.since_ms > 0 and now_ms - mine.since_ms < patience_ms
    offered_ms = mine.since_ms + machine.config.deadtime_ms
    heard = not theirs.cut or theirs.since_ms + machine.config.hold_every_ms + slack_ms > offered_ms
    return heard and now_ms >= offered_ms
