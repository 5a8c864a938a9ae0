"""What was ever seen of gateways, beats and shelves, under numbers, and what an event made of one of them.

An event's effect on one gateway is computed by the core once and remembered. Nothing here knows what is possible: that
is the pair's matter.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from aoeha.core.model.beat import Beat
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import PlugState, Task, TaskKind
from aoeha.sim.exhaust.canonical_ledger import KEPT, Aging
from aoeha.sim.exhaust.gateway import Gateway, Happening, Outcome, Power, happen
from aoeha.sim.exhaust.menu import ROOMLESS, menu
from aoeha.sim.exhaust.numbers import Numbers
from aoeha.sim.exhaust.shelves import LOOKS, MIRROR_KINDS, SHELF_KINDS, Answer, Effect, Shelves

__all__ = ["DONE", "LATE", "SLOW", "Facts", "Known", "Local", "Move", "Watcher"]

Watcher = Callable[[NodeState | None, NodeState], None]

DONE, LATE, SLOW = "task", "late", "slow"
"""A shelf task is done and heard of, done and not heard of yet, or not done yet."""
PATIENT = (TaskKind.PROBE, TaskKind.MONITOR)


class Local(NamedTuple):
    """One transition of one gateway, with numbers in place of values."""

    gateway: int
    beats: tuple[int, ...]
    plug: str
    aging: Aging
    violation: str


class Move(NamedTuple):
    """An event that can happen to a gateway by itself. `needs_room`: it may send a beat. `place`: on the menu."""

    what: Happening
    cost: str
    needs_room: bool
    place: int


class Facts(NamedTuple):
    """What the oracle, the network and the shelves ask of a gateway.

    `asking`: shelf tasks that the shelves have not heard of, `looking` those of them that are done at once; `waiting`:
    it has not heard of all its shelf tasks, looks at its mirror aside, which may take as long as they like. `believed`:
    the legs of its start set.
    """

    hears: bool
    paused: bool
    gone: bool
    storage: bool
    holding: bool
    last_epoch: int
    reserved: bool
    mirrored: bool
    asking: tuple[Task, ...]
    looking: tuple[Task, ...]
    waiting: bool
    had: tuple[int, ...]
    believed: tuple[int, ...]
    remembers_stamps: bool


class Known:
    """Everything that was seen, and the transitions of single gateways."""

    def __init__(self, boots_max: int, watchers: tuple[Watcher, ...]) -> None:
        self.core_steps = 0
        self._boots_max = boots_max
        self._watchers = watchers
        self._gateways = Numbers[Gateway]()
        self._beats = Numbers[Beat]()
        self._channels = Numbers[tuple[int, ...]](())
        self._shelves = Numbers(Shelves())
        self._facts: list[Facts] = []
        self._known_moves: dict[int, tuple[Move, ...]] = {}
        self._known_befallen: dict[tuple[int, int], Local] = {}
        self._known_off: dict[tuple[int, int], Local] = {}
        self._known_heard: dict[tuple[int, int], Local] = {}
        self._known_switched: dict[tuple[int, str, Aging], Local] = {}
        self._known_aged_beats: dict[tuple[int, Aging, bool], int] = {}
        self._known_written: dict[tuple[int, tuple[bool, ...], tuple[bool, ...]], int] = {}
        self._known_answered: dict[tuple[int, int, Answer, str], Local] = {}
        self._known_effects: dict[tuple[int, int, Task], tuple[int, Effect]] = {}

    @property
    def gateways(self) -> int:
        """How many different gateways were seen."""
        return len(self._gateways)

    def _moves(self, number: int) -> tuple[Move, ...]:
        moves = self._known_moves.get(number)
        if moves is None:
            moves = tuple(
                _move(place, what, cost)
                for place, (what, cost) in enumerate(menu(self._gateways[number], self._boots_max))
            )
            self._known_moves[number] = moves
        return moves

    def _befallen(self, number: int, move: Move, *, reads_off: bool) -> Local:
        known = self._known_off if reads_off else self._known_befallen
        local = known.get((number, move.place))
        if local is None:
            what = replace(move.what, plug=PlugState.OFF) if reads_off else move.what
            local = known[number, move.place] = self._local(number, what)
        return local

    def _effect(self, number: int, index: int, task: Task) -> tuple[int, Effect]:
        known = self._known_effects.get((number, index, task))
        if known is None:
            effect = self._shelves[number].perform(index, task)
            known = self._known_effects[number, index, task] = self._shelves.of(effect.shelves), effect
        return known

    def _written(self, number: int, writers: tuple[bool, ...], present: tuple[bool, ...]) -> int:
        """The shelves after all that these kernels write at once."""
        known = self._known_written.get((number, writers, present))
        if known is None:
            known = self._shelves.of(self._shelves[number].written(writers, present))
            self._known_written[number, writers, present] = known
        return known

    def _answered(self, number: int, task_id: int, answer: Answer, kind: str) -> Local:
        local = self._known_answered.get((number, task_id, answer, kind))
        if local is None:
            local = self._local(number, Happening(kind, "", task_id, answer=answer))
            self._known_answered[number, task_id, answer, kind] = local
        return local

    def _switched(self, number: int, kind: str, aging: Aging = KEPT) -> Local:
        """What another gateway does to this one."""
        local = self._known_switched.get((number, kind, aging))
        if local is None:
            local = self._known_switched[number, kind, aging] = self._local(number, Happening(kind, "", aging=aging))
        return local

    def _aged(self, channel: int, aging: Aging, *, own: bool) -> int:
        """The beats in flight from (`own`) or to a node whose numbers are read in another way from now on."""
        return self._channel(
            tuple(self._aged_beat(one >> 1, aging, own=own) << 1 | one & 1 for one in self._channels[channel])
        )

    def _aged_beat(self, number: int, aging: Aging, *, own: bool) -> int:
        known = self._known_aged_beats.get((number, aging, own))
        if known is None:
            beat = self._beats[number]
            known = self._beat(aging.of_own(beat) if own else aging.of_peers(beat))
            self._known_aged_beats[number, aging, own] = known
        return known

    def _heard(self, number: int, entry: int) -> Local:
        local = self._known_heard.get((number, entry))
        if local is None:
            what = Happening("beat", "", beat=self._beats[entry >> 1], overtaken=bool(entry & 1))
            local = self._known_heard[number, entry] = self._local(number, what)
        return local

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
            outcome.aging,
            outcome.violation,
        )

    def _gateway(self, gateway: Gateway) -> int:
        number = self._gateways.of(gateway)
        if number == len(self._facts):
            self._facts.append(_facts(gateway))
        return number

    def _beat(self, beat: Beat) -> int:
        return self._beats.of(beat)

    def _channel(self, under_way: tuple[int, ...]) -> int:
        return self._channels.of(under_way)


def _move(place: int, what: Happening, cost: str) -> Move:
    return Move(what, cost, what.kind not in ROOMLESS, place)


def _facts(gateway: Gateway) -> Facts:
    state = gateway.state
    tasks = state.tasks if state is not None else ()
    kinds = (*SHELF_KINDS, *MIRROR_KINDS) if gateway.mirrored else SHELF_KINDS
    asked = tuple(task for task in tasks if task.kind in kinds and task.id not in gateway.cancelled)
    late = {task_id for task_id, _ in gateway.late}
    ledger = state.groups[0].ledger if state is not None else None
    return Facts(
        hears=gateway.hears,
        paused=gateway.power is Power.PAUSED,
        gone=gateway.power in (Power.DOWN, Power.OFF),
        storage=gateway.storage,
        holding=gateway.holding,
        last_epoch=gateway.last_epoch,
        reserved=gateway.reserved,
        mirrored=gateway.mirrored,
        asking=tuple(task for task in asked if task.id not in late),
        looking=tuple(
            task for task in asked if task.kind in LOOKS and task.id not in late and task.id not in gateway.slow
        ),
        waiting=any(task.kind not in PATIENT for task in asked),
        had=gateway.had,
        believed=ledger.start if ledger is not None else (),
        remembers_stamps=state is not None and bool(state.groups[0].shelf_link.seen),
    )
