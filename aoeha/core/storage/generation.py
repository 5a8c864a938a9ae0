"""The generation of a leg: a number on its disk that only grows, and that both gateways remember (home of R22).

Rules. The owner renews it on every leg of its running mirror, each `generation_every`: first on the legs, and only when
all of them have it in its own memory and, by its beats, in that of the peer. A leg that is one step behind is not old:
its target may have lost the last moment. A leg that is further behind is an older copy of itself, or another disk:
acknowledged writes are missing there, whatever its superblock says. No mirror starts from it as long as another leg is
as young as remembered; it is copied whole. If all of them are too old, nobody starts before a human has said that what
is missing may be lost.

In a running mirror the owner writes no new number over one that is lower than its own last one: the disk behind the
leg's name is another one, or an older copy. That leg leaves the mirror and is copied whole.

What this file does not know: where on a leg the number lies, and how it is written.
"""

from aoeha.core.model import law, shelf_patience
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.events import TaskDone
from aoeha.core.model.law import Act
from aoeha.core.model.legs import LegState
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import UP, GroupState, NodeState, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import GenerationsWritten, GenerationTask, SuperblocksRead, TaskKind, TaskResult
from aoeha.core.model.term import Term

__all__ = ["decide", "learn", "task_done", "too_old"]

DEADLINE_MS = 5_000
SOON_MS = 1_000
"""A leg that came into the mirror is marked so long after the last renewal."""
APART = 1
"""A leg may be so far behind what is remembered: a target may lose the last moment, and the renewal in it."""


def decide(step: StepContext) -> None:
    """Learn what the peer remembers, and renew the generation of every mirror that runs here."""
    for name in [group.name for group in step.state.groups if group.legs]:
        theirs = step.state.peer_group(name)
        if theirs is not None and theirs.generation > step.state.group(name).generation:
            step.change_group(name, generation=theirs.generation)
        group = step.state.group(name)
        mirror = next((resource for resource in group.resources if resource.config.mirror), None)
        if group.term is not None and mirror is not None and mirror.phase in UP and mirror.missing is not None:
            _renew(step, group, group.term, mirror)


def too_old(group: GroupState, found: SuperblocksRead) -> tuple[str, ...]:
    """The legs that are further behind than a leg may be, unless an operator has said that this does not matter."""
    if group.term is not None and group.term.loss_acknowledged:
        return ()
    read = (leg for leg in found.legs if leg.superblock is not None)
    return tuple(leg.name for leg in read if (leg.generation or 0) + APART < group.generation)


def learn(step: StepContext, name: str, found: SuperblocksRead, chosen: tuple[str, ...]) -> None:
    """Go on from the highest number on the legs of which a mirror starts: the last owner may not have been heard."""
    highest = max((leg.generation or 0 for leg in found.legs if leg.device in chosen), default=0)
    if highest > step.state.group(name).generation:
        step.change_group(name, generation=highest)


def task_done(step: StepContext, task: GenerationTask, done: TaskDone) -> None:
    """Remember a generation that lies on all legs. A leg that shows an older one than its own holds another content."""
    term = step.state.group(task.group).term
    if term is None or term.renewal_task_id != task.id:
        return
    step.change_term(task.group, renewal_task_id=0)
    told = done.outcome
    if done.result is not TaskResult.OK or not isinstance(told, GenerationsWritten):
        return
    written = tuple((leg, task.generation) for leg in told.written)
    step.change_term(task.group, marked=(*(one for one in term.marked if one[0] not in told.written), *written))
    if {leg for leg, _ in task.legs} == set(told.written):
        known = step.state.group(task.group).generation
        step.change_group(task.group, generation=max(known, task.generation))
    for leg in told.exchanged:
        _note_exchanged(step, task.group, leg)
    for leg, _ in task.legs:
        _tell_of_unmarked(step, task.group, leg, refused=leg in told.refused)


def _renew(step: StepContext, group: GroupState, term: Term, mirror: ResourceState) -> None:
    members = [leg for leg in group.legs if leg.name not in (mirror.missing or ())]
    names = [leg.name for leg in members]
    marked = tuple(one for one in term.marked if one[0] in names)
    if marked != term.marked:
        step.change_term(group.name, marked=marked)
    if not _is_due(step.state, group, term, members):
        return
    number, least = step.state.next_task_id, dict(marked)
    legs = tuple((leg, least.get(leg, 0)) for leg in names)
    reason = "a number that only grows tells a leg from an older copy of it"
    deadline_ms = shelf_patience.act_ms(TaskKind.RENEW_GENERATION, DEADLINE_MS, group)
    task = GenerationTask(number, deadline_ms, reason, group.name, mirror.config.name, legs, group.generation + 1)
    step.begin(task)
    step.change_term(group.name, renewal_task_id=number, renewed_ms=step.now_ms)


def _is_due(state: NodeState, group: GroupState, term: Term, members: list[LegState]) -> bool:
    """Whether the generation is to be renewed: each leg is ours and answers, or it would hang."""
    every_ms = state.config.generation_every_ms
    if not every_ms or term.renewal_task_id or term.yielding or law.stops(state, Act.STAMP, group) is not None:
        return False
    if not members or not all(leg.shows(Holder.US) and not leg.outdated for leg in members):
        return False
    unmarked = {leg.name for leg in members} - {leg for leg, _ in term.marked}
    return term.renewed_ms is None or state.now_ms - term.renewed_ms >= (
        min(SOON_MS, every_ms) if unmarked else every_ms
    )


def _note_exchanged(step: StepContext, name: str, leg: str) -> None:
    if step.state.group(name).leg(leg).outdated:
        return
    step.change_leg(name, leg, outdated=True)
    sentence = f"the disk behind {leg} is another one, or an older copy of it: it lacks what was written there last"
    step.say(Code.LEG_EXCHANGED, Subject.leg(name, leg), sentence)


def _tell_of_unmarked(step: StepContext, name: str, leg: str, *, refused: bool) -> None:
    subject = Subject.leg(name, leg)
    if refused:
        sentence = (
            f"{leg} cannot be told from an older copy of it: its first 4 KiB are not free, or its superblock is not of "
            "version 1.2, so that nothing is written there"
        )
        step.alarm(Code.LEG_UNMARKED, subject, sentence)
    else:
        step.clear_alarm(Code.LEG_UNMARKED, subject, f"{leg} carries its generation")
