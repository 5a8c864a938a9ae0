"""A pause of the pair: neither node starts, stops, takes or switches off anything until it ends (home of R15).

Rules. The node that is asked for a pause, or for its end, numbers that order above every number it knows. Both nodes
follow the order with the highest number; of two with one number they follow the pause. Where no link carries beats, the
disk heartbeat of the owner carries the order. A pause outlasts restarts and reboots. Beats, monitors, reservation
checks and stamps continue. A node that finds itself fenced still reboots. The reservations are read again at once,
because that reading tells addresses to live on without their daemon.

What a pause does to an act that is under way: a fence that waits for its time stands down, a power-off that a device
already has is read back and may still succeed, a round of a storage fence is dropped and begins again after the pause.

What this file does not know: which act a pause stops. That is the row `paused` in `aoeha/core/model/law.py`.
"""

from aoeha.core.model.beat import BeatFlag
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.model.step_context import StepContext
from aoeha.core.storage import reservations, storage_fence


def order(step: StepContext, user: str, *, paused: bool) -> None:
    """Begin or end a pause by an operator's request."""
    _follow(step, step.state.pause_number + 1, f"by {user}", paused=paused)


def learn(step: StepContext) -> None:
    """Follow the peer's message where it is newer: the one in its beats, or in a stamp that was seen to move (R6)."""
    beat = step.state.peer.beat
    words = [(beat.pause_number, BeatFlag.PAUSED in beat.flags)] if beat is not None else []
    stamps = [group.shelf_link.said for group in step.state.groups]
    words.extend((stamp.pause_number, stamp.paused) for stamp in stamps if stamp is not None)
    number, paused = max(words, default=(0, False))
    if (number, paused) > (step.state.pause_number, step.state.paused):
        _follow(step, number, f"on {step.state.config.peer}", paused=paused)


def remind(step: StepContext) -> None:
    """Report that a daemon has started during a pause."""
    if step.state.paused:
        sentence = _sentence("since before this daemon started")
        step.alarm(Code.PAIR_PAUSED, Subject.pair(step.state.config.cluster), sentence)


def _follow(step: StepContext, number: int, origin: str, *, paused: bool) -> None:
    before = step.state.paused
    step.change(pause_number=number, paused=paused)
    if paused and not before:
        storage_fence.drop_rounds(step)
        reservations.read_anew(step)
        step.alarm(Code.PAIR_PAUSED, Subject.pair(step.state.config.cluster), _sentence(origin))
    elif before and not paused:
        step.clear_alarm(Code.PAIR_PAUSED, Subject.pair(step.state.config.cluster), f"the pause was ended {origin}")


def _sentence(origin: str) -> str:
    return f"the pair is paused {origin}: nothing is started, stopped or fenced. To end that: aoeha resume"
