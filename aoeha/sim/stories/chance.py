"""The dice of a seed, and what there is to break."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from aoeha.sim.stories.settings import Settings

__all__ = ["Chance", "Kind", "Lines"]


@dataclass(frozen=True, slots=True)
class Chance:
    """The dice, and what there is to break."""

    random: Random
    settings: Settings

    def node(self) -> str:
        """A gateway."""
        return self.random.choice(self.settings.nodes())

    def link(self) -> str:
        """A link."""
        return self.random.choice(self.settings.link_names())

    def device(self) -> str:
        """A fence device."""
        return self.random.choice(self.settings.device_names())

    def group(self) -> str:
        """A group."""
        return self.random.choice(self.settings.group_names())

    def resource(self) -> str:
        """A resource of any group."""
        return self.random.choice(self.settings.resource_names(self.group()))

    def ms(self, low: int, high: int) -> int:
        """A time, short ones as likely as long ones."""
        return int(low * (high / low) ** self.random.random())

    def around_deadtime(self) -> str:
        """A time for which it matters how long deadtime is."""
        return f"{self.ms(self.settings.deadtime_ms // 4, self.settings.deadtime_ms * 4)}ms"

    def while_ms(self) -> int:
        """How long a fault lasts."""
        return self.ms(2_000, 150_000)


Lines = list[tuple[int, str]]
"""Lines for aoeha.sim.stories.commands, each after so many ms."""
Kind = Callable[[Chance], Lines]
"""A fault: chooses what breaks, and when it is repaired."""
