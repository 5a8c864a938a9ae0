"""Which actions may be performed now: the ordering clause of the core contract, written once for daemon and simulator.

Actions are performed in the order in which the core asked for them. A `Persist` holds up everything behind it until
`persist_done`. So a promise is saved before the peer hears it, and a reboot of this node is saved before it happens, so
that reboots can be rationed. A steady one holds up nothing. Actions that only inform people are let through at once.
"""

from dataclasses import dataclass, field

from aoeha.core.model.actions import Action, Answer, Persist, Say

WAITING_MAX = 4_096


@dataclass(slots=True)
class ActionQueue:
    """A queue with a gate. Holds at most WAITING_MAX actions: more is a bug in the core, and asserted."""

    _waiting: list[Action] = field(default_factory=list)
    _persisting: bool = False

    def offer(self, actions: tuple[Action, ...]) -> None:
        """Queue the actions that one step asked for."""
        self._waiting.extend(actions)
        assert len(self._waiting) <= WAITING_MAX, "actions pile up behind a Persist"

    def take(self) -> tuple[Action, ...]:
        """Return the actions that may be performed now, in order. No action that changes anything follows a Persist."""
        ready: list[Action] = []
        held: list[Action] = []
        for action in self._waiting:
            if isinstance(action, (Say, Answer)) or not self._persisting:
                ready.append(action)
                self._persisting = self._persisting or (isinstance(action, Persist) and not action.steady)
            else:
                held.append(action)
        self._waiting = held
        return tuple(ready)

    def persist_done(self) -> None:
        """Open the gate: the Persist that was handed out has ended, successfully or not (R16)."""
        self._persisting = False
