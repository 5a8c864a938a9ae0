"""What several judges ask about: who has heard whom since when, who stood still.

Nothing is judged here.
"""

from aoeha.core.model.beat import Beat, BeatFlag
from aoeha.sim.judges import visibility
from aoeha.sim.judges.judge import SLACK_MS, Judge, patience_ms
from aoeha.sim.judges.visibility import Blackout
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["Witness"]


class Witness(Judge):
    """Notes facts.

    `boots_heard`: each node's peer's boots, in the order in which it first heard them. `misled`: nodes that heard a
    machine with their peer's name last. `strangers`: nodes that have not heard their peer since they booted.
    `left_ms`: when each node announced that it leaves. `whole_since_ms`: since when each node has each group whole.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.boots_heard: dict[str, list[str]] = {}
        self.misled: set[str] = set()
        self.strangers: set[str] = set()
        self.left_ms: dict[str, int] = {}
        self.blackouts: dict[str, Blackout] = {}
        self.whole_since_ms: dict[tuple[str, str], int] = {}

    def looked(self) -> None:
        """Note since when every machine has had every group whole."""
        for name, machine in self.world.machines.items():
            for group in self.world.resources:
                if not machine.alive or not machine.runs_whole(group):
                    self.whole_since_ms.pop((name, group), None)
                else:
                    self.whole_since_ms.setdefault((name, group), self.now_ms)

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """A node says that it leaves."""
        if BeatFlag.LEAVING in beat.flags:
            self.left_ms[machine.name] = self.now_ms

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """A beat is believed."""
        del link
        self.strangers.discard(machine.name)
        if beat.boot_id in self.world.clone_boot_ids:
            self.misled.add(machine.name)
            return
        self.misled.discard(machine.name)
        boots = self.boots_heard.setdefault(machine.name, [])
        if beat.boot_id not in boots:
            boots.append(beat.boot_id)

    def returned(self, machine: Gateway, since_ms: int) -> None:
        """A node is back after a stall."""
        self.blackouts[machine.name] = Blackout(since_ms, self.now_ms)

    def booted(self, machine: Gateway) -> None:
        """A kernel boots, and has not heard its peer yet."""
        self.strangers.add(machine.name)
        self.left_ms.pop(machine.name, None)

    def have_met(self, one: Gateway, other: Gateway) -> bool:
        """Whether either has heard the other's present boot."""
        return other.boot_id in self.boots_heard.get(one.name, []) or one.boot_id in self.boots_heard.get(
            other.name, []
        )

    def was_away_lately(self, machine: Gateway, turns_ms: int) -> bool:
        """Whether the silence that this node counted began after its stall, not when the links fell silent."""
        back_ms = self.blackouts.get(machine.name, Blackout()).until_ms
        return back_ms > 0 and self.now_ms - back_ms < machine.config.deadtime_ms + turns_ms + SLACK_MS

    def whole_link_ms(self, machine: Gateway, victim: Gateway) -> int:
        """For how long both have been up, without a stall, and with a whole link between them."""
        return visibility.whole_link_ms(self.world, machine, victim)

    def hears(self, machine: Gateway, victim: Gateway) -> bool:
        """Whether a whole link has led from one node to the other for so long that it must have noticed."""
        return self.whole_link_ms(machine, victim) > patience_ms(machine)
