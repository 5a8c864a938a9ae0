"""What every part of a world needs: its time, its chance, its trace, its figures, and those who observe it."""

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Concatenate, ParamSpec

from aoeha.core.model.actions import Answer, Say
from aoeha.core.model.config import PairConfig
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.timeline import Timeline
from aoeha.sim.world.trace import Trace

__all__ = ["Stage"]

P = ParamSpec("P")


class Stage:
    """Where one world plays. It knows none of the parts that stand on it.

    `configs` is the pair as each node sees it. All chance comes from `seed`. `resources` names what each group is made
    of. `steps` counts what the cores decided. An observer (`observe`) may raise Violation.
    """

    def __init__(self, configs: Mapping[str, PairConfig], *, seed: int, traced: bool) -> None:
        self.configs = dict(configs)
        self.random = Random(seed)
        self.timeline = Timeline()
        self.trace = Trace(self.timeline, on=traced)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.answers: list[tuple[str, Answer]] = []
        self.steps = 0
        any_config = next(iter(self.configs.values()))
        self.resources = {group.name: tuple(r.name for r in group.resources) for group in any_config.groups}
        self._mirrors = {
            next((r.name for r in group.resources if r.mirror), group.resources[0].name) for group in any_config.groups
        }
        self._hearers: dict[str, list[Callable[..., None]]] = {}
        self._changed = False

    def observe(self, observer: Observer) -> None:
        """Tell an observer every fact that its class hears from now on, after the earlier observers."""
        for name, unheard in vars(Observer).items():
            if not name.startswith("_") and getattr(type(observer), name) is not unheard:
                self._hearers.setdefault(name, []).append(getattr(observer, name))

    def tell(self, fact: Callable[Concatenate[Observer, P], None], *told: P.args, **named: P.kwargs) -> None:
        """Tell every observer that hears it a fact: a method of Observer, and its arguments."""
        for hear in self._hearers.get(fact.__name__, ()):
            hear(*told, **named)

    def changed(self) -> None:
        """What runs somewhere has changed."""
        self._changed = True

    def look(self) -> None:
        """Let the observers see what runs where, if that has changed."""
        if self._changed:
            self._changed = False
            self.tell(Observer.looked)

    def group_of(self, resource: str) -> str:
        """Return the group that a resource belongs to."""
        return next(group for group, names in self.resources.items() if resource in names)

    def is_mirror(self, resource: str) -> bool:
        """Whether a resource is its group's mirror: the one with that capability, or else the first one."""
        return resource in self._mirrors

    def count(self, kind: str, name: str) -> None:
        """Note that something occurred."""
        self.counts[kind, name] += 1

    def said(self, machine: Gateway, action: Say) -> None:
        """A node tells people something."""
        self.trace.condition(machine.name, action)
        self.tell(Observer.said, machine, action)

    def answered(self, machine: Gateway, answer: Answer) -> None:
        """A node answers a request."""
        self.trace.answer(machine.name, answer)
        self.answers.append((machine.name, answer))
        self.tell(Observer.answered, machine, answer)
        self.count("answer", answer.code.value)
