"""Whether a gateway may leave a leg to the other one (R3)."""

from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["judge_leg_left"]


def judge_leg_left(world: World, machine: Gateway, peer: Gateway, group: str) -> None:
    """It has stopped, and the other gateway does not still run from before: the writes that it repeats would land."""
    for one, invariant in ((machine, "I4"), (peer, "I1")):
        running = one.runs_any(group)
        if running:
            sentence = f"{machine.name} leaves a leg of {group} to {peer.name} while {running} runs on {one.name}"
            raise Violation(invariant, world.timeline.now_ms, sentence)
