"""Whether a gateway that has not heard its peer since its boot may end the peer's service (R7)."""

from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["judge_blind_fence"]


def judge_blind_fence(world: World, machine: Gateway, victim: Gateway, patience_ms: int) -> None:
    """It needs every leg, and the owner's name on one; unless the shelves were disturbed within its patience.

    A gateway that has taken a leg already was judged when it did so.
    """
    storage, now_ms = world.storage, world.timeline.now_ms
    if max(storage.undisturbed_since_ms.values()) >= now_ms - patience_ms:
        return
    for group in world.resources:
        if not any(known.legs for known in machine.config.groups if known.name == group):
            continue
        if not victim.alive or not victim.runs_whole(group):
            continue
        seen = {
            name: [a for a in shelf.addresses[group] if a.answers and storage.reaches(machine, a.name)]
            for name, shelf in storage.shelves.items()
        }
        holders = {address.holders for addresses in seen.values() for address in addresses}
        if (machine.name,) in holders:
            continue
        if not all(seen.values()) or (victim.name,) not in holders:
            what = "does not show it" if all(seen.values()) else "it could not start"
            raise Violation(
                "I5", now_ms, f"{machine.name}, just booted, fences {victim.name} for {group}, which {what}"
            )
