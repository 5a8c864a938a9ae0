"""A gateway as everything around it sees it: its power, its kernel, its clock, its disk, and what runs on it.

`active` says of each resource whether it is `starting` or `running`. A resource that is not listed is stopped. How a
gateway comes up, stands still and goes down is told in aoeha.sim.world.machine.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from aoeha.core.model.config import PairConfig
from aoeha.sim.world.memories import Memories
from aoeha.sim.world.speech import Speech
from aoeha.sim.world.test_key import KEY
from aoeha.sim.world.timeline import Timeline
from aoeha.wire.keys import Key

__all__ = ["Gateway"]


class Gateway(ABC):
    """One gateway of the pair. A frozen one does nothing at all, and a paused one's daemon gets no processor.

    `resources` names what each group is made of. `disk` is `ok`, `full` or `hangs`. `memories` are what a daemon keeps
    for the next one. `worn` resources are degraded, and to `spoilt` ones nothing can be written until they are started
    anew. `record_key` gives the key by which its daemon signs lock records. The clock runs at `rate_percent`.
    """

    def __init__(self, config: PairConfig, timeline: Timeline, resources: Mapping[str, tuple[str, ...]]) -> None:
        self.config = config
        self.name = config.node
        self.mains = False
        self.chassis_on = True
        self.alive = False
        self.frozen = False
        self.paused = False
        self.boots = 0
        self.boot_id = ""
        self.rate_percent = 100
        self._clock_ms = 0
        self._clock_since_ms = 0
        self.memories = Memories()
        self.speech = Speech()
        self.record_key: Callable[[], Key] = lambda: KEY
        self.disk = "ok"
        self.active: dict[str, str] = {}
        self.lives_until_ms: dict[str, int] = {}
        self.worn: set[str] = set()
        self.spoilt: set[str] = set()
        self.broken: dict[tuple[str, str], str] = {}
        self.left = False
        self.absent_since_ms = 0
        self.present_since_ms: int | None = None
        self._timeline = timeline
        self._resources = resources
        self._kernel_backlog: list[tuple[Callable[..., None], tuple[object, ...]]] = []

    def clock_ms(self) -> int:
        """CLOCK_BOOTTIME here."""
        return self._clock_ms + (self._timeline.now_ms - self._clock_since_ms) * self.rate_percent // 100

    def clock_begins(self, ms: int, rate_percent: int | None = None) -> None:
        """Let the clock show this now, and go on at its rate, or at another one."""
        self._clock_ms, self._clock_since_ms = ms, self._timeline.now_ms
        self.rate_percent = self.rate_percent if rate_percent is None else rate_percent

    def by_kernel(self, act: Callable[..., None], *arguments: object) -> None:
        """Do something on this machine, now or when it thaws; never, if it dies before."""
        if self.frozen:
            self._kernel_backlog.append((act, arguments))
        else:
            act(*arguments)

    def serves(self, group: str) -> bool:
        """Whether clients are answered: everything of the group runs, and the machine does."""
        return self.alive and not self.frozen and self.runs_whole(group)

    def runs_whole(self, group: str) -> bool:
        """Whether all resources of a group run here."""
        return all(self.active.get(name) == "running" for name in self._resources[group])

    def runs_any(self, group: str) -> str:
        """A resource of the group that runs here or is being started, empty for none."""
        if not self.active:
            return ""
        return next((name for name in self._resources[group] if name in self.active), "")

    @abstractmethod
    def power_changed(self) -> None:
        """Come up or go down as the power has it."""

    @abstractmethod
    def reset(self) -> None:
        """Reboot at once."""

    @abstractmethod
    def leave(self) -> None:
        """The daemon ended by itself, after an announced leave."""

    @abstractmethod
    def hear_target(self, shelf: str, address: str) -> None:
        """A target announces itself; a daemon that does not listen now never hears of it."""

    @abstractmethod
    def hear_mirrors(self) -> None:
        """Tell the daemon that its kernel has changed a mirror by itself."""
