"""The transaction of one step: it collects the state and the actions so far, so that the rules read as sentences.

Nothing here decides. A StepContext never outlives its step.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, Unpack

from aoeha.core.model.actions import Action, Say, StartTask
from aoeha.core.model.changes import (
    DeviceChange,
    FenceChange,
    GroupChange,
    HostsChange,
    LegChange,
    LinkChange,
    NodeChange,
    PeerChange,
    PowerOrderChange,
    ResourceChange,
    ShelfLinkChange,
    ShelvesChange,
    StorageFenceChange,
    TermChange,
)
from aoeha.core.model.code_book import BOOK
from aoeha.core.model.conditions import Alarm, Code, Condition, Level, Subject
from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import Task
from aoeha.core.model.transitions import assert_legal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChosenLegs:
    """The legs from which a group's mirror may start, `short` if they are fewer than their own superblocks expect."""

    group: str
    mirror: str
    legs: tuple[str, ...]
    short: bool


class Recall(Protocol):
    """Answers a pure question about a state as it would be answered if it was asked."""

    def __call__(self, question: Callable[[NodeState], T], state: NodeState, /) -> T:
        """Return the answer."""


@dataclass(slots=True)
class StepContext:
    """One step in the making. Mutable on purpose and private to that step.

    `chosen` is what came of a reading of superblocks that ended with this step. It is gone with the step. `recall` is
    asked questions that cost more than a look; without it they are asked of the state.
    """

    state: NodeState
    actions: list[Action] = field(default_factory=list)
    chosen: ChosenLegs | None = None
    recall: Recall | None = None

    def know(self, question: Callable[[NodeState], T]) -> T:
        """Return the answer to a question about the present state."""
        return question(self.state) if self.recall is None else self.recall(question, self.state)

    @property
    def now_ms(self) -> int:
        """The time of this step."""
        return self.state.now_ms

    def change(self, **fields: Unpack[NodeChange]) -> None:
        """Replace fields of the node. A condition or a phase changes only as the law allows."""
        if "peer" in fields:
            assert_legal(self.state.peer.condition, fields["peer"].condition)
        if "fence" in fields:
            assert_legal(self.state.fence.phase, fields["fence"].phase)
        order = fields.get("order")
        if order is not None and self.state.order is not None:
            assert_legal(self.state.order.stage, order.stage)
        self.state = replaced(self.state, **fields)

    def change_link(self, name: str, **fields: Unpack[LinkChange]) -> None:
        """Replace fields of one link. KeyError for an unknown name, here and below: that is a bug of ours."""
        known = self.state.link(name)
        assert_legal(known.condition, fields.get("condition", known.condition))
        self.change(links=tuple(replaced(link, **fields) if link is known else link for link in self.state.links))

    def change_peer(self, **fields: Unpack[PeerChange]) -> None:
        """Replace fields of the peer."""
        self.change(peer=replaced(self.state.peer, **fields))

    def change_fence(self, **fields: Unpack[FenceChange]) -> None:
        """Replace fields of the fence."""
        self.change(fence=replaced(self.state.fence, **fields))

    def change_order(self, **fields: Unpack[PowerOrderChange]) -> None:
        """Replace fields of the power order. There must be one."""
        assert self.state.order is not None, "no order is under way"
        self.change(order=replaced(self.state.order, **fields))

    def change_hosts(self, **fields: Unpack[HostsChange]) -> None:
        """Replace fields of what is known of the reference hosts."""
        self.change(hosts=replaced(self.state.hosts, **fields))

    def change_group(self, name: str, **fields: Unpack[GroupChange]) -> None:
        """Replace fields of one group."""
        known = self.state.group(name)
        self.change(groups=tuple([replaced(g, **fields) if g is known else g for g in self.state.groups]))

    def change_term(self, name: str, **fields: Unpack[TermChange]) -> None:
        """Replace fields of our term of ownership of one group. There must be one."""
        term = self.state.group(name).term
        assert term is not None, f"{name} is not owned"
        self.change_group(name, term=replaced(term, **fields))

    def change_resource(self, group: str, name: str, **fields: Unpack[ResourceChange]) -> None:
        """Replace fields of one resource."""
        resources, known = self.state.group(group).resources, self.state.group(group).resource(name)
        assert_legal(known.phase, fields.get("phase", known.phase))
        self.change_group(group, resources=tuple(replaced(r, **fields) if r is known else r for r in resources))

    def change_shelves(self, group: str, **fields: Unpack[ShelvesChange]) -> None:
        """Replace fields of what one group's shelves are asked."""
        self.change_group(group, shelves=replaced(self.state.group(group).shelves, **fields))

    def change_storage_fence(self, group: str, **fields: Unpack[StorageFenceChange]) -> None:
        """Replace fields of one group's storage fence."""
        self.change_group(group, storage_fence=replaced(self.state.group(group).storage_fence, **fields))

    def change_shelf_link(self, group: str, **fields: Unpack[ShelfLinkChange]) -> None:
        """Replace fields of one group's legs as a link."""
        self.change_group(group, shelf_link=replaced(self.state.group(group).shelf_link, **fields))

    def change_leg(self, group: str, name: str, **fields: Unpack[LegChange]) -> None:
        """Replace fields of one leg of a group."""
        legs, known = self.state.group(group).legs, self.state.group(group).leg(name)
        self.change_group(group, legs=tuple(replaced(leg, **fields) if leg is known else leg for leg in legs))

    def change_device(self, name: str, **fields: Unpack[DeviceChange]) -> None:
        """Replace fields of one fence device."""
        known = self.state.device(name)
        self.change(devices=tuple(replaced(d, **fields) if d is known else d for d in self.state.devices))

    def begin(self, task: Task) -> None:
        """Start a task under the next number."""
        self.change(tasks=(*self.state.tasks, task), next_task_id=task.id + 1)
        self.do(StartTask(task))

    def do(self, action: Action) -> None:
        """Ask for an action, after all earlier ones."""
        self.actions.append(action)

    def say(self, code: Code, subject: Subject, sentence: str) -> None:
        """Tell people a decision."""
        self._tell(Condition(code, subject, sentence))

    def alarm(self, code: Code, subject: Subject, sentence: str) -> None:
        """Raise an alarm. An alarm that stands already is told again only if its sentence has changed."""
        condition = Condition(code, subject, sentence)
        standing = self._alarm_of(code, subject)
        if standing is not None and standing.condition == condition:
            return
        since_ms = self.now_ms if standing is None else standing.since_ms
        others = tuple(alarm for alarm in self.state.alarms if alarm is not standing)
        self.change(alarms=(*others, Alarm(condition, since_ms)))
        self._tell(condition)

    def clear_alarm(self, code: Code, subject: Subject, sentence: str) -> bool:
        """End the alarm of this code about this subject, if it stands, and say why. Returns whether it stood."""
        standing = self._alarm_of(code, subject)
        if standing is None:
            return False
        self.change(alarms=tuple(alarm for alarm in self.state.alarms if alarm is not standing))
        self.actions.append(Say(Level.INFO, Condition(code, subject, sentence), ends=True))
        return True

    def acknowledge(self, sentence: str) -> None:
        """End the alarms that only a human can know to be over."""
        for alarm in self.state.alarms:
            if BOOK[alarm.condition.code].acknowledged:
                self.clear_alarm(alarm.condition.code, alarm.condition.subject, sentence)

    def stands(self, code: Code, subject: Subject) -> bool:
        """Whether an alarm stands."""
        return self._alarm_of(code, subject) is not None

    def panic(self, code: Code, subject: Subject, sentence: str) -> None:
        """Have this node reboot itself at the end of the step. The first reason is kept."""
        if self.state.panic is None:
            condition = Condition(code, subject, sentence)
            self.change(panic=condition)
            self._tell(condition)

    def refuse(self, group: str, code: Code, sentence: str) -> None:
        """Explain why a group is not started here. Told once for as long as it stays true (I8).

        A group has one refusal at most: another reason takes the place of the former.
        """
        refusal = Condition(code, Subject.group(group), sentence)
        if self.state.group(group).refusal != refusal:
            self.change_group(group, refusal=refusal)
            self._tell(refusal)

    def end_refusal(self, group: str) -> None:
        """Forget why a group was not started: that reason is over."""
        if self.state.group(group).refusal is not None:
            self.change_group(group, refusal=None)

    def _alarm_of(self, code: Code, subject: Subject) -> Alarm | None:
        identity = (code, subject)
        return next((alarm for alarm in self.state.alarms if alarm.condition.identity == identity), None)

    def _tell(self, condition: Condition) -> None:
        self.actions.append(Say(BOOK[condition.code].level, condition))
