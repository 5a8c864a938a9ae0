"""Legs that are not tried for a while, because their disks report errors (R5).

Rules. A leg that the kernel dropped, or that cannot be returned, although its shelf responds, has a disk that reports
errors. It is tried again after a pause that doubles each time, and an alarm tells people to check the disk. An operator
who has done so ends the pause, and so does a target that is started again.

What this file does not know: whether the shelf responded all the time.
"""

from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.legs import LegState
from aoeha.core.model.shelves import Holder
from aoeha.core.model.step_context import StepContext

RETURN_AGAIN_MS = 30_000
REST_MAX_MS = 3_600_000
"""The longest pause after a disk error. A disk that then works for as long starts again from the shortest pause."""


def given_up(step: StepContext, name: str, leg: LegState) -> None:
    """The kernel has dropped a leg by itself."""
    if leg.shows(Holder.US):
        rest(step, name, leg, "the kernel removed it from the mirror by itself")
    else:
        step.change_leg(name, leg.name, rests_until_ms=step.now_ms + RETURN_AGAIN_MS)
        sentence = f"the kernel removed {leg.name} from the mirror by itself: look at `dmesg`, and at its shelf's disks"
        step.alarm(Code.MIRROR_LEG_KICKED, Subject.leg(name, leg.name), sentence)


def rest(step: StepContext, name: str, leg: LegState, what: str) -> None:
    """Do not try a leg for a while, longer each time: its shelf responds, so its disk is at fault."""
    errors = leg.errors + 1 if step.now_ms - leg.rests_until_ms < REST_MAX_MS else 1
    pause_ms = min(RETURN_AGAIN_MS << min(errors - 1, 10), REST_MAX_MS)
    step.change_leg(name, leg.name, errors=errors, rests_until_ms=step.now_ms + pause_ms)
    often = "" if errors == 1 else f", {errors} times in a row"
    step.alarm(
        Code.MIRROR_LEG_FAILING,
        Subject.leg(name, leg.name),
        f"{leg.name} has errors although its shelf answers: {what}{often}. Look at that shelf's disk, and at `dmesg`. "
        f"It is tried again in {pause_ms // 1_000} s, when its target restarts, or at once by: aoeha cleanup",
    )


def end_rests(step: StepContext) -> tuple[str, ...]:
    """Try every leg again at once: an operator has fixed its disk. Return the legs that were pausing."""
    resting = [(group.name, leg.name) for group in step.state.groups for leg in group.legs if leg.errors]
    for name, leg in resting:
        step.change_leg(name, leg, errors=0, rests_until_ms=0)
        step.clear_alarm(Code.MIRROR_LEG_FAILING, Subject.leg(name, leg), f"{leg} is tried again")
    return tuple(leg for _, leg in resting)


def end_alarms(step: StepContext, subject: Subject, sentence: str) -> None:
    """The leg is whole again, or the mirror does not run here any more."""
    for code in (Code.MIRROR_LEG_KICKED, Code.MIRROR_LEG_FAILING):
        step.clear_alarm(code, subject, sentence)
