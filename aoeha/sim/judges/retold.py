"""Whether a refusal is told once for as long as it stays true (I8).

A group has one refusal at a time, and whoever reads the status finds it there. Two that are told in turn hide each
other: the graver one, with the command that helps, is gone half of the time, and the log fills. So the same refusal is
not told for a fourth time within `WINDOW_MS`. A peer that is heard ends the count: what was refused because of its
silence may be over, and may be true again. Where frames of a shelf get lost, it answers and does not by chance.
"""

from aoeha.core.model.actions import Say
from aoeha.core.model.beat import Beat
from aoeha.core.model.conditions import Subject
from aoeha.core.model.memory import Memory
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["RetoldJudge"]

WINDOW_MS = 30_000
TOLD_AT_MOST = 3


class RetoldJudge(Judge):
    """Counts refusals, for each node, group and code. Times are those of the world."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._told_ms: dict[str, dict[tuple[str, Subject], list[int]]] = {}

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A new daemon knows nothing of what was told."""
        del memory
        self._told_ms.pop(machine.name, None)

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """The peer is heard: what was refused because of its silence may be over."""
        del link, beat
        self._told_ms.pop(machine.name, None)

    def said(self, machine: Gateway, action: Say) -> None:
        """Judge a refusal that is told."""
        code, subject = action.condition.code.value, action.condition.subject
        if ".refused." not in code or self._answers_by_chance(machine):
            return
        times = self._told_ms.setdefault(machine.name, {}).setdefault((code, subject), [])
        times[:] = [*(ms for ms in times if self.now_ms - ms < WINDOW_MS), self.now_ms]
        if len(times) > TOLD_AT_MOST:
            self.broken("I8", f"{machine.name} tells {code} of {subject.name} again and again")

    def _answers_by_chance(self, machine: Gateway) -> bool:
        legs = [leg for group in machine.config.groups for leg in group.legs]
        san = self.world.storage.san
        return any(san.is_lossy(machine.name, address) for leg in legs for address in leg.addresses)
