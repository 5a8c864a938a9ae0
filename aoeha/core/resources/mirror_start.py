"""From which legs a mirror is started: its superblocks are read for each start anew (R5).

Rules. A mirror that could be started now is not started at once: its agent reads the superblocks of all its legs. The
choice is made in the step in which the reading ends, by that reading and by the ledger with which the term began, and
the start begins in that step or not at all. A leg that is set aside is said, and copied whole when it returns. A
reading counts for one start. It is given up as soon as its start could not begin any more: in a pause, with the end of
the term, when a leg is not ours, or when something below the mirror stopped. Reading and start together have the time
of a start. A mirror that runs already is not read: its start changes nothing.

What this file does not know: how superblocks are read, and how a mirror is assembled.
"""

from dataclasses import replace

from aoeha.core.model import shelf_patience
from aoeha.core.model.actions import CancelTask
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.state import GroupState, NodeState, ResourcePhase, ResourceState
from aoeha.core.model.step_context import ChosenLegs, StepContext
from aoeha.core.model.task import SuperblocksRead, SuperblockTask, TaskKind
from aoeha.core.storage import generation, held_legs, leg_sentences, suspect_legs
from aoeha.core.storage.start_choice import Doubt, Refusal, Selection, choose


def is_being_read(state: NodeState, mirror: ResourceState) -> bool:
    """Whether superblocks are being read for a start."""
    reads = mirror.task_id and any(
        task.id == mirror.task_id and isinstance(task, SuperblockTask) for task in state.tasks
    )
    return bool(reads)


def read(step: StepContext, group: GroupState, mirror: ResourceState, reason: str) -> None:
    """Begin to read superblocks. From now on the mirror is starting, although nothing of it is touched yet."""
    number, name = step.state.next_task_id, mirror.config.name
    held = tuple(leg.name for leg in group.legs if held_legs.is_held(group, leg))
    patience_ms = shelf_patience.act_ms(TaskKind.START, mirror.config.start_ms, group)
    step.begin(SuperblockTask(number, patience_ms, reason, group.name, name, group.held_epoch, held))
    step.change_resource(
        group.name, name, task_id=number, phase=ResourcePhase.STARTING, reason="", start_begun_ms=step.now_ms
    )


def give_up(step: StepContext, group: GroupState, mirror: ResourceState) -> None:
    """Drop a reading whose start could not begin any more; its late end counts for nothing."""
    step.do(CancelTask(mirror.task_id))
    step.change_resource(group.name, mirror.config.name, task_id=0, phase=ResourcePhase.STOPPED)


def take_choice(step: StepContext, group: GroupState, mirror: str, found: SuperblocksRead) -> str:
    """Choose by a reading that ends with this step. Return why there is no choice, empty where there is one."""
    complete = group.term.startable_legs if group.term is not None else ()
    doubted = tuple(leg.name for leg in group.legs if not suspect_legs.is_sound(group, leg))
    choice = choose(_held_only(group, found), complete, doubted, generation.too_old(group, found))
    subject = Subject.group(group.name)
    if isinstance(choice, Refusal):
        why = leg_sentences.why_not_start(found.array, found.uuid, choice)
        if choice.doubt is Doubt.ALL_TOO_OLD:
            step.alarm(Code.MIRROR_DATA_OLD, subject, f"{group.name} cannot be started: {why}")
        return f"cannot start {found.array}: {why}"
    step.clear_alarm(Code.MIRROR_DATA_OLD, subject, f"{mirror} starts")
    names = tuple(leg.name for leg in found.legs if leg.device in choice.legs)
    step.chosen = ChosenLegs(group.name, mirror, names, choice.short)
    _set_aside(step, group, mirror, found, choice)
    generation.learn(step, group.name, found, choice.legs)
    return ""


def _held_only(group: GroupState, found: SuperblocksRead) -> SuperblocksRead:
    """A leg that is not held in this term counts as absent, whatever its disk tells: nothing is written to it (R3)."""
    outside = {leg.name for leg in group.legs if not held_legs.is_held(group, leg)}
    legs = tuple(
        replace(leg, present=False, superblock=None, late=False) if leg.name in outside else leg for leg in found.legs
    )
    return replace(found, legs=legs)


def chosen(step: StepContext, group: str, mirror: str) -> ChosenLegs | None:
    """The choice that was made for this mirror in this step, if one was."""
    choice = step.chosen
    return choice if choice is not None and (choice.group, choice.mirror) == (group, mirror) else None


def found_too_old(step: StepContext, name: str) -> bool:
    """Whether the group is not started because every leg is older than what is remembered."""
    return step.stands(Code.MIRROR_DATA_OLD, Subject.group(name))


def end_alarm(step: StepContext, name: str) -> None:
    """End the alarm where the group is not owned: its owner tells what lies on the legs."""
    if step.state.alarms:
        step.clear_alarm(Code.MIRROR_DATA_OLD, Subject.group(name), f"{step.state.config.node} does not own {name}")


def _set_aside(step: StepContext, group: GroupState, mirror: str, found: SuperblocksRead, choice: Selection) -> None:
    """Say of each leg that is there and not used why that is, and remember that all of it must be copied."""
    names = {leg.device: leg.name for leg in found.legs}
    for device, why in choice.set_aside:
        leg = names[device]
        step.change_leg(group.name, leg, outdated=True)
        sentence = f"{mirror} starts without {leg}: {why.value}. All of it is copied afterwards"
        step.say(Code.MIRROR_LEG_SET_ASIDE, Subject.leg(group.name, leg), sentence)
