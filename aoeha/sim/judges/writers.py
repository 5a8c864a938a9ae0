"""Whether two nodes write to one storage (I1), or answer for one address (I3).

A target that restarts loses its reservation. Until the owner has reserved it again, or for good when the owner is gone,
a fenced gateway that is alive writes there: only power proves more. Such writes are counted as `excused`.
"""

from aoeha.core.model.task import ResourceTask, Task, TaskKind
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.judge import Judge, is_reserved, peer_of
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["WriterJudge"]


class WriterJudge(Judge):
    """Looks at what runs where, and at whose writes land."""

    def __init__(self, world: World, excuses: Excuses) -> None:
        super().__init__(world)
        self._excuses = excuses
        self._both_since_ms: dict[str, int] = {}

    def looked(self) -> None:
        """Judge what runs where."""
        first, second = self.world.machines.values()
        for group in self.world.resources:
            one, other = first.runs_any(group), second.runs_any(group)
            if one and other and not is_reserved(self.world, group):
                self._two_run(group, f"{one} runs on {first.name} and {other} on {second.name}")
            self._watch_address(group)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node starts something."""
        if not isinstance(task, ResourceTask) or task.kind is not TaskKind.START:
            return
        peer = peer_of(self.world, machine)
        running = peer.runs_any(task.group)
        if running and not is_reserved(self.world, task.group):
            self._two_run(task.group, f"{machine.name} starts {task.subject} beside {running} on {peer.name}")

    def write_landed(self, machine: Gateway, group: str, *, foreign: bool, forgotten: bool) -> None:
        """A record reached a leg. A node must not write any more once another one has started the mirror."""
        if is_reserved(self.world, group):
            if foreign and forgotten:
                self.world.count("excused", "target that forgot")
            elif foreign:
                self.broken("I1", f"a write of {machine.name} to {group} landed after it was started elsewhere")
            return
        peer = peer_of(self.world, machine)
        running = peer.runs_any(group)
        if running:
            self._two_run(group, f"a write of {machine.name} landed while {running} runs on {peer.name}")

    def _both_answer(self, group: str) -> bool:
        """Whether two living kernels have the address of a group."""
        first, address = self.world.resources[group][0], self.world.resources[group][-1]
        return address != first and all(
            machine.alive and not machine.frozen and machine.active.get(address) == "running"
            for machine in self.world.machines.values()
        )

    def _watch_address(self, group: str) -> None:
        """Note since when two kernels have had an address; they may for as long as an address lives (R12)."""
        if not self._both_answer(group):
            self._both_since_ms.pop(group, None)
            return
        first, second = self.world.machines.values()
        lifetime_ms, since_ms = first.config.address_lifetime_ms, self._both_since_ms.get(group)
        if since_ms is None:
            self._both_since_ms[group] = self.now_ms
            self.world.timeline.after(lifetime_ms + 1, self.world.changed)
        elif self.now_ms - since_ms > lifetime_ms:
            sentence = f"{first.name} and {second.name} have answered for {group} for {self.now_ms - since_ms} ms"
            self._two_run(group, sentence)

    def _two_run(self, group: str, sentence: str) -> None:
        if self._excuses.deceived:
            self._excuses.count()
            return
        resources = self.world.resources[group]
        first, second = self.world.machines.values()
        address = resources[-1]
        only_address = len(resources) > 1 and all(
            name not in first.active or name not in second.active for name in resources[:-1]
        )
        both_answer = address in first.active and address in second.active
        self.broken("I3" if only_address and both_answer else "I1", sentence)
