"""What all judges have: the world, and a way to say that something is broken in it.

A judge watches one subject. It hears the facts of the world (aoeha.sim.world.observer) and looks at the world itself.
It never reads the state of a core, and shares no code with it.
"""

from typing import NoReturn

from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.shelf import Address
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["Judge", "answers", "is_reserved", "patience_ms", "peer_of"]

LOOK_EVERY_MS = 1_000
"""How often what is judged is counted, and what has no event of its own is looked at."""
DECIDED_BEFORE_MS = 250
"""What a node decided before it heard something may have waited so long for its disk."""
QUESTIONS = 3
"""An act on a reservation asks an address so often within the time that it has."""
HANDSHAKE_BEATS = 4
SLACK_MS = 1_500


class Judge(Observer):
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def now_ms(self) -> int:
        """The time in the world."""
        return self.world.timeline.now_ms

    def note(self, kind: str, excuse: str) -> None:
        """Count a second of a kind of judgement as judged, or as suspended for a reason."""
        self.world.count("suspended" if excuse else "judged", f"{kind}: {excuse}" if excuse else kind)

    def broken(self, rule: str, sentence: str) -> NoReturn:
        """End the story: this invariant, or this rule of docs/rules.md, does not hold."""
        raise Violation(rule, self.now_ms, sentence)


def peer_of(world: World, machine: Gateway) -> Machine:
    """The other gateway."""
    return world.machines[machine.config.peer]


def patience_ms(machine: Gateway) -> int:
    """How long a node may take to notice that its peer is heard again, or is not heard any more."""
    return machine.config.deadtime_ms + HANDSHAKE_BEATS * machine.config.keepalive_ms + SLACK_MS


def answers(world: World, machine: Gateway, address: Address) -> bool:
    """Whether an address answers a gateway every time, and in time."""
    san, node, name = world.storage.san, machine.name, address.name
    in_time = QUESTIONS * address.slow_ms[1] < machine.config.shelf_timeout_ms
    return address.answers and in_time and san.joins(node, name) and not san.is_lossy(node, name)


def is_reserved(world: World, group: str) -> bool:
    """Whether the shelves keep out a node that is not the owner: then two may have it started, and one writes."""
    config = next(iter(world.configs.values()))
    return any(known.legs for known in config.groups if known.name == group)
