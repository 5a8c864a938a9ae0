"""From a seed that fails to the shortest story that still fails in the same way."""

from dataclasses import replace

from aoeha.sim.stories.plan import Planned
from aoeha.sim.stories.swarm import Story, play

__all__ = ["TRIES_MAX", "shrink"]

TRIES_MAX = 300


def shrink(story: Story, broken: str, tries_max: int = TRIES_MAX) -> Story:
    """Leave out whatever the failure does not need: halves first, single lines last. Never raises."""
    tries = 0
    size = max(1, len(story.plan) // 2)
    while True:
        smaller = None
        for start in range(0, len(story.plan), size):
            candidate = replace(story, plan=(*story.plan[:start], *story.plan[start + size :]))
            tries += 1
            if tries > tries_max:
                return story
            if candidate.plan and play(candidate).broken == broken:
                smaller = candidate
                break
        if smaller is not None:
            story = smaller
            size = min(size, max(1, len(story.plan) // 2))
        elif size > 1:
            size //= 2
        else:
            return _earlier(story, broken)


def _earlier(story: Story, broken: str) -> Story:
    """Shorten the waits between lines, as long as it still fails."""
    for index in range(1, len(story.plan)):
        gap_ms = story.plan[index].at_ms - story.plan[index - 1].at_ms
        for keep_ms in (0, 20_000):
            if gap_ms <= keep_ms:
                continue
            moved = tuple(Planned(p.at_ms - gap_ms + keep_ms, p.line) for p in story.plan[index:])
            candidate = replace(story, plan=(*story.plan[:index], *moved))
            if play(candidate).broken == broken:
                story = candidate
                break
    return story
