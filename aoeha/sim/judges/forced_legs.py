"""How legs are taken by force: after a reading, and not again by who was taken from (R3, R7).

A node takes a leg from a silent peer by what it read since the silence, and since its own last act on any of the legs.
An owner may also go by what its own act on the leg read back. After a stall, as R10 calls it, a node reads first in any
case: a shorter one is like the time between two readings.

A node that takes a leg from a silent peer has read the records after what the leg showed it: an owner that came in the
meantime has stamped them. That is judged where both shelves answer at once, and for the first leg.

A node from which the peer took a leg yields: the peer lives. It may take the leg again only after deadtime.
"""

from collections import defaultdict, deque

from aoeha.core.model.beat import Beat
from aoeha.core.model.shelves import LockRecord
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.judge import Judge, answers
from aoeha.sim.judges.leg_reads import LegReads
from aoeha.sim.judges.presence import Presence
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["ForcedLegJudge"]

STAMPS_KEPT = 32


class ForcedLegJudge(Judge):
    """Looks at every leg that is taken by force."""

    def __init__(self, world: World, excuses: Excuses, reads: LegReads, presence: Presence) -> None:
        super().__init__(world)
        self._excuses = excuses
        self._reads = reads
        self._presence = presence
        self._back_ms: dict[str, int] = {}
        self._heard_ms: dict[str, int] = {}
        self._taken_ms: dict[tuple[str, str, str], int] = {}
        self._stamped_ms: defaultdict[tuple[str, str], deque[int]] = defaultdict(lambda: deque(maxlen=STAMPS_KEPT))

    def returned(self, machine: Gateway, since_ms: int) -> None:
        """A node is back after a stall; if it was a shorter one, or its clock stood still as well, it cannot know."""
        config, lasted_ms = machine.config, self.now_ms - since_ms
        if lasted_ms <= max(config.deadtime_ms - 2 * config.keepalive_ms, 2 * config.keepalive_ms):
            return
        if self._presence.knows_of_a_stall(machine):
            self._back_ms[machine.name] = machine.clock_ms()

    def record_writing(self, machine: Gateway, group: str, record: LockRecord) -> None:
        """Note when a node stamps its legs."""
        del record
        self._stamped_ms[machine.name, group].append(self.now_ms)

    def preempting(self, machine: Gateway, group: str, address: str) -> None:
        """The leg is taken: from now on the peer must yield, and this node must not have had to."""
        self._judge_reading(machine, group, address.partition("/")[0])
        taken_ms = self._taken_ms.pop((machine.name, group, address), None)
        peer = self.world.machines[machine.config.peer]
        hasty = taken_ms is not None and self.now_ms - taken_ms < machine.config.deadtime_ms
        if hasty and peer.alive and not self._excuses.deceived:
            rule = "R3" if (machine.name, group) in self._presence.owned else "R7"
            sentence = f"{machine.name} takes {address} of {group} from {peer.name}, which has just taken it from it"
            self.broken(rule, sentence)
        self._taken_ms[peer.name, group, address] = self.now_ms

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """What the peer says ends the silence in which it took something."""
        del link, beat
        self._heard_ms[machine.name] = machine.clock_ms()
        self._forget(machine)

    def booted(self, machine: Gateway) -> None:
        """A new boot has lost nothing, and heard nothing."""
        self._heard_ms.pop(machine.name, None)
        self._back_ms.pop(machine.name, None)
        self._forget(machine)

    def _judge_reading(self, machine: Gateway, group: str, leg: str) -> None:
        """A leg is taken by what was read since the last act on any of them, and since the peer was silent."""
        since_ms, notes = self._back_ms.get(machine.name, 0), self._reads.of(machine, group, leg)
        answered_ms = notes.answered_ms or 0
        if (machine.name, group) in self._presence.owned:
            answered_ms = max(answered_ms, notes.changed_ms or 0)
        else:
            legs = next(known.legs for known in machine.config.groups if known.name == group)
            changed_ms = [self._reads.of(machine, group, each.name).changed_ms or 0 for each in legs]
            silent_ms = self._silent_ms(machine)
            since_ms = max(since_ms, *changed_ms, silent_ms)
            unheard = silent_ms > 0 or machine.name not in self._heard_ms
            if unheard and silent_ms >= max(changed_ms):
                self._judge_records(machine, group, leg, answered_ms)
        if answered_ms < since_ms:
            self.broken("R7", f"{machine.name} takes {leg} of {group} by force, and has not read it since it could")

    def _judge_records(self, machine: Gateway, group: str, leg: str, answered_ms: int) -> None:
        """The records were read since the peer last stamped them before the leg was read."""
        shelves = self.world.storage.shelves.values()
        if not all(answers(self.world, machine, each) for shelf in shelves for each in shelf.addresses[group]):
            return
        back_ms = self.now_ms - machine.clock_ms()
        read_ms = self._reads.records_ms.get((machine.name, group), 0) + back_ms
        stamped_ms = self._stamped_ms[machine.config.peer, group]
        if any(read_ms < at_ms <= answered_ms + back_ms for at_ms in stamped_ms):
            sentence = f"{machine.name} takes {leg} of {group} by force, and has not read what its owner stamped there"
            self.broken("R7", sentence)

    def _silent_ms(self, machine: Gateway) -> int:
        """Since when its peer has been silent, 0 while it is not: then another reason counts."""
        heard_ms = self._heard_ms.get(machine.name)
        silent_ms = 0 if heard_ms is None else heard_ms + machine.config.deadtime_ms
        return silent_ms if silent_ms <= machine.clock_ms() else 0

    def _forget(self, machine: Gateway) -> None:
        if self._taken_ms:
            for key in [key for key in self._taken_ms if key[0] == machine.name]:
                del self._taken_ms[key]
