"""Planted bugs that no writer and no lost record shows: an act that does not come, or comes before its time."""

from typing import Any

from planted_bugs import Mutation

from aoeha.core.mirror import leg_membership


def nothing_is_done(_original: Any) -> Any:
    return lambda *_arguments, **_named: None


ACTS_IN_STORIES = (
    (
        Mutation("leave a silent shelf in the mirror", leg_membership, "_evict", nothing_is_done, ("I6",)),
        "both-reboot-with-a-stale-leg-back",
    ),
)
"""Each with the story in which a judge names it."""
