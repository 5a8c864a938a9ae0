"""A pause of the pair: nobody starts, stops, takes, forces or switches off anything until a human ends it (R15).

Rules. Who is asked for a pause, or for its end, gives that word a number above all it knows; both nodes follow the word
with the highest number, and of two words with one number the pause. Where no link carries beats, the owner's stamps on
the shelves carry its word. It outlasts restarts and reboots. Beats, looks at resources, holds and stamps go on. What a
pause does not hold up: a node that finds itself fenced still reboots. The shelves are asked anew at once, because
addresses are told with that to live on without their daemon.

What this file does not know: what each rule leaves undone meanwhile; the rules ask for `paused` themselves.
"""

from aoeha.core.model.beat import BeatFlag
from aoeha.core.model.step_context import Turn
from aoeha.core.storage import storage_fence

ABOUT = "pair"


def order(turn: Turn, user: str, *, paused: bool) -> None:
    """Give the word."""
    _follow(turn, turn.state.pause_number + 1, f"by {user}", paused=paused)


def learn(turn: Turn) -> None:
    """Follow the peer's word where it is newer: the one in its beats, or in a stamp that was seen to move (R6)."""
    beat = turn.state.peer.beat
    words = [(beat.pause_number, BeatFlag.PAUSED in beat.flags)] if beat is not None else []
    stamps = [group.shelf_link.said for group in turn.state.groups]
    words.extend((stamp.pause_number, stamp.paused) for stamp in stamps if stamp is not None)
    number, paused = max(words, default=(0, False))
    if (number, paused) > (turn.state.pause_number, turn.state.paused):
        _follow(turn, number, f"on {turn.state.config.peer}", paused=paused)


def remind(turn: Turn) -> None:
    """A daemon that starts into a pause says so."""
    if turn.state.paused:
        turn.alarm(ABOUT, _sentence("since before this daemon started"))


def _follow(turn: Turn, number: int, origin: str, *, paused: bool) -> None:
    before = turn.state.paused
    turn.change(pause_number=number, paused=paused)
    if paused and not before:
        storage_fence.drop_rounds(turn)
        for group in turn.state.groups:
            turn.change_group(group.name, shelf_read_ms=None)
        turn.alarm(ABOUT, _sentence(origin))
    elif before and not paused:
        turn.clear_alarm(ABOUT, f"the pause was ended {origin}: the pair acts again")


def _sentence(origin: str) -> str:
    return f"the pair is paused {origin}: nothing is started, stopped or fenced. To end that: aoeha resume"
