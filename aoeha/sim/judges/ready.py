"""Whether what status promises comes true: the owner loses its power, and the survivor serves in time, or not.

A story is played to a moment and every node is asked. Where a node says that the survivor is ready, the survivor must
serve every group of the owner within twice the predicted time. Where it says that the survivor is not ready, the
survivor must not serve: a pair that would have been well is called broken. An owner that no whole link joins to the
survivor can only know that it is not heard. That is cautious, and is kept whatever happens. The owner is killed in the
world that was asked; the next promise needs a fresh replay.

Some faults show only when somebody tries: a start that is going to fail, a fence device that reads well and does not
obey, a plug that feeds another machine. No status can know of them. A survivor that is called ready beside one may
fail; one that is called not ready may not serve all the same. Where so many frames between the survivor and a leg get
lost that a shelf answers only by chance, nobody foresees anything; where fewer do, a takeover may last longer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from aoeha.core.model.task import TaskKind
from aoeha.core.status import Status
from aoeha.core.verdict import Verdict
from aoeha.sim.judges.visibility import whole_link_ms
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["LOSSY_MS", "Outcome", "Promise", "outcomes", "promise_of", "promises"]

TAKEOVER_MS = 90_000
"""How long after deadtime a survivor that is called not ready may take over for the verdict to count as wrong."""
LOOK_EVERY_MS = 100
CHANCE_PERCENT = 50
"""Fewer questions than that may be answered, and what comes of a promise proves nothing."""
LOSSY_MS = 120_000
"""So much longer may a takeover last while some frames get lost."""
UNTRUE = ("refuses", "lies", "hasty", "late")
"""The modes in which a fence device that is read does not show what it would do."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What nodes say would happen if `victim` lost its power now. `reason` is empty where the survivor is ready.

    `predicted_ms` is how long the takeover is said to take, 0 where the survivor is not ready; `within_ms` is how long
    it is waited for. `unheard`: no whole link joins the two. `hidden`: a fault that shows only when it is tried.
    `answered_percent`: how many questions the worst leg answers the survivor; below 100, frames get lost by chance.
    `again_ms`: the survivor itself says that it forgives its own failures then; what comes later is no surprise.
    """

    victim: str
    survivor: str
    reason: str
    predicted_ms: int
    within_ms: int
    unheard: bool = False
    hidden: bool = False
    answered_percent: int = 100
    again_ms: int = 0
    by: tuple[str, ...] = ()

    @property
    def proves_nothing(self) -> bool:
        """Whether nobody could foresee what comes of it."""
        return self.answered_percent < CHANCE_PERCENT or (self.hidden and not self.reason)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a promise. `came_ms`: how long until the survivor served; None for never.

    `broken` is the invariant that did not hold once the owner was dead, empty for none.
    """

    promise: Promise
    came_ms: int | None
    why: str
    broken: str = ""

    @property
    def kept(self) -> bool:
        """Whether it came as it was said."""
        promise = self.promise
        served = self.came_ms is not None and self.came_ms <= promise.within_ms
        unheard = promise.unheard and promise.survivor not in promise.by
        cautious = bool(promise.reason) and (unheard or promise.answered_percent < 100)
        forgiven = bool(promise.again_ms) and (self.came_ms or 0) >= promise.again_ms
        foreseen = served != bool(promise.reason)
        return not self.broken and (promise.proves_nothing or cautious or forgiven or foreseen)

    def __str__(self) -> str:
        """Tell it in one line."""
        promise = self.promise
        said = f"not ready ({promise.reason})" if promise.reason else "ready"
        came = "never served" if self.came_ms is None else f"served after {self.came_ms / 1_000:g} s"
        return f"{' and '.join(promise.by)}: {promise.survivor} is {said}; {promise.victim} died, {came}: {self.why}"


def promises(world: World) -> list[Promise]:
    """What the nodes say now about a victim that serves something, the same words of two nodes once."""
    found: dict[Promise, list[str]] = {}
    told = {machine.name: status for machine, status in world.told()}
    for name in told:
        for promise in _promises(world, name, told):
            if any(world.machines[promise.victim].serves(group) for group in world.resources):
                found.setdefault(promise, []).append(name)
    return [replace(known, by=tuple(by)) for known, by in found.items()]


def outcomes(replay: Callable[[], World]) -> list[Outcome]:
    """Play a story, ask, and see what becomes of each promise. `replay` gives the world as it is at that moment."""
    world: World | None = replay()
    told, found = promises(world) if world is not None else [], []
    for names in dict.fromkeys((promise.victim, promise.survivor) for promise in told):
        same = [promise for promise in told if (promise.victim, promise.survivor) == names]
        came_ms, why, broken = _killed(world or replay(), *names, max(promise.within_ms for promise in same))
        found += [Outcome(promise, came_ms, why, broken) for promise in same]
        world = None
    return found


def _promises(world: World, name: str, told: Mapping[str, Status]) -> Iterator[Promise]:
    for said in told[name].forecasts:
        if said.ready is not None:
            own = told[said.survivor].forecasts if said.survivor in told else ()
            yield promise_of(world, said, max((each.again_ms for each in own), default=0))


def promise_of(world: World, said: Verdict, again_ms: int = 0) -> Promise:
    """Return what a verdict promises, and for how long it is waited for."""
    owner, survivor = world.machines[said.victim], world.machines[said.survivor]
    unheard = whole_link_ms(world, owner, survivor) == 0
    hidden, answered_percent = _hides_a_fault(world, owner, survivor), _answered_percent(world, survivor)
    reason = "" if said.ready else said.sentence
    within_ms = 2 * said.takeover_ms + LOOK_EVERY_MS if said.ready else survivor.config.deadtime_ms + TAKEOVER_MS
    within_ms += LOSSY_MS if said.ready and answered_percent < 100 else 0
    return Promise(
        owner.name,
        survivor.name,
        reason,
        said.takeover_ms,
        within_ms,
        unheard,
        hidden,
        answered_percent,
        again_ms,
    )


def _hides_a_fault(world: World, owner: Machine, survivor: Machine) -> bool:
    devices = world.power.devices.values()
    return any(kind == TaskKind.START.value for kind, _resource in survivor.broken) or any(
        device.mode in UNTRUE or device.miswired or device.shares_power_of == owner.name for device in devices
    )


def _answered_percent(world: World, survivor: Machine) -> int:
    """How many questions the worst leg that the survivor would take answers it: none is silence, and no chance."""
    named = (
        address
        for group in survivor.config.groups
        for leg in group.legs
        for address in leg.addresses
        if not survivor.serves(group.name)
    )
    answered = (world.storage.san.answered_percent(survivor.name, name) for name in named)
    return min((percent for percent in answered if percent > 0), default=100)


def _killed(world: World, owner: str, taker: str, within_ms: int) -> tuple[int | None, str, str]:
    """Take the owner's power. Return after how long the taker served, what it says, and what was broken."""
    victim, survivor = world.machines[owner], world.machines[taker]
    groups = [group for group in world.resources if victim.serves(group)]
    begun_ms = world.timeline.now_ms
    world.tell(Observer.incident_begun, f"power off {owner}")
    victim.mains = False
    victim.power_changed()
    try:
        while world.timeline.now_ms - begun_ms < within_ms:
            world.run(LOOK_EVERY_MS)
            if all(survivor.serves(group) for group in groups):
                return world.timeline.now_ms - begun_ms, world.why(taker), ""
    except Violation as violation:
        return None, str(violation), violation.invariant
    return None, world.why(taker) or f"{taker} has no daemon", ""
