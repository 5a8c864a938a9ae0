"""What a story promises, held against the facts of the simulated world: `expect` and `never` (aoeha.scenario).

A fact is read from the world itself, never from what a gateway says of itself, but for alarms.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aoeha.core.model.code_book import BOOK
from aoeha.core.model.code_entry import Kind
from aoeha.core.model.conditions import Alarm
from aoeha.core.model.task import TaskKind
from aoeha.scenario.grammar import Statement
from aoeha.sim.stories.commands import CommandError

if TYPE_CHECKING:
    from aoeha.sim.world.mirror import Mirror
    from aoeha.sim.world.world import World

__all__ = ["BrokenPromiseError", "Promises"]

ANYBODY, NOBODY = "somebody", "nobody"
ALARMS = {code.value for code, entry in BOOK.items() if entry.kind is Kind.ALARM}


class BrokenPromiseError(Exception):
    """A promise of the story is not kept. The message is the line, and what is so instead."""


class Promises:
    """The promises of one story on its way. `look` is to be called after everything that happens."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._never: list[tuple[Statement, dict[str, int]]] = []
        self._marked = self._boots()

    def mark(self) -> None:
        """Count boots from here."""
        self._marked = self._boots()

    def _boots(self) -> dict[str, int]:
        return {machine.name: machine.boots for machine in self._world.machines.values()}

    def begin(self, statement: Statement) -> None:
        """Watch that something never comes true from now on. Raises CommandError for what does not exist."""
        self._verify_names(statement)
        self._never.append((statement, self._boots()))
        self.look()

    def look(self) -> None:
        """Raise BrokenPromiseError for the first fact that must never be, and is."""
        for statement, boots in self._never:
            if self._is_so(statement, boots):
                raise BrokenPromiseError(f"{statement.source}: it is so")

    def end(self) -> None:
        """Look at what can be told only at the end of the story."""
        if any(statement.kind == "never lost" for statement, _ in self._never):
            storage = self._world.storage
            for group, mirror in storage.mirrors.items():
                kept = set[int]().union(*(leg.records for leg in mirror.legs))
                if lost := storage.acknowledged[group] - kept:
                    raise BrokenPromiseError(f"never writes lost: record {min(lost)} of {group} is on no leg")

    def expect(self, statement: Statement, run: Callable[[int, Callable[[], bool]], None]) -> None:
        """Let time pass by `run(ms, until)` while a fact is not so. Raises BrokenPromiseError, CommandError."""
        self._verify_names(statement)
        if statement.kind == "expect quiet":
            before = self._moves()
            run(statement.time_ms, lambda: self._moves() != before)
            kept = self._moves() == before
        else:
            fact = self._fact_of(statement)
            if not fact():
                run(statement.time_ms, fact)
            kept = fact()
        if not kept:
            raise BrokenPromiseError(f"{statement.source}: {self._instead()}")

    def _fact_of(self, statement: Statement) -> Callable[[], bool]:
        if statement.kind == "expect writes":
            count = self._written()
            return lambda: self._written() > count
        return lambda: self._is_so(statement, self._marked)

    def _is_so(self, statement: Statement, boots: dict[str, int]) -> bool:
        world, node = self._world, statement.node
        match statement.kind:
            case "expect served" | "never served":
                serving = self._serving(statement.group)
                return node in serving or (node == ANYBODY and bool(serving)) or (node == NOBODY and not serving)
            case "never both":
                return len(self._serving(statement.group)) > 1
            case "expect on":
                return world.machines[node].alive
            case "expect off":
                return not world.machines[node].alive
            case "never off":
                return not world.machines[node].alive or world.machines[node].boots != boots[node]
            case "expect boots":
                return world.machines[node].alive and world.machines[node].boots > boots[node]
            case "expect lives":
                return world.machines[node].alive and world.machines[node].boots == boots[node]
            case "expect holds":
                shelves = world.storage.shelves.values()
                addresses = [a for shelf in shelves for group in world.resources for a in shelf.addresses[group]]
                return all(address.holders == (node,) for address in addresses)
            case "expect mirror":
                return all((len(m.whole()) == len(m.legs)) is (statement.text == "whole") for m in self._mirrors())
            case "expect alarm" | "never alarm":
                return any(alarm.condition.code.value == statement.text for alarm in self._alarms(node))
            case _:
                return False

    def _verify_names(self, statement: Statement) -> None:
        known = {*self._world.machines, ANYBODY, NOBODY} if "served" in statement.kind else {*self._world.machines}
        if statement.node and statement.node not in known:
            raise CommandError(f'there is no node "{statement.node}"; there are {" and ".join(self._world.machines)}')
        if statement.kind.endswith("alarm") and statement.text not in ALARMS:
            raise CommandError(f'there is no alarm "{statement.text}"; docs/alarms.md lists them')
        if statement.group and statement.group not in self._world.resources:
            raise CommandError(f'there is no group "{statement.group}"; there are {", ".join(self._world.resources)}')

    def _serving(self, group: str) -> list[str]:
        return [machine.name for machine in self._world.machines.values() if machine.serves(group)]

    def _alarms(self, node: str) -> list[Alarm]:
        """What alarms stand on a node, on either without one."""
        machines = [machine for name, machine in self._world.machines.items() if node in {"", name}]
        states = [machine.daemon.state for machine in machines if machine.daemon is not None]
        return [alarm for state in states if state is not None for alarm in state.alarms]

    def _mirrors(self) -> list["Mirror"]:
        return list(self._world.storage.mirrors.values())

    def _written(self) -> int:
        return sum(map(len, self._world.storage.acknowledged.values()))

    def _moves(self) -> int:
        kinds = (TaskKind.START.value, TaskKind.STOP.value)
        return sum(self._world.counts["task", kind] for kind in kinds)

    def _instead(self) -> str:
        told = [
            f"{group} is served by {' and '.join(self._serving(group)) or NOBODY}" for group in self._world.resources
        ]
        power = [f"{name} is {'on' if machine.alive else 'off'}" for name, machine in self._world.machines.items()]
        return ", ".join(told + power)
