"""Whether every record that a client was told is safe is where it must be (I2).

That is on every leg that nobody calls missing, and on every leg that a mirror is started from.
"""

from typing import TYPE_CHECKING

from aoeha.sim.violation import Violation

if TYPE_CHECKING:
    from aoeha.sim.machine import Machine
    from aoeha.sim.mirror import Assembly, Leg
    from aoeha.sim.world import World

__all__ = ["judge_records", "judge_start"]


def judge_start(world: "World", machine: "Machine", group: str, assembly: "Assembly") -> None:
    """A mirror is started: each of its legs must hold whatever was acknowledged."""
    for leg in assembly.active:
        _judge_leg(world, group, leg, f"{machine.name} started {group} from")


def judge_records(world: "World") -> None:
    """Every acknowledged record must be on every leg that is in sync."""
    for group, mirror in world.storage.mirrors.items():
        whole = mirror.whole()
        if not whole:
            raise Violation("I2", world.timeline.now_ms, f"no leg of {group} is known to be whole")
        for leg in whole:
            _judge_leg(world, group, leg, "nobody calls it missing:")


def _judge_leg(world: "World", group: str, leg: "Leg", how: str) -> None:
    lost = world.storage.acknowledged[group] - leg.records
    if lost:
        sentence = f"{how} the leg on {leg.shelf}, which lacks acknowledged record {min(lost)} of {group}"
        raise Violation("I2", world.timeline.now_ms, sentence)
