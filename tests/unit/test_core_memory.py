"""What is saved for a later daemon: which copy is newer is never in doubt."""

from itertools import pairwise

from aoeha.core.memory import newest
from aoeha.core.model.actions import Persist
from aoeha.core.model.config import Identity
from aoeha.core.model.events import CommandGiven
from aoeha.core.model.memory import Memory
from aoeha.core.step import initial, step
from aoeha.sim.stories.settings import Settings

BOOT = "a" * 32
NOW_MS = 1_000


def saved_within_a_moment() -> list[Memory]:
    """What a daemon saves that is paused and resumed three times in one millisecond."""
    state, actions = initial(Settings(reserve=1).configs()["alpha"], Identity(BOOT, 1), None, NOW_MS)
    saved = [action.memory for action in actions if isinstance(action, Persist)]
    for number, verb in enumerate(("pause", "resume") * 3):
        state, actions = step(state, CommandGiven(NOW_MS, number, verb, "root"))
        saved += [action.memory for action in actions if isinstance(action, Persist)]
    return saved


def test_no_two_copies_are_saved_at_one_time() -> None:
    times = [memory.saved_ms for memory in saved_within_a_moment()]
    assert len(times) == 7
    assert all(earlier < later for earlier, later in pairwise(times))


def test_a_run_that_kept_the_copy_of_a_moment_before_is_not_believed() -> None:
    *_, before, last = saved_within_a_moment()
    assert before.paused
    assert not last.paused
    believed = newest(before, last, BOOT)
    assert believed is not None
    assert (believed.paused, believed.run_lost) == (False, True)
    assert newest(last, before, BOOT) == last
