"""How a seed ends: all faults end, or all is lost but what I6 names; then the pair must be well in time, and stay so.

A human helps only as a standing alarm or refusal says (aoeha.sim.stories.human). Where no gateway has power there is
none that could say anything: then a human switches on what has mains. That both are dark is judged elsewhere.

What this file does not know: what happened before.
"""

from aoeha.sim.judges.status import judge_ownership
from aoeha.sim.judges.well import ACKNOWLEDGED_WITHIN_MS
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.human import Human
from aoeha.sim.stories.judged import JudgedWorld
from aoeha.sim.stories.plan import SAFETY_MS, Planned
from aoeha.sim.stories.settings import Settings
from aoeha.sim.stories.survivor import lost_for_good

__all__ = ["Ending", "liveness_bound_ms"]

LOOK_EVERY_MS = 2_500
STAYS_WELL_MS = 20_000


def liveness_bound_ms(settings: Settings) -> int:
    """How soon a healed pair must be well: two boots and listenings, two restart windows, back-off, a few tasks."""
    tasks_ms = 4 * settings.resources * settings.deadline_ms
    return 2 * (settings.boot_ms + settings.initdead_ms + settings.window_ms) + tasks_ms + 120_000


class Ending:
    """The end of one story. `done` are the lines of what was done then. `survivor` is empty where nothing is lost."""

    def __init__(self, world: JudgedWorld, settings: Settings) -> None:
        self.done: list[Planned] = []
        self.survivor = ""
        self._world = world
        self._settings = settings
        self._human = Human(world, self._do)

    def play(self) -> None:
        """Come to the end. Raises Violation."""
        world = self._world
        world.run(SAFETY_MS - world.timeline.now_ms)
        self._do("restore")
        loss = lost_for_good(world, self._settings)
        if loss is not None:
            self.survivor = loss.survivor
            for line in loss.lines:
                self._do(line)
        self._expect_well()
        if self.survivor:
            how = "after a human did as told" if self._human.came else "by itself"
            world.count("survivor", f"served {how}")
        judge_ownership(world)
        world.oracle.records.judge_all()

    def _do(self, line: str) -> None:
        self.done.append(Planned(self._world.timeline.now_ms, line))
        do(self._world, line)

    def _expect_well(self) -> None:
        """Be well within the bound, and stay so."""
        world, bound_ms = self._world, liveness_bound_ms(self._settings)
        end_ms, well_since_ms = world.timeline.now_ms + bound_ms, None
        while well_since_ms is None or world.timeline.now_ms - well_since_ms < STAYS_WELL_MS:
            world.run(LOOK_EVERY_MS)
            self._light_up()
            trouble = self._trouble()
            if trouble:
                self._human.look()
                well_since_ms = None
            elif well_since_ms is None:
                well_since_ms = world.timeline.now_ms
            if trouble and world.timeline.now_ms > end_ms:
                reasons = "; ".join(f"{name}: {world.why(name)}" for name in world.machines)
                came = f"; a human did as told: {', '.join(self._human.came)}" if self._human.came else ""
                world.oracle.well.never_settled(bound_ms, f"{trouble} ({reasons}{came})")

    def _trouble(self) -> str:
        """What still keeps the pair, or what is left of it, from being well; empty for nothing."""
        if not self.survivor:
            return self._world.oracle.well.settled()
        for group in self._world.resources:
            served_ms = self._world.storage.served_ms[group]
            if not self._world.machines[self.survivor].serves(group):
                return f"{self.survivor} is left, with one shelf and one fence path, and does not serve {group}"
            if served_ms is None or self._world.timeline.now_ms - served_ms > ACKNOWLEDGED_WITHIN_MS:
                return f"{self.survivor} is left, and acknowledges no record of {group}"
        return ""

    def _light_up(self) -> None:
        machines = self._world.machines
        if any(machine.alive for machine in machines.values()):
            return
        for name in (self.survivor,) if self.survivor else machines:
            self._world.count("excused", "all dark, and switched on by a human")
            self._do(f"power on {name}")
