"""Plays stories, with the core that this process has. Each tells what was broken, by whom, and in which words.

What this file does not know: which core it is.
"""

from pathlib import Path

from aoeha.core.rules import ask_all
from aoeha.sim.asking.rules import Asking
from aoeha.sim.stories.ready import KNOWN, judged_incidents
from aoeha.sim.stories.scenario import Performance, read
from aoeha.sim.stories.swarm import play, story_of

__all__ = ["ask_every_rule", "kill_owners", "look_at_incident", "play_incident", "play_seed"]


def play_incident(path: Path) -> tuple[str, str]:
    """Play an incident; its promises and all judges have a say."""
    performance = Performance(read(path))
    performance.play()
    return _broken_in(performance.trace())


def ask_every_rule() -> None:
    """From now on ask every rule at every step, also one that would do nothing: with a mutant it might do something."""
    Asking.ask = lambda _self, step: ask_all(step)


def look_at_incident(path: Path) -> tuple[int, str]:
    """Play an incident, and tell how many events happen in it and what is broken."""
    performance = Performance(read(path))
    performance.play()
    return performance.world.timeline.events, " ".join(_broken_in(performance.trace()))


def kill_owners(paths: list[Path]) -> tuple[str, str]:
    """At the end of each incident the owner dies: what status promised must come true (R19)."""
    for name, outcomes in judged_incidents(paths, 1):
        for outcome in outcomes:
            if not outcome.kept and name not in KNOWN:
                return "R19", f"{name}: {outcome}"
    return "", ""


def play_seed(seed: int) -> tuple[str, str]:
    """Play five minutes in which anything may break, then an end to all faults."""
    outcome = play(story_of(seed))
    return outcome.broken, outcome.sentence


def _broken_in(trace: list[str]) -> tuple[str, str]:
    broken = [line for line in trace if line.split()[1:3] == ["!", "BROKEN"]]
    if not broken:
        return "", ""
    by, _, sentence = broken[0].partition("BROKEN")[2].strip().partition(" ")
    return by, sentence.strip()
