"""What stays dead for good in some seeds: all but one gateway, one shelf, and one fence path (I6 as it is written).

The shelf that is left holds a whole leg of every group.

What this file does not know: what the survivor must do then (aoeha.sim.stories.ending).
"""

from dataclasses import dataclass
from random import Random

from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.world import World

__all__ = ["SHARE", "Loss", "ends_alone", "lost_for_good"]

SHARE = 0.25
"""Of all seeds end like this."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The gateway that is left, and the lines that take away the rest."""

    survivor: str
    lines: tuple[str, ...]


def ends_alone(seed: int) -> bool:
    """Whether a seed ends with a survivor, if some shelf is left that it could serve from."""
    return _dice(seed).random() < SHARE


def lost_for_good(world: World, settings: Settings) -> Loss | None:
    """Choose what is left once everything works again; None for everything, or where no shelf has all whole legs."""
    if not ends_alone(settings.seed):
        return None
    dice = _dice(settings.seed)
    survivor, victim = dice.sample(settings.nodes(), 2)
    shelves = dice.sample(tuple(world.storage.shelves), len(world.storage.shelves))
    whole = [shelf for shelf in shelves if all(_has_whole_leg(world, group, shelf) for group in world.resources)]
    if not whole:
        return None
    fences = world.configs[survivor].fences
    level = dice.choice(sorted({fence.level for fence in fences} or {0}))
    lines = [f"power off {victim}"]
    lines += [f"shelf {shelf} silent" for shelf in shelves if shelf != whole[0]]
    lines += [f"device {fence.name} dead" for fence in fences if fence.level != level]
    return Loss(survivor, tuple(lines))


def _dice(seed: int) -> Random:
    return Random(f"survivor of {seed}")


def _has_whole_leg(world: World, group: str, shelf: str) -> bool:
    """No other leg is needed beside it: its superblock does not say that an owner found it suspect."""
    return any(leg.shelf == shelf and not leg.write_mostly for leg in world.storage.mirrors[group].whole())
