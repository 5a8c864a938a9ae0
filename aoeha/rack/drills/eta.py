"""How far a campaign is, and how long the rest of it will take."""

from collections import Counter, defaultdict
from statistics import median

from aoeha.rack.drills.runner import Run

__all__ = ["Remaining"]


class Remaining:
    """What is left of `runs`, `jobs` of which are played side by side, but for those that want the machine alone."""

    def __init__(self, runs: list[Run], jobs: int) -> None:
        self._jobs = jobs
        self._alone = {run.scenario.name for run in runs if run.alone}
        self._left = Counter(run.scenario.name for run in runs)
        self._took_ms: dict[str, list[int]] = defaultdict(list)

    def counted(self, drill: str, took_ms: int) -> None:
        """A run has ended, and is not to be played again."""
        self._left[drill] -= 1
        self._took_ms[drill].append(took_ms)

    def of(self, drill: str) -> int:
        """How many runs of a drill are left."""
        return self._left[drill]

    def minutes(self) -> float:
        """How long the rest takes, if each run takes what its drill took so far, or what most drills took."""
        every = [ms for took in self._took_ms.values() for ms in took]
        if not every:
            return 0.0
        each_ms = {drill: count * median(self._took_ms[drill] or every) for drill, count in self._left.items()}
        one_at_a_time_ms = sum(ms for drill, ms in each_ms.items() if drill in self._alone)
        return ((sum(each_ms.values()) - one_at_a_time_ms) / self._jobs + one_at_a_time_ms) / 60_000

    def sentence(self) -> str:
        """Return how many are played and how many minutes are to go, empty when all are."""
        left, played = self._left.total(), sum(map(len, self._took_ms.values()))
        if not left or not played:
            return ""
        return f"{played} of {played + left} played, about {self.minutes():.0f} min to go"
