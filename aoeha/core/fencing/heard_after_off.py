"""What a beat of the peer means after its plugs were reported off (R8).

Rules. The table below decides, by what is known about the power-off and what kind of beat it is. A false proof is
reported at once, whatever happened since. A group that runs here stays up under an alarm; a group that is still
starting is given up. A daemon that has not looked yet what runs here decides that when it has, and starts nothing
before.

What this file does not know: how the plugs are read, and what happens to a fence.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from aoeha.core.fencing import devices, false_proof, power_fence, power_on, power_proof
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.fence import FencePhase
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.state import GroupState, NodeState, phase_of
from aoeha.core.model.step_context import StepContext
from aoeha.core.ownership import claims
from aoeha.core.peer import membership


class Off(Enum):
    """What is known about the peer's power."""

    SETTLING = "its plugs read off, and its silence is awaited"
    PAST = "its power-off is proven, or no plug was read as off yet"


class Heard(Enum):
    """What the newest beat is."""

    GOES_ON = "of a boot that answers what was sent since, or goes on beating"
    UNDER_WAY = (
        "of the boot whose plugs read off, early, and answers nothing: a slow link delivers the beats of the dead"
    )
    OTHER = "of a boot about which no power-off is known"


class Meaning(Enum):
    """What follows from both."""

    NOTHING = "nothing: it is waited on"
    WRONG_PLUG = "the plugs are not the peer's"
    LATE_BEAT = "an alarm: a slow link, or a wrong plug; the proof stands"
    ALIVE = "the peer lives: whatever proof there is about this boot is void"


MEANING: Final[Mapping[tuple[Off, Heard], Meaning]] = {
    (Off.SETTLING, Heard.GOES_ON): Meaning.WRONG_PLUG,
    (Off.SETTLING, Heard.UNDER_WAY): Meaning.NOTHING,
    (Off.SETTLING, Heard.OTHER): Meaning.ALIVE,
    (Off.PAST, Heard.GOES_ON): Meaning.ALIVE,
    (Off.PAST, Heard.UNDER_WAY): Meaning.LATE_BEAT,
    (Off.PAST, Heard.OTHER): Meaning.ALIVE,
}


STAYS: Final = (GroupPhase.RUNNING, GroupPhase.UNKNOWN)
"""What a group may be that is not given up: it runs, or may run as far as this daemon has looked."""


def peer_spoke(step: StepContext) -> None:
    """Process the fact that a new beat was heard."""
    off = _off(step.state)
    match MEANING[off, _heard(step.state, off)]:
        case Meaning.NOTHING:
            pass
        case Meaning.WRONG_PLUG:
            # A peer that is heard again is no longer silent: the next level needs a reason of its own.
            membership.judge(step)
            power_fence.wrong_plug(step, "its beats continue")
        case Meaning.LATE_BEAT:
            power_fence.tell_late_beat(step)
        case Meaning.ALIVE:
            _lives(step)


def _off(state: NodeState) -> Off:
    return Off.SETTLING if state.fence.phase is FencePhase.SETTLING else Off.PAST


def _heard(state: NodeState, off: Off) -> Heard:
    if off is Off.SETTLING:
        if state.peer.boot_id != state.fence.victim_boot_id:
            return Heard.OTHER
        return Heard.GOES_ON if power_proof.beats_go_on(state) else Heard.UNDER_WAY
    if power_proof.was_under_way(state):
        return Heard.UNDER_WAY
    known = state.last_off is not None and state.last_off.boot_id == state.peer.boot_id
    return Heard.GOES_ON if known else Heard.OTHER


def _lives(step: StepContext) -> None:
    """Void every proof about this boot, and forget any known power-off."""
    state, fence, peer = step.state, step.state.fence, step.state.peer
    power_fence.end_late_beat(step, f"{state.config.peer} is heard again, and its beats are not old ones")
    if fence.off_boot_id is not None and fence.off_boot_id == peer.boot_id:
        devices.distrust(step)
    devices.contradict(step)
    power_on.peer_spoke(step)
    for group in state.groups:
        if false_proof.is_about(group, peer.boot_id):
            _proof_was_wrong(step, group)
    if fence.off_boot_id is not None or fence.confirmed is not None:
        step.change_fence(off_boot_id=None, confirmed=None)


def looked(step: StepContext, name: str) -> None:
    """Process the end of a daemon's first look at a resource: by a false proof nothing is started."""
    group = step.state.group(name)
    if false_proof.stands(step, name) and phase_of(group) not in STAYS:
        _drop(step, group)


def _proof_was_wrong(step: StepContext, group: GroupState) -> None:
    assert group.proof is not None
    if phase_of(group) in STAYS:
        false_proof.tell(step, group.name, _false(step.state, group))
    else:
        _drop(step, group)
    if group.proof.kind is ProofKind.POWERED_OFF:
        devices.distrust(step)


def _drop(step: StepContext, group: GroupState) -> None:
    claims.drop(step, group.name, f"{_false(step.state, group)}; {step.state.config.node} stops what it had started")


def _false(state: NodeState, group: GroupState) -> str:
    kind = group.proof.kind.value if group.proof is not None else ""
    return f"the proof for {group.name} was wrong: {state.config.peer} ({kind}) is heard on the same boot"
