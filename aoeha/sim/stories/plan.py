"""What happens to a pair in the first five minutes of a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from aoeha.sim.stories.chance import Chance, Kind
from aoeha.sim.stories.extras import EXTRAS
from aoeha.sim.stories.faults import KINDS, MISWIRED, NEED_A_DEVICE
from aoeha.sim.stories.settings import Settings

__all__ = ["SAFETY_MS", "Planned", "plan"]

SAFETY_MS = 300_000
FIRST_MS = 25_000
FAULTS_MIN, FAULTS_MAX = 5, 12
MISWIRED_PERCENT = 16


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """One line for aoeha.sim.stories.commands and when it is to be done."""

    at_ms: int
    line: str


def plan(random: Random, settings: Settings) -> tuple[Planned, ...]:
    """Choose a mix of kinds, then when each strikes."""
    chance = Chance(random, settings)
    possible = [kind for kind in KINDS.values() if settings.device_names() or kind not in NEED_A_DEVICE]
    kinds = [kind for kind in possible if random.random() < 0.4] or [KINDS["cut one"]]
    if random.random() < 0.5:
        lines = [Planned(0, f"boot {' '.join(settings.nodes())}")]
    else:
        first, second = random.sample(settings.nodes(), 2)
        lines = [Planned(0, f"boot {first}"), Planned(random.randint(0, 40_000), f"power on {second}")]
    for _ in range(random.randint(FAULTS_MIN, FAULTS_MAX)):
        at_ms = random.randint(FIRST_MS, SAFETY_MS - 10_000)
        lines.extend(_at(at_ms, chance, random.choice(kinds)))
    if settings.device_names() and random.randrange(100) < MISWIRED_PERCENT:
        at_ms = random.randint(FIRST_MS, SAFETY_MS)
        lines.extend(_at(at_ms, chance, MISWIRED))
    for extra in EXTRAS:
        own = Chance(Random(f"{extra.dice} of {settings.seed}"), settings)
        if extra.applies(settings) and (extra.share == 1 or own.random.random() < extra.share):
            for _ in range(own.random.randint(1, extra.most)):
                lines.extend(_at(own.random.randint(FIRST_MS, SAFETY_MS - 10_000), own, extra.kind))
    return tuple(line for line in sorted(lines, key=lambda planned: planned.at_ms) if line.at_ms < SAFETY_MS)


def _at(at_ms: int, chance: Chance, kind: Kind) -> Iterator[Planned]:
    for delay_ms, line in kind(chance):
        yield Planned(at_ms + delay_ms, line)
