"""Whether a leg is copied whole whose target may have lost what it acknowledged (R5).

The owner under which it restarted knows: it heard the target start, or finds its reservation gone. A disk that is
exchanged or loses something unnoticed tells nobody. The leg from which another one was copied whole since lacks nothing
that the other one has. A copy does not mend what its target lost after it was ordered.
"""

from aoeha.core.model.task import LegTask, Task, TaskKind
from aoeha.sim.judges.judge import Judge
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.leg import Leg
from aoeha.sim.world.mirror import Assembly
from aoeha.sim.world.world import World

__all__ = ["CopyJudge"]


class CopyJudge(Judge):
    """Notes which targets have restarted under the present owner, and looks at every copy."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._forgetful: set[tuple[str, str]] = set()
        self._since_order: set[tuple[str, str]] = set()
        self._ordered: set[tuple[str, str]] = set()
        self._equalled: dict[tuple[str, str], set[tuple[str, str]]] = {}

    def mirror_started(self, machine: Gateway, group: str, assembly: Assembly) -> None:
        """What happened before concerns an earlier owner."""
        del machine, assembly
        self._forgetful = {(known, shelf) for known, shelf in self._forgetful if known != group}

    def target_started(self, group: str, shelf: str) -> None:
        """A target restarts; one that is durable keeps what it acknowledged."""
        config = next(iter(self.world.configs.values()))
        legs = next(known.legs for known in config.groups if known.name == group)
        if any(leg.name == shelf and not leg.durable for leg in legs):
            self._forgetful.add((group, shelf))
            self._since_order.add((group, shelf))
            for sources in self._equalled.values():
                sources.discard((group, shelf))

    def task_started(self, machine: Gateway, task: Task) -> None:
        """What happens to the target from now on is not known to this order."""
        del machine
        if isinstance(task, LegTask) and task.kind is TaskKind.RETURN_LEG:
            self._ordered.add((task.group, task.leg))
            self._since_order.discard((task.group, task.leg))

    def copy_begun(self, machine: Gateway, group: str, leg: Leg, *, whole: bool) -> None:
        """A kernel copies what its bitmap names, or everything."""
        if (group, leg.shelf) not in self._ordered:
            self._since_order.discard((group, leg.shelf))
        self._ordered.discard((group, leg.shelf))
        known = self._forgetful - ({(group, leg.shelf)} & self._since_order)
        managed = any(known.name == group and known.legs for known in machine.config.groups)
        if managed and not whole and (group, leg.shelf) in known:
            sentence = f"{machine.name} copies to {leg.shelf} only what changed in {group}, though its target restarted"
            self.broken("R5", sentence)
        self._equalled[group, leg.shelf] = {one for one in known if whole and one[0] == group}

    def copy_ended(self, machine: Gateway, group: str, leg: Leg) -> None:
        """The leg is whole, and by a full copy equal to the one that it was copied from."""
        del machine
        self._forgetful -= {(group, leg.shelf)} - self._since_order
        self._forgetful -= self._equalled.pop((group, leg.shelf), set())
