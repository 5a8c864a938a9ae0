"""What words of a statement stand for in a simulated world."""

from aoeha.scenario.grammar import milliseconds as written_milliseconds
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.world import World

__all__ = ["CommandError", "machine_of", "milliseconds", "resource_of"]


class CommandError(Exception):
    """A line that cannot be understood. The message says why."""


def milliseconds(text: str) -> int:
    """Return a duration like 200ms, 1.5s or 10m. Raises CommandError."""
    try:
        return written_milliseconds(text)
    except ValueError as error:
        raise CommandError(str(error)) from error


def machine_of(world: World, name: str) -> Machine:
    """Return the gateway of this name. Raises CommandError."""
    if name not in world.machines:
        raise CommandError(f'there is no node "{name}"; there are {" and ".join(world.machines)}')
    return world.machines[name]


def resource_of(world: World, name: str) -> str:
    """Return the name if a resource has it. Raises CommandError."""
    if not any(name in names for names in world.resources.values()):
        raise CommandError(f'there is no resource "{name}"')
    return name
