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


def whole_link_ms(world: World, machine: Gateway, victim: Gateway, *, read: bool = True) -> int:
    """For how long both have been up, without a stall, with a whole link between them, and have understood each other.

    Not to `read` it is enough that a beat authenticates: that shows that its sender runs.
    """
    clean = [link.clean_since_ms for link in world.links.values() if link.clean_since_ms is not None]
    heard_ms = world.understood_since_ms if read else world.shared_since_ms
    if not clean or heard_ms is None or victim.present_since_ms is None or machine.present_since_ms is None:
        return 0
    return world.timeline.now_ms - max(min(clean), heard_ms, victim.present_since_ms, machine.present_since_ms)


def stamped_for_ms(
    world: World, machine: Gateway, victim: Gateway, whole_since_ms: Mapping[tuple[str, str], int]
) -> int:
    """For how long the victim, present, has served a group from a shelf that holds for it and that both reach.

    `whole_since_ms` tells of each node and group that is whole there since when.
    """
    storage, since, heard_ms = world.storage, victim.present_since_ms, world.shared_since_ms
    if since is None or heard_ms is None or machine.present_since_ms is None:
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
                begun_ms = max(
                    since, heard_ms, machine.present_since_ms, whole_ms, storage.undisturbed_since_ms[shelf_name]
                )
                stamped.append(world.timeline.now_ms - begun_ms)
    return max(stamped)


def may_make_way(world: World, machine: Gateway, *, patience_ms: int, slack_ms: int) -> bool:
    """Whether more hosts may have answered the other one for as long as a move takes, as each knew lately (R13, R25).

    That is deadtime where no link is left, and three deadtimes beside a link that was whole all the time.
    """
    peer = world.machines[machine.config.peer]
    mine, theirs = (world.storage.reach[name] for name in (machine.name, peer.name))
    now_ms, config = world.timeline.now_ms, machine.config
    if mine.hosts(config) == len(config.reference_hosts):
        return mine.since_ms > 0 and now_ms - mine.since_ms < patience_ms
    better = theirs.hosts(config) > mine.hosts(config)
    since_ms = max(mine.since_ms, theirs.since_ms if better else 0)
    linked = whole_link_ms(world, machine, peer) > now_ms - since_ms + config.deadtime_ms
    due_ms = since_ms + 3 * config.deadtime_ms if linked else mine.since_ms + config.deadtime_ms
    return now_ms >= due_ms and (better or theirs.since_ms + config.hold_every_ms + slack_ms > due_ms)
