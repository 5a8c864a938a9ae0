"""The world: two gateways with the real core on them, and everything around them that can break."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Concatenate, ParamSpec

from aoeha.core.model.actions import Answer, Say
from aoeha.core.model.config import PairConfig
from aoeha.core.status import Status, status
from aoeha.sim.world.clone import Clone
from aoeha.sim.world.link import Link
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.power import Power
from aoeha.sim.world.storage import Storage
from aoeha.sim.world.timeline import Timeline
from aoeha.sim.world.trace import Trace
from aoeha.sim.world.work import Work

__all__ = ["Hardware", "World"]

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a pair is built of. `serial` names the links that are serial lines; each shelf has `paths` addresses.

    A gateway boots in `boot_ms` and reaches every address by each of its `interfaces`; a client writes each
    `client_ms`.
    """

    serial: tuple[str, ...] = ()
    boot_ms: int = 15_000
    client_ms: int = 2_000
    paths: int = 1
    interfaces: int = 1


class World:
    """One simulated pair. `run` lets time pass; what else happens is told by aoeha.sim.stories.commands.

    `configs` is the pair as each node sees it. All chance comes from `seed`. `healed`: all faults have been ended.
    An observer (`observe`) may raise Violation.
    """

    def __init__(
        self,
        configs: Mapping[str, PairConfig],
        hardware: Hardware | None = None,
        *,
        seed: int = 0,
        traced: bool = False,
    ) -> None:
        hardware = hardware or Hardware()
        self.configs = dict(configs)
        self.random = Random(seed)
        self.timeline = Timeline()
        self.trace = Trace(self.timeline, on=traced)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.answers: list[tuple[str, Answer]] = []
        self.steps = 0
        self.boot_ms = hardware.boot_ms
        self.requests = 0
        self.healed = False
        any_config = next(iter(self.configs.values()))
        self.resources = {group.name: tuple(r.name for r in group.resources) for group in any_config.groups}
        self._observers: list[Observer] = []
        self._changed = False
        self.work = Work(self)
        self.power = Power(self, any_config.fences)
        self.links = {
            name: Link(name, serial=name in hardware.serial, timeline=self.timeline, random=self.random)
            for name in any_config.links
        }
        self.clones: dict[str, Clone] = {}
        self.clone_boot_ids: set[str] = set()
        self.machines = {name: Machine(self, config) for name, config in self.configs.items()}
        for machine in self.machines.values():
            machine.mains = False
            for link in self.links.values():
                link.join(machine.name, machine.config.peer, machine.arrive)
        self.storage = Storage(self, tuple(self.resources), hardware.client_ms, hardware.paths, hardware.interfaces)

    def observe(self, observer: Observer) -> None:
        """Tell an observer every fact from now on, after the earlier observers."""
        self._observers.append(observer)

    def tell(self, fact: Callable[Concatenate[Observer, P], None], *told: P.args, **named: P.kwargs) -> None:
        """Tell every observer a fact: a method of Observer, and its arguments."""
        for observer in self._observers:
            getattr(observer, fact.__name__)(*told, **named)

    def run(self, ms: int) -> None:
        """Let time pass."""
        self.timeline.run_until(self.timeline.now_ms + ms, self.look)

    def look(self) -> None:
        """Let the observers see what runs where, if that has changed."""
        if self._changed:
            self._changed = False
            self.tell(Observer.looked)

    def ask(self, machine: Machine, verb: str, arguments: dict[str, str]) -> None:
        """Give a node's daemon, if it has one, a command."""
        self.requests += 1
        self.tell(Observer.command_given, machine, self.requests, verb, arguments)
        if machine.daemon is not None:
            machine.daemon.command(self.requests, verb, arguments)

    def clone(self, node: str) -> None:
        """Boot a machine that uses a node's name and keys, if there is none yet."""
        if node not in self.clones:
            clone = Clone(self.configs[node], list(self.links.values()), self.timeline, self.random)
            self.clones[node] = clone
            self.clone_boot_ids.add(clone.boot_id)

    def unclone(self, node: str) -> None:
        """Switch that machine off."""
        if node in self.clones:
            self.clones.pop(node).switch_off()

    def group_of(self, resource: str) -> str:
        """Return the group that a resource belongs to."""
        return next(group for group, names in self.resources.items() if resource in names)

    def count(self, kind: str, name: str) -> None:
        """Note that something occurred."""
        self.counts[kind, name] += 1

    def changed(self) -> None:
        """What runs somewhere has changed."""
        self._changed = True

    def fenced(self, orderer: Machine, victim: Machine) -> None:
        """A fence device switched a running gateway off."""
        self.count("fence", victim.name)
        self.trace.line(victim.name, "POWER CUT", "", f"by order of {orderer.name}")
        self.tell(Observer.fenced, orderer, victim)

    def said(self, machine: Machine, action: Say) -> None:
        """A node tells people something."""
        self.trace.condition(machine.name, action)
        self.tell(Observer.said, machine, action)

    def answered(self, machine: Machine, answer: Answer) -> None:
        """A node answers a request."""
        self.trace.line(machine.name, "answers", str(answer.code), "")
        self.answers.append((machine.name, answer))
        self.tell(Observer.answered, machine, answer)
        if answer.code:
            self.count("answer", f"request refused with {answer.code}")

    def told(self) -> list[tuple[Machine, Status]]:
        """What each node that has a daemon tells of itself."""
        daemons = [(machine, machine.daemon) for machine in self.machines.values() if machine.daemon is not None]
        return [(machine, status(daemon.state)) for machine, daemon in daemons if daemon.state is not None]

    def why(self, node: str) -> str:
        """Ask a node why things are as they are; empty while it has no daemon."""
        return next((told.why.sentence for machine, told in self.told() if machine.name == node), "")
