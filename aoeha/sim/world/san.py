"""The storage network: which frames pass between a gateway and the addresses of the shelves, and what becomes of them.

A way is a direction: what a gateway asks, or what it is answered. A shelf that hears what it is asked does it, whether
or not its answer arrives. A switch may keep frames for a while, and one that repeats frames has a change of a
reservation or of a record carried out a second time.
"""

from collections.abc import Iterable
from enum import StrEnum
from random import Random

__all__ = ["San", "Way"]

CERTAIN = 100


class Way(StrEnum):
    """One direction."""

    REQUESTS = "requests"
    ANSWERS = "answers"


class San:
    """The cables and switches between all gateways and all addresses, which are named `shelf1/2`.

    `cut` holds pairs of a gateway and an address between which nothing passes, `cut_interfaces` what a gateway's
    interface does not lead to. `queue_ms` and `repeats_ms` tell of a gateway how long its writes are kept on the way,
    and how much later each change that it asked for is asked for again.
    """

    def __init__(self, random: Random, interfaces: int) -> None:
        self._random = random
        self.interfaces = tuple(f"eth{number + 1}" for number in range(interfaces))
        self.cut: set[tuple[str, str]] = set()
        self.cut_interfaces: set[tuple[str, str, str]] = set()
        self.queue_ms: dict[str, int] = {}
        self.repeats_ms: dict[str, int] = {}
        self._lost: dict[tuple[str, str, Way], int] = {}

    def heard_on(self, node: str, shelf: str) -> tuple[str, ...]:
        """The interfaces of a gateway that lead to a shelf."""
        return tuple(one for one in self.interfaces if (node, one, shelf) not in self.cut_interfaces)

    def lose(self, node: str, addresses: Iterable[str], ways: Iterable[Way], percent: int) -> None:
        """Lose so many percent of the frames between a gateway and these addresses."""
        self._lost.update(((node, address, way), percent) for address in addresses for way in ways)

    def is_lossy(self, node: str, address: str) -> bool:
        """Whether some frames do not pass, and others may."""
        return bool(self._lost) and any((node, address, way) in self._lost for way in Way)

    def answered_percent(self, node: str, address: str) -> int:
        """How many questions of a gateway are heard, and their answers too."""
        asked, answered = (CERTAIN - self._lost.get((node, address, way), 0) for way in Way)
        return asked * answered // CERTAIN

    def joins(self, node: str, address: str, ways: Iterable[Way] = tuple(Way)) -> bool:
        """Whether frames can pass between a gateway and an address, there and back."""
        if (node, address) in self.cut:
            return False
        if self.cut_interfaces and not self.heard_on(node, address.partition("/")[0]):
            return False
        return not self._lost or all(self._lost.get((node, address, way), 0) < CERTAIN for way in ways)

    def passes(self, node: str, address: str, way: Way) -> bool:
        """Whether this one frame passes."""
        if not self.joins(node, address, (way,)):
            return False
        lost = self._lost.get((node, address, way), 0)
        return not lost or self._random.randrange(CERTAIN) >= lost

    def heal(self, node: str) -> None:
        """Mend every cable of a gateway, and what loses its frames."""
        self.cut = {one for one in self.cut if one[0] != node}
        self.cut_interfaces = {one for one in self.cut_interfaces if one[0] != node}
        self._lost = {one: percent for one, percent in self._lost.items() if one[0] != node}
        self.repeats_ms.pop(node, None)

    def heal_shelf(self, addresses: Iterable[str]) -> None:
        """Mend what leads to these addresses."""
        self.cut = {one for one in self.cut if one[1] not in addresses}
        self._lost = {one: percent for one, percent in self._lost.items() if one[1] not in addresses}
