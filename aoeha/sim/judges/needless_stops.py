"""Whether a node stops what runs well although nothing called for it (I5).

These do: an operator who asked for it, an agent or a resource that failed lately, clients that only the other node
reaches (R13), an owner beside it that somebody was deceived into (excuses), a second machine of the peer's name, whose
beats tell that the peer was not switched off, and the peer's name on every address of its legs: nothing is written.
"""

from aoeha.core.model.task import ResourceTask, Task, TaskKind
from aoeha.sim.judges import visibility
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.judge import LOOK_EVERY_MS, SLACK_MS, Judge, patience_ms
from aoeha.sim.judges.moves import Moves
from aoeha.sim.judges.troubles import Troubles
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["NeedlessStopJudge"]


class NeedlessStopJudge(Judge):
    """Looks at every stop."""

    def __init__(self, world: World, witness: Witness, excuses: Excuses, moves: Moves, troubles: Troubles) -> None:
        super().__init__(world)
        self._witness = witness
        self._excuses = excuses
        self._moves = moves
        self._troubles = troubles
        world.timeline.after(LOOK_EVERY_MS, self._look)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """Without a reason, a node never stops what runs well."""
        stop = isinstance(task, ResourceTask) and task.kind is TaskKind.STOP
        if stop and machine.runs_whole(task.group) and not self._reason(machine, task.group):
            self.broken("I5", f"{machine.name} stops {task.group}, which runs well, and nobody asked for it")

    def _look(self) -> None:
        for machine in self.world.machines.values():
            for group in self.world.resources:
                if machine.alive and machine.runs_whole(group):
                    self.note("needless stop", self._reason(machine, group))
        self.world.timeline.after(LOOK_EVERY_MS, self._look)

    def _reason(self, machine: Gateway, group: str) -> str:
        """Why a node may stop a group now, empty for no reason."""
        if self._moves.is_asked(machine, group):
            return "an operator asked for it"
        if self._excuses.deceived:
            return "a node is deceived"
        if machine.name in self._witness.misled:
            return "a second machine of the peer's name was heard last"
        if self._is_taken(machine, group):
            return "its legs are all its peer's"
        if self._troubles.may_show(machine, group):
            return "something failed"
        if machine.config.reference_hosts and visibility.may_make_way(
            self.world, machine, patience_ms=2 * patience_ms(machine), slack_ms=SLACK_MS
        ):
            return "only the other one reaches clients"
        return ""

    def _is_taken(self, machine: Gateway, group: str) -> bool:
        shelves = self.world.storage.shelves.values()
        holders = [set(address.holders) for shelf in shelves for address in shelf.addresses[group]]
        return bool(holders) and all(names == {machine.config.peer} for names in holders)
