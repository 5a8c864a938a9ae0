"""What agents see of resources, and when a look does not end: while a kernel's writes hang, so may they."""

from aoeha.core.model.task import Observed, ResourceStatus, ResourceTask, TaskKind
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import Storage

__all__ = ["Looks"]

WAITING = (TaskKind.PROBE, TaskKind.MONITOR, TaskKind.STOP)
"""What ends only when the writes of a kernel do, where agents wait for disks."""


class Looks:
    """Looks at the resources of both gateways. `wait`: agents of mirrors and volumes wait for their disks."""

    def __init__(self, stage: Stage, storage: Storage) -> None:
        self._stage = stage
        self._storage = storage
        self.wait = False

    def may_hang(self, task: ResourceTask) -> bool:
        """Whether a task waits for disks when they do not answer."""
        return self.wait and task.kind in WAITING and task.subject != self._stage.resources[task.group][-1]

    def hangs(self, machine: Gateway, task: ResourceTask) -> bool:
        """Whether it waits for them now."""
        return self.may_hang(task) and self._storage.hangs(machine, task.group)

    def observed(self, machine: Gateway, resource: str) -> tuple[Observed, str]:
        """What an agent reports of a resource, and why it is not well."""
        group = self._stage.group_of(resource)
        status, detail = self.status(machine, resource)
        is_mirror, is_driver = self._stage.is_mirror(resource), resource == self._stage.resources[group][0]
        missing = tuple(self._storage.missing(machine, group)) if is_mirror else ()
        used = self._storage.used(machine, group) if is_driver else ()
        write_mostly = self._storage.write_mostly(machine, group) if is_mirror else ()
        copying = self._storage.copies(machine, group) if is_mirror else ()
        return Observed(status, missing, used, write_mostly, copying), detail

    def status(self, machine: Gateway, resource: str) -> tuple[ResourceStatus, str]:
        """Whether it runs, and why it is not well."""
        if resource not in machine.active:
            return ResourceStatus.STOPPED, ""
        if self._stage.is_mirror(resource):
            group = self._stage.group_of(resource)
            missing = self._storage.missing(machine, group)
            if missing:
                return ResourceStatus.DEGRADED, f"the leg on {' and '.join(missing)} is missing"
            if self._storage.copies(machine, group):
                return ResourceStatus.DEGRADED, "it is being rebuilt"
        if resource in machine.spoilt:
            return ResourceStatus.FAILED, "it is read-only after an error"
        if resource in machine.worn:
            return ResourceStatus.DEGRADED, "one leg is missing"
        return ResourceStatus.RUNNING, ""
