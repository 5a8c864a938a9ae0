"""Whether ready comes true when an owner really loses its power in a story (R19).

The survivor is asked at that moment, before it knows. Where it calls itself ready, it serves within a generous multiple
of the time that it predicts. That is judged only where it could know what it needs: nothing happened to the pair for a
while, no fault shows only when somebody tries, no leg of what died answers later than any shelf may, no second machine
uses a name, and nothing comes while the takeover is under way but a repair that cannot hinder it. `make verdicts` asks
for more (aoeha.sim.judges.ready): whether a survivor that is not ready does not serve.
"""

from aoeha.core.status import Status
from aoeha.sim.judges.judge import Judge, answers, peer_of
from aoeha.sim.judges.ready import LOSSY_MS, Promise, promise_of
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.world import World

__all__ = ["DeathJudge"]

SLOW_MAX_MS = 2_000
"""A shelf that takes longer over its answers than that may be silent at times."""
QUIET_MS = 15_000
"""For so long nothing has happened to a pair that knows how it stands. A fence device must have been read since."""
FACTOR, SLACK_MS = 3, 5_000
HELPS = ("heal", "heal-clients", "mend")
"""These repairs hinder no takeover, nor does a fence device that works again."""


class DeathJudge(Judge):
    """Notes who serves, and what a survivor promised about its dead peer."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lines_ms: list[int] = []
        self._served: dict[str, tuple[str, ...]] = {}
        self._fenced: set[str] = set()
        self._awaited: tuple[Promise, tuple[str, ...]] | None = None

    def incident_begun(self, line: str) -> None:
        """What comes of a promise after another fault proves nothing."""
        verb, *words = line.split()
        self._lines_ms = [*self._lines_ms[-1:], self.now_ms]
        if verb not in HELPS and (verb, words[-1:]) != ("device", ["ok"]):
            self._end("overtaken by another fault")

    def fenced(self, orderer: Gateway, victim: Gateway) -> None:
        """Who is fenced does not die unexpectedly."""
        del orderer
        self._fenced.add(victim.name)

    def looked(self) -> None:
        """See who has died since the last look, and who serves now."""
        for machine in self.world.machines.values():
            groups = self._served.get(machine.name, ())
            if groups and not machine.alive and machine.name not in self._fenced:
                self._died(machine, groups)
            self._served[machine.name] = tuple(group for group in self.world.resources if machine.serves(group))
        self._fenced.clear()
        if self._awaited is not None:
            promise, groups = self._awaited
            if all(self.world.machines[promise.survivor].serves(group) for group in groups):
                self._end("came true")

    def _died(self, victim: Gateway, groups: tuple[str, ...]) -> None:
        survivor = peer_of(self.world, victim)
        told = next((status for machine, status in self.world.told() if machine is survivor), None)
        promise = self._promise(told, survivor, victim) if told is not None else None
        if promise is None or promise.reason or promise.proves_nothing or not self._could_know(survivor, groups):
            return
        self._awaited = promise, groups
        within_ms = FACTOR * promise.predicted_ms + SLACK_MS + (LOSSY_MS if promise.answered_percent < 100 else 0)
        self.world.timeline.after(within_ms, self._judge, self._awaited, within_ms)

    def _promise(self, told: Status, survivor: Gateway, victim: Gateway) -> Promise | None:
        names = victim.name, survivor.name
        own = [said for said in told.forecasts if (said.victim, said.survivor) == names and said.ready is not None]
        return promise_of(self.world, own[0]) if own else None

    def _could_know(self, survivor: Gateway, groups: tuple[str, ...]) -> bool:
        world, config, storage = self.world, survivor.config, self.world.storage
        before_ms = [ms for ms in self._lines_ms if ms < self.now_ms]
        quiet_ms = self.now_ms - (before_ms[-1] if before_ms else 0)
        together = self._lines_ms.count(self.now_ms) > 1
        read_ms = max((fence.monitor_every_ms + 2 * fence.timeout_ms for fence in config.fences), default=0)
        addresses = [a for shelf in storage.shelves.values() for group in groups for a in shelf.addresses[group]]
        changed_ms = [device.mode_since_ms for device in world.power.devices.values() if device.mode_since_ms]
        settled = all(self.now_ms - ms > QUIET_MS + read_ms for ms in changed_ms)
        clear = all(answers(world, survivor, a) or a.slow_ms[1] <= SLOW_MAX_MS for a in addresses)
        return quiet_ms > QUIET_MS and not together and settled and clear and not world.clones

    def _judge(self, awaited: tuple[Promise, tuple[str, ...]], within_ms: int) -> None:
        if self._awaited is not awaited:
            return
        promise, groups = awaited
        said = f"{promise.survivor} said that it would serve {' and '.join(groups)} within {promise.predicted_ms} ms"
        self.broken("R19", f"{said} if {promise.victim} died, and did not within {within_ms} ms")

    def _end(self, how: str) -> None:
        if self._awaited is not None:
            self._awaited = None
            self.world.count("ready", how)
