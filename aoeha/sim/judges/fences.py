"""Whether a fence has a cause (I5), by power or by the shelves; and whether there is no end of them (I7).

Every link cut at once looks like a dead peer where no shelf carries the owner's stamp. A healthy owner is then fenced.
So I5 is judged only while some link is whole, or a shelf that both reach.

A node that left the pair is not powered off, unless a leg still bears its name: it may serve again, unheard. A node
that has to take that leg from it by force, because it was stalled or waited too long to rely on the leave, powers it
off as well. An operator who switches a gateway off has a cause.
"""

from aoeha.core.model.beat import Beat, BeatFlag, GroupPhase
from aoeha.core.model.task import PowerTask, Task, TaskKind
from aoeha.sim.judges import visibility
from aoeha.sim.judges.blind_fence import judge_blind_fence
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.judge import LOOK_EVERY_MS, Judge, patience_ms, peer_of
from aoeha.sim.judges.orders import PowerOrders
from aoeha.sim.judges.sight import Sight
from aoeha.sim.judges.troubles import Troubles
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["FenceJudge"]

FENCES_MAX = 3
"""At most this often may one node be switched off in one incident. Another fault or command begins another incident; a
repair does not: it ends what was, and a node that is switched on again must not be fenced again."""
REPAIRS = (
    "heal",
    "heal-san",
    "heal-clients",
    "join",
    "mend",
    "recover",
    "replug",
    "resume",
    "start",
    "unclone",
    "vouch",
)
ENDINGS = (" ok", ": cleanup", ": resume", ": unstandby", " act=on")
SLOW_NEWS_MS = 10_000
"""How late a node may hear that its peer does not ask to be fenced any more."""


class FenceJudge(Judge):
    """Looks at every power-off, and at every leg that is taken by force."""

    def __init__(
        self,
        world: World,
        *,
        witness: Witness,
        excuses: Excuses,
        orders: PowerOrders,
        troubles: Troubles,
        sight: Sight,
    ) -> None:
        super().__init__(world)
        self._witness = witness
        self._excuses = excuses
        self._orders = orders
        self._troubles = troubles
        self._sight = sight
        self._asked_ms: dict[str, int] = {}
        self._fences: dict[str, int] = {}
        self._named_on_legs: set[str] = set()
        world.timeline.after(LOOK_EVERY_MS, self._look)

    def incident_begun(self, line: str) -> None:
        """Count fences from here, unless something is repaired."""
        if not (line.split(maxsplit=1)[0] in REPAIRS or line.startswith("power on") or line.endswith(ENDINGS)):
            self._fences.clear()

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """A node asks to be fenced. A node that leaves names itself on no leg."""
        if any(group.phase is GroupPhase.BLOCKED for group in beat.groups):
            self._asked_ms[machine.name] = self.now_ms
        if BeatFlag.LEAVING in beat.flags:
            self._named_on_legs.discard(machine.name)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node acts on its peer's power."""
        if not isinstance(task, PowerTask) or task.kind is not TaskKind.POWER_OFF:
            return
        if self._orders.is_open(machine):
            self.world.count("order", "fence by an operator")
            return
        self.world.count("order", "fence")
        victim = self.world.machines[task.node]
        if not self._reason(machine, victim):
            self._judge_leaver(machine, victim, self._judge_cause(machine, victim))

    def preempting(self, machine: Gateway, group: str, address: str) -> None:
        """A node is about to take a leg that shows its peer: that is a fence where the peer serves from it."""
        del address
        victim = peer_of(self.world, machine)
        self._named_on_legs.add(victim.name)
        if victim.alive and victim.runs_whole(group) and not self._reason(machine, victim):
            self._judge_cause(machine, victim)

    def fenced(self, orderer: Gateway, victim: Gateway) -> None:
        """A fence device took the power of a running gateway."""
        del orderer
        self._fences[victim.name] = self._fences.get(victim.name, 0) + 1
        if self._fences[victim.name] > FENCES_MAX:
            self.broken("I7", f"{victim.name} was fenced {self._fences[victim.name]} times in one incident")

    def booted(self, machine: Gateway) -> None:
        """Whoever boots has asked for nothing."""
        self._asked_ms.pop(machine.name, None)

    def _look(self) -> None:
        for victim in self.world.machines.values():
            if victim.alive and any(victim.runs_whole(group) for group in self.world.resources):
                self.note("needless fence", self._reason(peer_of(self.world, victim), victim))
        self.world.timeline.after(LOOK_EVERY_MS, self._look)

    def _reason(self, machine: Gateway, victim: Gateway) -> str:
        """Why a node may fence a peer that it can hear or see, empty for no reason."""
        if self._excuses.deceived:
            return "a node is deceived"
        asked_ms, news_ms = self._asked_ms.get(victim.name), 2 * patience_ms(machine) + SLOW_NEWS_MS
        if asked_ms is None or self.now_ms - asked_ms > news_ms:
            return ""
        stuck = any(self._troubles.is_stuck(victim, group) for group in self.world.resources)
        can_tell = stuck or self._sight.lost_within(victim, news_ms)
        return "the victim asked for it" if can_tell else ""

    def _judge_cause(self, machine: Gateway, victim: Gateway) -> list[int]:
        """Nothing is taken from a node that can be heard or seen. Returns since when links have been whole."""
        whole_ms = visibility.whole_link_ms(self.world, machine, victim, read=False)
        clean = [link.clean_since_ms for link in self.world.links.values() if link.clean_since_ms is not None]
        fences = f"{machine.name} fences {victim.name}"
        if whole_ms > patience_ms(machine):
            self.broken("I5", f"{fences}, to which a whole link has led for {whole_ms} ms")
        stamped_ms = visibility.stamped_for_ms(self.world, machine, victim, self._witness.whole_since_ms)
        if stamped_ms > patience_ms(machine):
            self.broken("I5", f"{fences}, which has stamped a shelf that both reach for {stamped_ms} ms")
        self._judge_hasty(machine, victim, clean)
        if machine.name in self._witness.strangers:
            judge_blind_fence(self.world, machine, victim, patience_ms(machine))
        return clean

    def _judge_leaver(self, machine: Gateway, victim: Gateway, clean: list[int]) -> None:
        """A node that left in order is not switched off."""
        since_ms, left_ms = machine.present_since_ms, self._witness.left_ms.get(victim.name)
        if left_ms is None or not victim.left or victim.name in self._named_on_legs or not clean or since_ms is None:
            return
        if max(min(clean), since_ms) < left_ms - patience_ms(machine):
            self.broken("I5", f"{machine.name} fences {victim.name}, which left the pair in order")

    def _judge_hasty(self, machine: Gateway, victim: Gateway, clean: list[int]) -> None:
        """No node may be judged by a silence during which the judge was stalled (R10)."""
        blackout, config = self._witness.blackouts.get(machine.name), machine.config
        if blackout is None or not clean or blackout.until_ms - blackout.since_ms <= config.deadtime_ms:
            return
        there_ms = self.now_ms if victim.present_since_ms is None else victim.present_since_ms
        heard_before = max(min(clean), there_ms) < blackout.since_ms - config.deadtime_ms
        hasty = self.now_ms - blackout.until_ms < config.deadtime_ms - 2 * config.keepalive_ms
        if heard_before and hasty:
            self.broken("I5", f"{machine.name} fences {victim.name} for a silence during which it was away itself")
