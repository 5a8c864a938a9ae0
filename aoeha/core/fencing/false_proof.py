"""Proofs of a power-off that turn out to be false, and the alarm about a group that is owned by one (R8).

Rules. A peer whose legs bear stamps of the boot that was read off is not off: the proof counts no more, also once the
peer is silent again, and its devices are distrusted. A group that runs here by a false proof is an alarm.

What this file does not know: how a proof turns out to be false, and what is done about the group.
"""

from aoeha.core.fencing import devices, power_proof
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.state import GroupState
from aoeha.core.model.step_context import StepContext


def is_about(group: GroupState, boot_id: str) -> bool:
    """Whether a group is owned by a proof that this boot of the peer is off."""
    proof = group.proof
    about_power = proof is not None and proof.kind in (ProofKind.POWERED_OFF, ProofKind.OPERATOR)
    return about_power and proof is not None and proof.peer_boot_id == boot_id


def void(step: StepContext) -> None:
    """Drop a proof that stamps belie (R6): the plug is a wrong one."""
    if power_proof.stamps_belie(step.state):
        devices.distrust(step)
        step.change_fence(off_boot_id=None)


def tell(step: StepContext, name: str, sentence: str) -> None:
    """Raise the alarm: a group runs here, or may run, by a proof that was false."""
    step.alarm(Code.PROOF_WRONG, Subject.group(name), sentence)


def stands(step: StepContext, name: str) -> bool:
    """Whether it was told of this group, and still holds."""
    return step.stands(Code.PROOF_WRONG, Subject.group(name))


def end(step: StepContext) -> None:
    """End the alarm when the group is no longer owned by that proof."""
    for group in step.state.groups if step.state.alarms else ():
        if not is_about(group, step.state.peer.boot_id):
            sentence = f"{step.state.config.node} does not own {group.name} by that proof any more"
            step.clear_alarm(Code.PROOF_WRONG, Subject.group(group.name), sentence)
