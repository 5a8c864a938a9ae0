"""Whether a node holds every address of its legs that it reaches before it starts a mirror on them (R3).

An address of a stranger is a lost leg. What has just come back may be seen a moment later.
"""

from aoeha.core.model.task import ResourceTask, Task, TaskKind
from aoeha.sim.judges.judge import Judge, answers
from aoeha.sim.world.gateway import Gateway

__all__ = ["OwnLegsFirstJudge"]

SLACK_MS = 1_000
READS = 2


class OwnLegsFirstJudge(Judge):
    """Looks at every start of a mirror."""

    def task_started(self, machine: Gateway, task: Task) -> None:
        """It begins: see whose the legs are at this moment."""
        if not isinstance(task, ResourceTask) or task.kind is not TaskKind.START:
            return
        if not self.world.is_mirror(task.subject):
            return
        config, storage = machine.config, self.world.storage
        known_ms = self.now_ms - READS * (config.hold_every_ms + config.shelf_timeout_ms) - SLACK_MS
        legs = next(group.legs for group in config.groups if group.name == task.group)
        named = {name for leg in legs for name in leg.addresses}
        for shelf_name, shelf in storage.shelves.items():
            if storage.undisturbed_since_ms[shelf_name] > known_ms:
                continue
            for address in shelf.addresses[task.group]:
                if address.name not in named or not answers(self.world, machine, address):
                    continue
                if not address.holders or config.peer in address.holders:
                    shows = " and ".join(address.holders) or "nobody"
                    sentence = f"{machine.name} starts {task.subject} while {address.name} is reserved for {shows}"
                    self.broken("R3", sentence)
