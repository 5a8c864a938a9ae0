"""Whether a beat that a node believes is new, and of the newest boot of its peer (R1).

A beat that is older than the newest one counts for its link alone: what a node answers never goes back.
"""

from aoeha.core.model.beat import Beat
from aoeha.core.model.memory import Memory
from aoeha.sim.judges.judge import DECIDED_BEFORE_MS, Judge
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["HeardBeatJudge"]


class HeardBeatJudge(Judge):
    """Looks at every beat that is believed."""

    def __init__(self, world: World, witness: Witness) -> None:
        super().__init__(world)
        self._witness = witness
        self._echoed: dict[str, int] = {}
        self._since_ms: dict[str, int] = {}
        self._sender: dict[str, tuple[str, int]] = {}
        self._newest: dict[tuple[str, str, int, str], int] = {}

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """A beat is believed. Two machines of one name are heard in turn: neither boot is the earlier one."""
        key = (machine.name, beat.boot_id, beat.incarnation, link)
        if beat.sequence <= self._newest.get(key, -1):
            self.broken("I1", f"{machine.name} believed a beat on {link} for the second time")
        if self._sender.get(machine.name) != key[1:3]:
            self._sender[machine.name] = beat.boot_id, beat.incarnation
            self._forget_echo(machine)
        self._newest[key] = beat.sequence
        if beat.boot_id in self._witness.boots_heard.get(machine.name, [])[:-1]:
            self.broken("I1", f"{machine.name} believed a beat of an earlier boot on {link}")

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon has heard nothing."""
        del memory
        self._forget_echo(machine)

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """A node says which beat of its peer it has heard last."""
        if beat.echo_sequence < self._echoed.get(machine.name, 0):
            self.broken("R1", f"{machine.name} answers beat {beat.echo_sequence} of its peer, after a later one")
        if self.now_ms >= self._since_ms.get(machine.name, 0):
            self._echoed[machine.name] = beat.echo_sequence

    def _forget_echo(self, machine: Gateway) -> None:
        """Another daemon counts anew; what was decided before it was heard may still be said."""
        self._echoed.pop(machine.name, None)
        self._since_ms[machine.name] = self.now_ms + DECIDED_BEFORE_MS
