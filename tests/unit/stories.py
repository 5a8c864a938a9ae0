"""Short stories of a simulated pair for tests: what happened, and what the gateways answered."""

import copy
from dataclasses import replace
from functools import lru_cache

from aoeha.core.model.actions import Answer
from aoeha.core.model.beat import Beat
from aoeha.core.model.conditions import Code
from aoeha.core.model.events import BeatHeard
from aoeha.core.model.state import NodeState
from aoeha.sim.stories.scenario import Performance, parse
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.world import World

__all__ = ["SERVING", "answers", "broken", "codes", "hears", "played", "state_of"]

SERVING = """
    boot alpha beta
    wait 20s
    never both serve storage
    expect served storage by alpha
"""


def played(*parts: str, begin: str = SERVING, pair: str = "pair") -> World:
    """Play a story that goes on from a pair of which alpha serves. Fails when it breaks an invariant or a promise."""
    performance = _performed(parts, begin, pair)
    assert broken_in(performance) == []
    return performance.world


def broken(*parts: str, begin: str = SERVING, pair: str = "pair") -> list[str]:
    """Play such a story; return the invariants and promises that it breaks."""
    return broken_in(_performed(parts, begin, pair))


def broken_in(performance: Performance) -> list[str]:
    """The lines of a trace that name what was broken."""
    return [line for line in performance.trace() if " BROKEN " in line]


def _performed(parts: tuple[str, ...], begin: str, pair: str) -> Performance:
    performance = copy.deepcopy(_begun(pair, begin))
    performance.story = parse("story", "\n".join((pair, begin, *parts)))
    performance.play()
    return performance


@lru_cache
def _begun(pair: str, begin: str) -> Performance:
    """Play what many stories begin with once; each goes on with a copy."""
    performance = Performance(parse("story", f"{pair}\n{begin}\nnever both serve storage"))
    performance.play(-1)
    return performance


def answers(world: World, node: str) -> list[Answer]:
    """What a gateway answered."""
    return [answer for name, answer in world.answers if name == node]


def codes(world: World, node: str) -> list[Code]:
    """The codes of what a gateway answered."""
    return [answer.code for answer in answers(world, node)]


def state_of(world: World, node: str) -> NodeState:
    """The state of a gateway's core."""
    daemon = world.machines[node].daemon
    assert daemon is not None
    assert daemon.state is not None
    return daemon.state


def hears(world: World, node: str, **fields: object) -> None:
    """Let a gateway hear a beat of its peer that is as its last one but for these fields."""
    machine, last = world.machines[node], state_of(world, node).peer.beat
    assert machine.daemon is not None
    assert isinstance(last, Beat)
    changed = replace(last, **{"sequence": last.sequence + 1, **fields})
    if changed.boot_id != last.boot_id:
        world.clone_boot_ids.add(changed.boot_id)
    world.tell(Observer.heard, machine, machine.config.links[0], changed)
    machine.daemon.feed(BeatHeard(machine.clock_ms(), machine.config.links[0], changed))
