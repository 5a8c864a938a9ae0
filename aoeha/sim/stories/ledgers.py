"""Counts takeovers without the peer's word by whether the ledger of the legs was current (R4, R5).

It reads the state of the core, for figures alone: no judge does.
"""

from aoeha.core.model.actions import Say
from aoeha.core.model.conditions import Code
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.world import World

__all__ = ["CURRENT", "NOT_CURRENT", "LedgerCounter"]

CURRENT, NOT_CURRENT = ("ledger", "current at a takeover"), ("ledger", "not current at a takeover")
UNHEARD = (Code.OWNERSHIP_TAKEN_POWERED_OFF, Code.OWNERSHIP_TAKEN_STORAGE_FENCED, Code.OWNERSHIP_TAKEN_CONFIRMED)


class LedgerCounter(Observer):
    """Looks at each term that begins."""

    def __init__(self, world: World) -> None:
        self._world = world

    def said(self, machine: Gateway, action: Say) -> None:
        """A node tells by what proof it owns a group now."""
        code, name = action.condition.code, action.condition.subject.name
        daemon = self._world.machines[machine.name].daemon
        if code not in UNHEARD or daemon is None or daemon.state is None:
            return
        group = daemon.state.group(name)
        if group.legs and group.term is not None:
            self._world.count(*(CURRENT if group.term.startable_legs else NOT_CURRENT))
