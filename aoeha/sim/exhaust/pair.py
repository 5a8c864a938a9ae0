"""Every event that can happen next to a pair of gateways, and what must never be true of it.

A state of the pair is eight small numbers: both gateways, the beats in flight in each direction, which directions are
cut, how many ticks one clock is ahead, what is left in the fault budget, and the shelves. Gateways and beats are values
that were seen before under that number. What an event does to one gateway is computed once by the core and remembered,
so that a transition of the pair costs microseconds. The oracle here shares nothing with the core's own assertions.

Time: the two clocks advance in ticks, one at most a tick ahead while both daemons are alive. A beat takes less than a
tick, or is lost at the cost of the budget; at the same cost one overtakes another. A cut swallows a direction until it
is repaired. A gateway that is down, off or paused does not hold up the other's clock. A task of the shelves happens
within its tick and is answered at that moment, or, at the cost of the budget, ticks later. A task that takes or
transfers a leg, or that starts or changes a mirror, happens after whatever else happens first; a mere reading or stamp
happens at once. At the cost of the budget a reading waits as well, or an answer is heard later than what it tells.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from aoeha.core.model.task import Task, TaskKind
from aoeha.sim.exhaust.canonical_ledger import KEPT, Aging
from aoeha.sim.exhaust.gateway import NODES, Gateway, Power
from aoeha.sim.exhaust.known import DONE, LATE, SLOW, Facts, Known, Local, Watcher
from aoeha.sim.exhaust.numbers import Numbers
from aoeha.sim.exhaust.shelves import LEGS, Effect, Shelves

__all__ = ["MIRRORED", "RESERVED", "FaultBudget", "Pair", "Search", "Violation"]


class Violation(Exception):  # noqa: N818  the search is for this
    """Something that must never be true is true. The message names the invariant."""


class FaultBudget(NamedTuple):
    """The faults that may still happen. A crash is a kernel's or a daemon's; a loss is a beat or a cut direction.

    `restarts` are targets that begin again, `ways` between a node and a shelf are cut until they are mended, `delays`
    let the shelves answer late, by less than a tick or by a whole one. `memories` are lost while no daemon runs, and
    `edits` let the two configurations differ or agree again, from the next daemon on. `boots` bounds the boots of each
    node, `under_way` the beats in each direction that were sent and not yet heard.
    """

    crashes: int = 2
    losses: int = 2
    commands: int = 1
    failures: int = 1
    pauses: int = 1
    restarts: int = 0
    ways: int = 0
    silences: int = 0
    mends: int = 0
    delays: int = 0
    memories: int = 0
    edits: int = 0
    boots: int = 4
    under_way: int = 1

    @property
    def left(self) -> int:
        """How many faults may still happen."""
        return sum(self) - self.boots - self.under_way


RESERVED = FaultBudget(crashes=1, losses=1, commands=1, failures=0, pauses=1, restarts=1, ways=1, delays=1, boots=3)
"""What may happen to a pair whose group has legs, so that enough of it is seen."""
MIRRORED = FaultBudget(
    crashes=1, losses=1, commands=1, failures=0, pauses=1, restarts=1, ways=2, silences=1, mends=2, delays=1, boots=3
)
"""What may happen to a pair whose group is a mirror, with a ledger."""


class Pair(NamedTuple):
    """One state of the pair, by numbers. `cut` has a bit for each direction, `ahead` is the first clock's lead."""

    first: int
    second: int
    from_first: int
    from_second: int
    cut: int
    ahead: int
    budget: int
    shelves: int


class Search(Known):
    """Computes what can happen next to a pair, and judges it.

    `happening` is what was being looked at last: after a Violation, what led to it.
    """

    def __init__(self, budget: FaultBudget, watchers: tuple[Watcher, ...] = ()) -> None:
        super().__init__(budget.boots, watchers)
        self.budget = budget
        self.happening = ""
        self._purses = Numbers(budget)
        self._payments: dict[tuple[int, str], int] = {}

    def cold(self, *, reserved: bool = False, mirrored: bool = False) -> Pair:
        """Return the pair before it was switched on. With `reserved` its group has legs, halves of a mirror."""
        first, second = (self._gateway(Gateway(name, reserved, mirrored)) for name in NODES)
        return Pair(first, second, 0, 0, 0, 0, 0, 0)

    def running(self, *, reserved: bool = False, mirrored: bool = False) -> Pair:
        """Return the pair in its normal state, reached without a fault: the preferred node serves."""
        return self._until(self.cold(reserved=reserved, mirrored=mirrored), self._settled)

    def one_leg_out(self) -> Pair:
        """Return a pair that serves from its second leg alone, and both know it: the first one's shelf is silent."""
        pair = self.running(reserved=True, mirrored=True)
        _, shelves = next(self._shelves[pair.shelves].silences())
        return self._until(self._reshelved(pair, self._shelves.of(shelves), pair.budget), self._goes_without)

    def _until(self, pair: Pair, reached: Callable[[Pair], bool]) -> Pair:
        for _ in range(2_000):
            labelled = list(self.next(pair))
            quiet = [
                (label, after) for label, after in labelled if after.budget == pair.budget and "again" not in label
            ]
            calm = [one for one in quiet if "tick" not in one[0] and "overtaken" not in one[0]]
            # The clock that is behind goes first, and only when nothing else is left to do.
            ticks = sorted((one for one in quiet if "tick" in one[0]), key=lambda one: abs(one[1].ahead))
            pair = (calm or ticks)[0][1]
            if reached(pair):
                return pair
        raise Violation("without any fault the pair does not come to serve")

    def told(self, pair: Pair, story: tuple[str, ...]) -> Pair:
        """Return the pair after a story. Raises StopIteration where it cannot happen."""
        for label in story:
            pair = next(after for one, after in self.next(pair) if one == label)
        return pair

    def faults(self, pair: Pair) -> int:
        """Return how many faults happened on the way to a pair."""
        return self.budget.left - self._purses[pair.budget].left

    def gateway(self, pair: Pair, index: int) -> Gateway:
        """Return one gateway of a pair as a value."""
        return self._gateways[pair[index]]

    def next(self, pair: Pair) -> Iterator[tuple[str, Pair]]:
        """Yield everything that can happen next: what it is, and the pair afterwards. Raises Violation.

        A mere reading or stamp at the shelves is done at once, or, at the cost of the fault budget, at any later time.
        """
        for label, after in self._events(pair):
            if self._facts[after.first].looking or self._facts[after.second].looking:
                budget = self._pay(after.budget, "delays")
                if budget >= 0:
                    self.happening = f"{label}; the shelves take their time"
                    yield self.happening, self._looked(after._replace(budget=budget), SLOW)
                self.happening = label
                yield label, self._looked(after, DONE)
            else:
                yield label, after

    def _events(self, pair: Pair) -> Iterator[tuple[str, Pair]]:
        for index in (0, 1):
            other, room = self._facts[pair[1 - index]], self._room(pair, index)
            for move in self._moves(pair[index]):
                kind = move.what.kind
                if (move.needs_room and not room) or (kind == "tick" and not self._may_tick(pair, index)):
                    continue
                if kind == "confirm" and not other.gone:
                    continue
                cost, label = move.cost, move.what.label
                if kind == "tick" and self._facts[pair[index]].waiting:
                    cost, label = "delays", f"{label} before the shelves answer"
                budget = self._pay(pair[6], cost) if cost else pair[6]
                if budget < 0:
                    continue
                reads_off = move.what.plug is not None and self._gateways[pair[1 - index]].power is Power.OFF
                local = self._befallen(pair[index], move, reads_off=reads_off)
                self.happening = label
                yield label, self._after(pair, index, local, budget, 1 if kind == "tick" else 0)
            yield from self._deliveries(pair, index)
            yield from self._losses(pair, index)
            yield from self._answers(pair, index)
        if self._facts[pair.first].reserved:
            yield from self._shelf_faults(pair)

    # -- what is possible ------------------------------------------------------------------------------------------

    def _room(self, pair: Pair, index: int) -> bool:
        """Whether another beat may be sent before the peer has heard those under way."""
        return len(self._channels[pair[2 + index]]) < self.budget.under_way or not self._facts[pair[1 - index]].hears

    def _may_tick(self, pair: Pair, index: int) -> bool:
        """A beat takes less than a tick, and one clock is at most a tick ahead."""
        lead = pair.ahead if index == 0 else -pair.ahead
        return (lead < 1 and not pair[3 - index]) or not self._facts[pair[1 - index]].hears

    def _pay(self, budget: int, cost: str) -> int:
        """Return the number of what is left in the fault budget, below 0 if it does not suffice."""
        known = self._payments.get((budget, cost))
        if known is None:
            left = getattr(self._purses[budget], cost)
            known = -1
            if left:
                paid = self._purses[budget]._replace(**{cost: left - 1})
                known = self._purses.of(paid)
            self._payments[budget, cost] = known
        return known

    # -- what becomes of it ----------------------------------------------------------------------------------------

    def _after(self, pair: Pair, index: int, local: Local, budget: int, ticked: int) -> Pair:
        if local.violation:
            raise Violation(local.violation)
        values = list(pair)
        values[index], values[6] = local.gateway, budget
        values[5] += -ticked if index else ticked
        if local.aging != KEPT:
            self._age(values, index, local.aging)
        if local.plug:
            self._switch(values, 1 - index, local.plug)
        me, other = self._facts[values[index]], self._facts[values[1 - index]]
        if not (me.hears and other.hears):
            values[5] = 0
        if local.beats and not values[4] & (1 << index) and (other.hears or other.paused):
            under_way = (*self._channels[values[2 + index]], *(beat << 1 for beat in local.beats))
            values[2 + index] = self._channel(under_way[-self.budget.under_way :] if other.paused else under_way)
        if me.mirrored:
            values[7] = self._kernels_write(values)
        if me.storage or me.holding:
            self._judge(pair, values, index)
        if values[7] and not me.remembers_stamps:
            values[7] = self._shelves.of(self._shelves[values[7]].unread_by(index))
        return Pair(*values)

    def _looked(self, pair: Pair, kind: str) -> Pair:
        """Answer what is merely looked at, or put it off."""
        for index in (0, 1):
            while tasks := self._facts[pair[index]].looking:
                shelves, effect = self._effect(pair[7], index, tasks[0])
                local = self._answered(pair[index], tasks[0].id, effect.answer, kind)
                done = pair if kind == SLOW else self._with(pair, 7, shelves)
                pair = self._after(done, index, local, pair.budget, 0)
        return pair

    def _answers(self, pair: Pair, index: int) -> Iterator[tuple[str, Pair]]:
        """The shelves hear of a task, and the gateway of what they answered, now or later."""
        me = self._facts[pair[index]]
        for task in me.asking:
            label = f"{NODES[index]}: {task.kind.value.replace('_', ' ')}"
            self.happening = f"{label} is done"
            shelves, effect = self._effect(pair[7], index, task)
            self._judge_hold(pair, index, task, effect.forced)
            self._judge_legs(index, task, effect)
            answer, done = effect.answer, self._reshelved(pair, shelves, pair.budget)
            if me.hears and self._room(pair, index):
                local = self._answered(pair[index], task.id, answer, DONE)
                yield self.happening, self._after(done, index, local, pair.budget, 0)
            budget = self._pay(pair.budget, "delays")
            if budget >= 0:
                self.happening = f"{label} is done, which is not heard of yet"
                local = self._answered(pair[index], task.id, answer, LATE)
                yield self.happening, self._after(done, index, local, budget, 0)

    def _shelf_faults(self, pair: Pair) -> Iterator[tuple[str, Pair]]:
        shelves = self._shelves[pair.shelves]
        yield from self._costing(pair, self._pay_to_mend(pair), shelves.mended())
        yield from self._costing(pair, self._pay(pair.budget, "ways"), shelves.cuts())
        yield from self._costing(pair, self._pay(pair.budget, "restarts"), shelves.restarts())
        if self._facts[pair.first].mirrored:
            yield from self._costing(pair, self._pay(pair.budget, "silences"), shelves.silences())
            yield from self._copies(pair, shelves)

    def _costing(
        self, pair: Pair, budget: int, happenings: Iterator[tuple[str, Shelves]]
    ) -> Iterator[tuple[str, Pair]]:
        """The events of the shelves, if the fault budget allows them."""
        for label, after in happenings if budget >= 0 else ():
            self.happening = label
            yield label, self._reshelved(pair, self._shelves.of(after), budget)

    def _pay_to_mend(self, pair: Pair) -> int:
        return self._pay(pair.budget, "mends") if self._facts[pair.first].mirrored else pair.budget

    def _copies(self, pair: Pair, shelves: Shelves) -> Iterator[tuple[str, Pair]]:
        """A mirror that is whole again tells its daemon."""
        for index, name in enumerate(NODES):
            me = self._facts[pair[index]]
            after = shelves.copied(index) if self._runs(me) else None
            if after is None or (me.hears and not self._room(pair, index)):
                continue
            self.happening = f"{name} has copied its leg"
            done = self._reshelved(pair, self._shelves.of(after), pair.budget)
            if me.hears:
                done = self._after(done, index, self._switched(done[index], "mirror"), done.budget, 0)
            yield self.happening, done

    def _reshelved(self, pair: Pair, shelves: int, budget: int) -> Pair:
        after = pair._replace(shelves=shelves, budget=budget)
        if self._facts[pair.first].mirrored:
            after = after._replace(shelves=self._kernels_write(after))
        self._judge_writes(after)
        return after

    def _kernels_write(self, values: Sequence[int]) -> int:
        """The shelves after all that both kernels write at once."""
        both = self._facts[values[0]], self._facts[values[1]]
        writes, present = tuple(self._runs(me) for me in both), tuple(me.storage for me in both)
        return self._written(values[7], writes, present)

    @staticmethod
    def _runs(me: Facts) -> bool:
        return me.storage and not me.paused

    def _deliveries(self, pair: Pair, index: int) -> Iterator[tuple[str, Pair]]:
        incoming = self._channels[pair[3 - index]]
        if not incoming:
            return
        me = self._facts[pair[index]]
        if not me.hears:
            if not me.paused:
                yield f"a beat finds nobody on {NODES[index]}", self._with(pair, 3 - index, 0)
            return
        for place, entry in enumerate(incoming):
            budget = self._pay(pair[6], "losses") if place else pair[6]
            if budget < 0:
                continue
            label = f"{NODES[index]} hears {'an overtaken beat' if entry & 1 else 'a beat'}"
            rest = incoming[:place] + incoming[place + 1 :]
            if place:
                rest = tuple(one | 1 for one in rest[:place]) + rest[place:]
                label += ", which overtook another"
            self.happening = label
            local = self._heard(pair[index], entry)
            yield label, self._after(self._with(pair, 3 - index, self._channel(rest)), index, local, budget, 0)

    def _losses(self, pair: Pair, index: int) -> Iterator[tuple[str, Pair]]:
        name, bit = NODES[index], 1 << index
        if pair.cut & bit:
            budget = self._pay_to_mend(pair)
            if budget >= 0:
                yield f"the cut from {name} is mended", pair._replace(cut=pair.cut & ~bit, budget=budget)
            return
        budget = self._pay(pair.budget, "losses")
        if budget < 0:
            return
        yield f"all from {name} is cut", self._with(pair._replace(cut=pair.cut | bit, budget=budget), 2 + index, 0)
        out = self._channels[pair[2 + index]]
        for place in range(len(out)):
            rest = self._channel(out[:place] + out[place + 1 :])
            yield f"a beat of {name} is lost", self._with(pair._replace(budget=budget), 2 + index, rest)

    def _age(self, values: list[int], index: int, aging: Aging) -> None:
        """What a gateway gave out before is read in another way: under way, and in the peer's memory."""
        values[2 + index] = self._aged(values[2 + index], aging, own=True)
        values[3 - index] = self._aged(values[3 - index], aging, own=False)
        if self._gateways[values[1 - index]].state is not None:
            values[1 - index] = self._switched(values[1 - index], "peer ages", aging).gateway

    def _switch(self, values: list[int], index: int, plug: str) -> None:
        """The peer's power task had its effect on this gateway's plug."""
        power = self._gateways[values[index]].power
        if (plug == "off" and power is not Power.OFF) or (plug == "on" and power is Power.OFF):
            values[index] = self._switched(values[index], plug).gateway
            # It has been silent for a deadtime, or read its own end: no beat of it is still on its way.
            values[2] = values[3] = 0

    def _judge(self, before: Pair, values: list[int], index: int) -> None:
        """The oracle: I1 by the truth about storage, ownership by what the daemons believe, epochs by history."""
        me, other = self._facts[values[index]], self._facts[values[1 - index]]
        self._judge_writes(values)
        if me.holding and other.holding and not me.reserved:
            raise Violation("I1: both nodes own the group")
        if me.last_epoch in (0, self._facts[before[index]].last_epoch):
            return
        if self._may_write(values, 1 - index):
            raise Violation(f"I1: {NODES[index]} owns the group while {NODES[1 - index]} may still write")
        # Not below it either, one would wish; but two nodes that never heard each other jump blindly (H23).
        if me.last_epoch == other.last_epoch:
            raise Violation(f"epoch {me.last_epoch} is owned by {NODES[index]} and was owned by {NODES[1 - index]}")

    def _judge_writes(self, values: Sequence[int]) -> None:
        """I1 and I2 by the truth, where anything may be written.

        Some leg holds every acknowledged write, and who writes believes no leg that does not (I2). Two may not have
        storage started, or, where the shelves keep nodes out, writes of two may not land (I1).
        A leg whose target lost its reservation, and that no node has reserved since, keeps no node out (M1).
        """
        if self._facts[values[0]].storage and self._facts[values[1]].storage:
            if not self._facts[values[0]].reserved:
                raise Violation("I1: storage is started on both nodes")
            if self._may_write(values, 0) and self._may_write(values, 1):
                raise Violation("I1: writes of both nodes land")
        disks = self._shelves[values[7]].disks
        for index, name in enumerate(NODES):
            stale = disks.stale(self._facts[values[index]].believed)
            if stale and self._may_write(values, index):
                raise Violation(f"I2: {name} tells that {LEGS[stale[0]].name} holds every acknowledged write")
        if all(half.stale for half in disks.halves):
            raise Violation("I2: no leg is left that holds every acknowledged write")

    def _may_write(self, values: Sequence[int], index: int) -> bool:
        me = self._facts[values[index]]
        if not me.storage or not me.reserved:
            return me.storage
        shelves = self._shelves[values[7]]
        return shelves.lands_in_mirror(index) if me.mirrored else shelves.lands(index)

    def _judge_hold(self, pair: Pair, index: int, task: Task, forced: tuple[int, ...]) -> None:
        """R3: what was held in this ownership and shows the peer is lost; no leg is left to a peer while one writes."""
        for place in forced:
            if self._facts[pair[index]].had[place]:
                raise Violation(f"R3: {NODES[index]} forces {LEGS[place].name} back, which it held in this ownership")
        if task.kind is not TaskKind.TRANSFER:
            return
        for one, invariant in ((index, "I4"), (1 - index, "I1")):
            if self._facts[pair[one]].storage:
                sentence = f"{NODES[index]} leaves {task.subject} to its peer while storage is started on {NODES[one]}"
                raise Violation(f"{invariant}: {sentence}")

    @staticmethod
    def _judge_legs(index: int, task: Task, effect: Effect) -> None:
        """I2: no node starts from a leg that lacks an acknowledged write."""
        for place in effect.stale:
            leg, what = LEGS[place].name, task.kind.value.replace("_", " ")
            raise Violation(f"I2: {NODES[index]} serves from {leg}, which lacks acknowledged writes, after its {what}")

    def _settled(self, pair: Pair) -> bool:
        first, second = self._gateways[pair.first], self._gateways[pair.second]
        served = first.state is not None and first.storage and not first.state.tasks
        both = second.state is not None and second.state.may_be_judged and not second.state.tasks
        return bool(served and both and not pair.from_first and not pair.from_second) and self._know(pair, (0, 1))

    def _goes_without(self, pair: Pair) -> bool:
        return not pair.from_first and not pair.from_second and self._know(pair, (1,))

    def _know(self, pair: Pair, legs: tuple[int, ...]) -> bool:
        """Whether the first node serves from these legs, and both know it; true where there is no ledger."""
        first, second = self._gateways[pair.first].state, self._gateways[pair.second].state
        if not self._facts[pair.first].mirrored or first is None or second is None:
            return not self._facts[pair.first].mirrored
        told, heard = first.groups[0].ledger, second.groups[0].heard_ledger
        beat = first.peer.beat
        return (
            told is not None
            and heard is not None
            and beat is not None
            and told.fence == told.start == heard.ledger.start == legs
            and all(one.now_ms - one.started_ms >= one.config.initdead_ms for one in (first, second))
            and beat.groups[0].acknowledged == told.version
        )

    @staticmethod
    def _with(pair: Pair, place: int, number: int) -> Pair:
        return Pair(*(*pair[:place], number, *pair[place + 1 :]))
