"""All that can happen next to a pair of gateways, and what must never be true of it.

A state of the pair is seven small numbers: both gateways, the beats under way in each direction, which directions are
cut, how many ticks one clock is ahead, and what is left in the purse of faults. Gateways and beats are values that were
seen before under that number; what an event does to one gateway is computed once by the core and remembered, so that a
transition of the pair costs microseconds. The oracle here shares nothing with the core's own assertions.

Time: the two clocks go in ticks, one at most a tick ahead while both daemons live. A beat takes less than a tick, or is
lost at the cost of the purse; at the same cost one overtakes another. A cut swallows a direction until it is mended. A
gateway that is down, off or paused does not hold up the other's clock.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import NamedTuple, TypeVar

from aoeha.core.state import NodeState
from aoeha.core.types import Beat, PlugState, TaskKind, TaskResult
from aoeha.sim.exhaust_gateway import NODES, Gateway, Happening, Outcome, Power, happen

__all__ = ["Pair", "Purse", "Search", "Violation"]

VERBS = ("switchover", "standby", "unstandby", "leave", "confirm", "pause")

T = TypeVar("T", bound=Hashable)

Watcher = Callable[[NodeState | None, NodeState], None]


class Violation(Exception):  # noqa: N818  the search is for this
    """Something that must never be true is true. The message names the invariant."""


class Purse(NamedTuple):
    """What misfortune may still happen. A crash is a kernel's or a daemon's; a loss is a beat or a cut direction.

    `boots` bounds the boots of each node, `under_way` the beats in each direction that were sent and not yet heard.
    """

    crashes: int = 2
    losses: int = 2
    commands: int = 1
    failures: int = 1
    pauses: int = 1
    boots: int = 4
    under_way: int = 1

    @property
    def left(self) -> int:
        """How many faults may still happen."""
        return self.crashes + self.losses + self.commands + self.failures + self.pauses


class Pair(NamedTuple):
    """One state of the pair, by numbers. `cut` has a bit for each direction, `ahead` is the first clock's lead."""

    first: int
    second: int
    from_first: int
    from_second: int
    cut: int
    ahead: int
    purse: int


class Local(NamedTuple):
    """One transition of one gateway, with numbers in place of values."""

    gateway: int
    beats: tuple[int, ...]
    plug: str
    swore: bool
    violation: str


class Move(NamedTuple):
    """Something that can befall a gateway by itself. `needs_room`: it may send a beat. `off`: if the peer reads off."""

    what: Happening
    cost: str
    needs_room: bool
    local: Local
    off: Local


class Facts(NamedTuple):
    """What the oracle and the network ask of a gateway."""

    hears: bool
    paused: bool
    gone: bool
    storage: bool
    holding: bool
    last_epoch: int


class Search:
    """Knows all gateways, beats and channels that were ever seen, and computes what can happen next.

    `happening` is what was being looked at last: after a Violation, what led to it.
    """

    def __init__(self, purse: Purse, watchers: tuple[Watcher, ...] = ()) -> None:
        self.purse = purse
        self.core_steps = 0
        self.happening = ""
        self._watchers = watchers
        self._gateways: list[Gateway] = []
        self._gateway_numbers: dict[Gateway, int] = {}
        self._beats: list[Beat] = []
        self._beat_numbers: dict[Beat, int] = {}
        self._channels: list[tuple[int, ...]] = [()]
        self._channel_numbers: dict[tuple[int, ...], int] = {(): 0}
        self._purses: list[Purse] = [purse]
        self._purse_numbers: dict[Purse, int] = {purse: 0}
        self._facts: list[Facts] = []
        self._payments: dict[tuple[int, str], int] = {}
        self._known_moves: dict[int, tuple[Move, ...]] = {}
        self._known_heard: dict[tuple[int, int], Local] = {}
        self._known_switched: dict[tuple[int, str], Local] = {}

    @property
    def gateways(self) -> int:
        """How many different gateways were seen."""
        return len(self._gateways)

    def cold(self) -> Pair:
        """Return the pair before anybody switched it on."""
        first, second = (self._gateway(Gateway(name)) for name in NODES)
        return Pair(first, second, 0, 0, 0, 0, 0)

    def running(self) -> Pair:
        """Return the pair in its normal state, reached without a fault: the preferred node serves."""
        pair = self.cold()
        for _ in range(2_000):
            labelled = list(self.next(pair))
            quiet = [(label, after) for label, after in labelled if after.purse == pair.purse]
            calm = [one for one in quiet if "tick" not in one[0] and "overtaken" not in one[0]]
            # The clock that is behind goes first, and only when nothing else is left to do.
            ticks = sorted((one for one in quiet if "tick" in one[0]), key=lambda one: abs(one[1].ahead))
            pair = (calm or ticks)[0][1]
            if self._settled(pair):
                return pair
        raise Violation("without any fault the pair does not come to serve")

    def faults(self, pair: Pair) -> int:
        """Return how many faults happened on the way to a pair."""
        return self.purse.left - self._purses[pair.purse].left

    def gateway(self, pair: Pair, index: int) -> Gateway:
        """Return one gateway of a pair as a value."""
        return self._gateways[pair[index]]

    def next(self, pair: Pair) -> Iterator[tuple[str, Pair]]:
        """Yield everything that can happen next: what it is, and the pair afterwards. Raises Violation."""
        for index in (0, 1):
            other, room = self._facts[pair[1 - index]], self._room(pair, index)
            may_tick = room and self._may_tick(pair, index)
            for move in self._moves(pair[index]):
                kind = move.what.kind
                if move.needs_room and not (may_tick if kind == "tick" else room):
                    continue
                if kind == "confirm" and not other.gone:
                    continue
                purse = self._pay(pair[6], move.cost) if move.cost else pair[6]
                if purse < 0:
                    continue
                local = move.local
                if move.off is not local and self._gateways[pair[1 - index]].power is Power.OFF:
                    local = move.off
                self.happening = move.what.label
                yield move.what.label, self._after(pair, index, local, purse, 1 if kind == "tick" else 0)
            yield from self._deliveries(pair, index)
            yield from self._losses(pair, index)

    # -- what is possible ------------------------------------------------------------------------------------------

    def _moves(self, number: int) -> tuple[Move, ...]:
        moves = self._known_moves.get(number)
        if moves is None:
            moves = tuple(self._move(number, what, cost) for what, cost in menu(self._gateways[number], self.purse))
            self._known_moves[number] = moves
        return moves

    def _move(self, number: int, what: Happening, cost: str) -> Move:
        local = off = self._local(number, what)
        if what.plug is not None:
            off = self._local(number, replace(what, plug=PlugState.OFF))
        return Move(what, cost, what.kind not in ROOMLESS, local, off)

    def _room(self, pair: Pair, index: int) -> bool:
        """Whether another beat may be sent before the peer has heard those under way."""
        return len(self._channels[pair[2 + index]]) < self.purse.under_way or not self._facts[pair[1 - index]].hears

    def _may_tick(self, pair: Pair, index: int) -> bool:
        """A beat takes less than a tick, and one clock is at most a tick ahead."""
        lead = pair.ahead if index == 0 else -pair.ahead
        return (lead < 1 and not pair[3 - index]) or not self._facts[pair[1 - index]].hears

    def _pay(self, purse: int, cost: str) -> int:
        """Return the number of what is left in the purse, below 0 if it does not suffice."""
        known = self._payments.get((purse, cost))
        if known is None:
            left = getattr(self._purses[purse], cost)
            known = -1
            if left:
                paid = self._purses[purse]._replace(**{cost: left - 1})
                known = self._number(paid, self._purses, self._purse_numbers)
            self._payments[purse, cost] = known
        return known

    # -- what becomes of it ----------------------------------------------------------------------------------------

    def _after(self, pair: Pair, index: int, local: Local, purse: int, ticked: int) -> Pair:
        if local.violation:
            raise Violation(local.violation)
        values = list(pair)
        values[index], values[6] = local.gateway, purse
        values[5] += -ticked if index else ticked
        if local.swore:
            self._forget(values, index)
        if local.plug:
            self._switch(values, 1 - index, local.plug)
        me, other = self._facts[values[index]], self._facts[values[1 - index]]
        if not (me.hears and other.hears):
            values[5] = 0
        if local.beats and not values[4] & (1 << index) and (other.hears or other.paused):
            under_way = (*self._channels[values[2 + index]], *(beat << 1 for beat in local.beats))
            values[2 + index] = self._channel(under_way[-self.purse.under_way :] if other.paused else under_way)
        if me.storage or me.holding:
            self._judge(pair, values, index)
        return Pair(*values)

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
            purse = self._pay(pair[6], "losses") if place else pair[6]
            if purse < 0:
                continue
            label = f"{NODES[index]} hears {'an overtaken beat' if entry & 1 else 'a beat'}"
            rest = incoming[:place] + incoming[place + 1 :]
            if place:
                rest = tuple(one | 1 for one in rest[:place]) + rest[place:]
                label += ", which overtook another"
            self.happening = label
            local = self._heard(pair[index], entry)
            yield label, self._after(self._with(pair, 3 - index, self._channel(rest)), index, local, purse, 0)

    def _switched(self, number: int, kind: str) -> Local:
        """What another gateway does to this one."""
        local = self._known_switched.get((number, kind))
        if local is None:
            local = self._known_switched[number, kind] = self._local(number, Happening(kind, ""))
        return local

    def _heard(self, number: int, entry: int) -> Local:
        local = self._known_heard.get((number, entry))
        if local is None:
            what = Happening("beat", "", beat=self._beats[entry >> 1], overtaken=bool(entry & 1))
            local = self._known_heard[number, entry] = self._local(number, what)
        return local

    def _losses(self, pair: Pair, index: int) -> Iterator[tuple[str, Pair]]:
        name, bit = NODES[index], 1 << index
        if pair.cut & bit:
            yield f"the cut from {name} is mended", pair._replace(cut=pair.cut & ~bit)
            return
        purse = self._pay(pair.purse, "losses")
        if purse < 0:
            return
        yield f"all from {name} is cut", self._with(pair._replace(cut=pair.cut | bit, purse=purse), 2 + index, 0)
        out = self._channels[pair[2 + index]]
        for place in range(len(out)):
            rest = self._channel(out[:place] + out[place + 1 :])
            yield f"a beat of {name} is lost", self._with(pair._replace(purse=purse), 2 + index, rest)

    def _forget(self, values: list[int], index: int) -> None:
        """The gateway swore an oath: whatever was sent or heard before is from before it, also in the peer's eyes."""
        values[2 + index] = self._channel(
            tuple(self._beat(replace(self._beats[one >> 1], sequence=0)) << 1 | one & 1
                  for one in self._channels[values[2 + index]])
        )  # fmt: skip
        values[3 - index] = self._channel(
            tuple(self._beat(replace(self._beats[one >> 1], echo_sequence=0)) << 1 | one & 1
                  for one in self._channels[values[3 - index]])
        )  # fmt: skip
        if self._gateways[values[1 - index]].state is not None:
            values[1 - index] = self._switched(values[1 - index], "forget echo").gateway

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
        if me.storage and other.storage:
            raise Violation("I1: storage is started on both nodes")
        if me.holding and other.holding:
            raise Violation("I1: both nodes own the group")
        if me.last_epoch == self._facts[before[index]].last_epoch:
            return
        if other.storage:
            raise Violation(f"I1: {NODES[index]} owns the group while {NODES[1 - index]} may still write")
        # Not below it either, one would wish; but two nodes that never heard each other jump blindly (H23).
        if me.last_epoch == other.last_epoch:
            raise Violation(f"epoch {me.last_epoch} is owned by {NODES[index]} and was owned by {NODES[1 - index]}")

    def _settled(self, pair: Pair) -> bool:
        first, second = self._gateways[pair.first], self._gateways[pair.second]
        served = first.state is not None and first.storage and not first.state.tasks
        both = second.state is not None and second.state.may_be_judged and not second.state.tasks
        return bool(served and both and not pair.from_first and not pair.from_second)

    # -- numbers for values ----------------------------------------------------------------------------------------

    def _local(self, number: int, what: Happening) -> Local:
        return self._numbered(happen(self._gateways[number], what))

    def _numbered(self, outcome: Outcome) -> Local:
        for before, after in outcome.steps:
            self.core_steps += 1
            for watch in self._watchers:
                watch(before, after)
        return Local(
            self._gateway(outcome.gateway),
            tuple(self._beat(beat) for beat in outcome.beats),
            outcome.plug,
            outcome.swore,
            outcome.violation,
        )

    def _gateway(self, gateway: Gateway) -> int:
        number = self._number(gateway, self._gateways, self._gateway_numbers)
        if number == len(self._facts):
            gone = gateway.power in (Power.DOWN, Power.OFF)
            paused = gateway.power is Power.PAUSED
            self._facts.append(Facts(gateway.hears, paused, gone, gateway.storage, gateway.holding, gateway.last_epoch))
        return number

    def _beat(self, beat: Beat) -> int:
        return self._number(beat, self._beats, self._beat_numbers)

    def _channel(self, under_way: tuple[int, ...]) -> int:
        return self._number(under_way, self._channels, self._channel_numbers)

    @staticmethod
    def _with(pair: Pair, place: int, number: int) -> Pair:
        return Pair(*(*pair[:place], number, *pair[place + 1 :]))

    @staticmethod
    def _number(value: T, values: list[T], numbers: dict[T, int]) -> int:
        number = numbers.get(value)
        if number is None:
            number = numbers[value] = len(values)
            values.append(value)
        return number


ROOMLESS = ("crash", "kill", "pause", "boot", "on", "start")


def menu(gateway: Gateway, purse: Purse) -> Iterator[tuple[Happening, str]]:
    """Yield all that can befall one gateway by itself, each with what it costs."""
    name, state = gateway.name, gateway.state
    if gateway.power is Power.DOWN and gateway.boot < purse.boots:
        yield Happening("boot", f"{name} boots"), ""
    if gateway.power is Power.OFF and gateway.boot < purse.boots:
        yield Happening("on", f"somebody switches {name} on"), "commands"
    if gateway.power is Power.PAUSED:
        yield Happening("wake", f"{name} wakes and notices"), ""
        yield Happening("thaw", f"{name} wakes with a clock that stood still"), ""
        yield Happening("crash", f"{name} crashes asleep"), "crashes"
    if gateway.power is not Power.ON:
        return
    yield Happening("crash", f"{name} crashes"), "crashes"
    if state is None:
        yield Happening("start", f"the daemon on {name} starts"), ""
        return
    for storage in _storage_after_kill(gateway, state):
        word = "" if storage == gateway.storage else ", its task having ended just before"
        yield Happening("kill", f"the daemon on {name} dies{word}", storage=storage), "crashes"
    yield Happening("tick", f"{name} ticks"), ""
    yield Happening("pause", f"{name} falls asleep"), "pauses"
    for verb in VERBS:
        yield Happening(verb, f"on {name}: {verb}"), "commands"
    yield from _task_ends(gateway, state)


def _storage_after_kill(gateway: Gateway, state: NodeState) -> set[bool]:
    """A task that dies with its daemon may have ended just before."""
    changing = {task.kind for task in state.tasks} & {TaskKind.START, TaskKind.STOP}
    return {gateway.storage, False} if changing and gateway.storage else {gateway.storage}


def _task_ends(gateway: Gateway, state: NodeState) -> Iterator[tuple[Happening, str]]:
    for task in state.tasks:
        label = f"{gateway.name}: {task.kind.value.replace('_', ' ')}"
        if task.id in gateway.cancelled:
            yield Happening("task", f"{label} is cancelled", task.id, TaskResult.CANCELLED), ""
            if task.kind is TaskKind.POWER_OFF:
                yield (
                    Happening("task", f"{label} is cancelled too late", task.id, TaskResult.CANCELLED, storage=True),
                    "",
                )
            continue
        plug = PlugState.ON if task.kind is TaskKind.POWER_STATUS else None
        yield Happening("task", f"{label} ends", task.id, plug=plug), ""
        if task.kind in FALLIBLE:
            yield Happening("task", f"{label} fails", task.id, TaskResult.TIMED_OUT), "failures"
        if task.kind is TaskKind.POWER_OFF:
            late = Happening("task", f"{label} works and times out", task.id, TaskResult.TIMED_OUT, storage=True)
            yield late, "failures"


FALLIBLE = (TaskKind.START, TaskKind.STOP, TaskKind.POWER_OFF, TaskKind.POWER_STATUS)
