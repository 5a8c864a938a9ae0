"""The world: two gateways with the real core on them, and everything around them that can break."""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random

from aoeha.core.model.actions import Answer, Level, Say
from aoeha.core.model.config import PairConfig
from aoeha.core.status import Status, status
from aoeha.sim.judges.oracle import Oracle
from aoeha.sim.judges.rest import RestJudge
from aoeha.sim.judges.status import judge_protection
from aoeha.sim.stories.classify import classify
from aoeha.sim.world.link import Link
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.power import Power
from aoeha.sim.world.storage import Storage
from aoeha.sim.world.timeline import Timeline
from aoeha.sim.world.trace import Trace
from aoeha.sim.world.work import Work

__all__ = ["World"]

EXPLAIN_EVERY_MS = 20_000


class World:
    """One simulated pair. `run` lets time pass; what else happens is told by aoeha.sim.stories.commands.

    `configs` is the pair as each node sees it, `serial` names the links that are serial lines. All chance comes from
    `seed`. Raises Violation as soon as an invariant is broken.
    """

    def __init__(
        self,
        configs: Mapping[str, PairConfig],
        *,
        serial: Iterable[str] = (),
        seed: int = 0,
        boot_ms: int = 15_000,
        client_ms: int = 2_000,
        paths: int = 1,
        interfaces: int = 1,
        traced: bool = False,
    ) -> None:
        self.configs = dict(configs)
        self.random = Random(seed)
        self.timeline = Timeline()
        self.trace = Trace(self.timeline, on=traced)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.steps = 0
        self.boot_ms = boot_ms
        self.requests = 0
        any_config = next(iter(self.configs.values()))
        self.resources = {group.name: tuple(r.name for r in group.resources) for group in any_config.groups}
        self.oracle = Oracle(self)
        self.rest = RestJudge(self.timeline)
        self.work = Work(self)
        self.power = Power(self, any_config.fences)
        serial_names = frozenset(serial)
        self.links = {
            name: Link(name, serial=name in serial_names, timeline=self.timeline, random=self.random)
            for name in any_config.links
        }
        self.machines = {name: Machine(self, config) for name, config in self.configs.items()}
        for machine in self.machines.values():
            machine.mains = False
            for link in self.links.values():
                link.join(machine.name, machine.config.peer, machine.arrive)
        self.storage = Storage(self, tuple(self.resources), client_ms, paths, interfaces)
        self.timeline.after(EXPLAIN_EVERY_MS, self._ask_why)

    def run(self, ms: int) -> None:
        """Let time pass."""
        self.timeline.run_until(self.timeline.now_ms + ms, self.oracle.check)

    def group_of(self, resource: str) -> str:
        """Return the group that a resource belongs to."""
        return next(group for group, names in self.resources.items() if resource in names)

    def count(self, kind: str, name: str) -> None:
        """Note that something occurred."""
        self.counts[kind, name] += 1

    def changed(self) -> None:
        """What runs somewhere has changed."""
        self.oracle.dirty = True

    def fenced(self, orderer: Machine, victim: Machine) -> None:
        """A fence device took a running gateway's power."""
        self.count("fence", victim.name)
        self.trace.line(victim.name, "POWER CUT", "", f"by order of {orderer.name}")
        self.oracle.fenced(orderer, victim)

    def said(self, node: str, action: Say) -> None:
        """A node tells people something."""
        what = {Level.INFO: "says", Level.WARNING: "warns", Level.ALARM: "ALARM"}[action.level]
        self.trace.line(node, what, action.about, action.sentence)
        found = classify(action.sentence)
        if found is not None:
            self.count(*found)

    def answered(self, node: str, answer: Answer) -> None:
        """A node answers a request."""
        self.trace.line(node, "answers", str(answer.code), answer.sentence)
        self.oracle.answered(self.machines[node], answer)
        if answer.code:
            self.count("refusal", f"request refused with {answer.code}")

    def told(self) -> list[tuple[Machine, Status]]:
        """What each node that has a daemon tells of itself."""
        daemons = [(machine, machine.daemon) for machine in self.machines.values() if machine.daemon is not None]
        return [(machine, status(daemon.state)) for machine, daemon in daemons if daemon.state is not None]

    def why(self, node: str) -> str:
        """Ask a node why things are as they are; empty while it has no daemon."""
        return next((told.why for machine, told in self.told() if machine.name == node), "")

    def _ask_why(self) -> None:
        for machine, told in self.told():
            self.oracle.explained(machine, told.why)
            judge_protection(self, machine, told)
        self.timeline.after(EXPLAIN_EVERY_MS, self._ask_why)
