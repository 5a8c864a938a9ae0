"""Resources as kernels have them: they come up, an address expires, they end.

The first resource of a group is its mirror, and the last one its address; between them is what lies on the mirror. It
does not come up without the mirror, which does not end below it.
"""

from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import Storage

__all__ = ["Services"]


class Services:
    """What runs on both gateways."""

    def __init__(self, stage: Stage, storage: Storage) -> None:
        self._stage = stage
        self._storage = storage

    def run(self, machine: Gateway, name: str, legs: tuple[str, ...] = (), *, short: bool = False) -> str:
        """A resource is up from now on, a mirror from these legs. Return why it cannot be, empty when it is."""
        group = self._stage.group_of(name)
        if name in self._volumes(group) and machine.active.get(self._stage.resources[group][0]) != "running":
            self.end(machine, name)
            return "there is no mirror below it"
        if self._stage.is_mirror(name):
            fault = self._storage.assemble(machine, group, legs, short=short)
            if fault:
                self.end(machine, name)
                return fault
        machine.active[name] = "running"
        if name == self._stage.resources[group][-1]:
            self._storage.announced(machine, group)
        self._stage.changed()
        return ""

    def renew(self, machine: Gateway, name: str, lifetime_ms: int) -> bool:
        """Prolong the life of an address, 0 for ever. Return whether it is there.

        The kernel drops it at its end, whatever runs there then (R12).
        """
        machine.lives_until_ms.pop(name, None)
        if name not in machine.active:
            return False
        if lifetime_ms:
            machine.lives_until_ms[name] = self._stage.timeline.now_ms + lifetime_ms
            self._stage.timeline.after(lifetime_ms, machine.by_kernel, self._expire, machine, name, machine.boots)
        return True

    def _expire(self, machine: Gateway, name: str, boots: int) -> None:
        now_ms = self._stage.timeline.now_ms
        due = machine.lives_until_ms.get(name, now_ms + 1) <= now_ms
        if due and machine.boots == boots and machine.active.get(name) == "running":
            self._stage.count("address", "expired")
            self._stage.trace.line(machine.name, "expired", name, "nobody renewed it")
            self.end(machine, name)

    def stop(self, machine: Gateway, name: str) -> str:
        """End a resource in order. Return why it does not end, empty when it has: a mirror does not below a volume."""
        group = self._stage.group_of(name)
        users = [volume for volume in self._volumes(group) if volume in machine.active]
        if self._stage.is_mirror(name) and users:
            self._stage.count("mirror", "stop refused")
            return f"{users[0]} uses it"
        self.end(machine, name)
        return ""

    def _volumes(self, group: str) -> tuple[str, ...]:
        """What lies on a group's mirror."""
        return self._stage.resources[group][1:-1]

    def spoil(self, machine: Gateway, group: str) -> None:
        """The kernel cannot write to the last leg: what lies on the mirror is read-only from now on."""
        machine.spoilt.update(self._volumes(group))

    def end(self, machine: Gateway, name: str) -> None:
        """A resource is not up any more."""
        machine.lives_until_ms.pop(name, None)
        machine.spoilt.discard(name)
        group = self._stage.group_of(name)
        if self._stage.is_mirror(name):
            self._storage.stop(machine, group)
        machine.active.pop(name, None)
        self._stage.changed()
