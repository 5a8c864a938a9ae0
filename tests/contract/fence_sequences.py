"""The action sequences that ClusterLabs' doc/FenceAgentAPI.md prescribes, with the exit code of each action.

Played with any fence_* program: Debian's fence_dummy, ours on their emulators.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

Run = Callable[[str], Awaitable[tuple[int, str, str]]]
"""Performs one action on one plug: exit code, output, errors."""


class Act(NamedTuple):
    """One action and how it must end: 0 done or on, 2 off, 1 failed."""

    action: str
    code: int


SEQUENCES = {
    "switched off and on": [Act("on", 0), Act("off", 0), Act("status", 2), Act("on", 0), Act("status", 0)],
    "off when it is off": [Act("off", 0), Act("off", 0), Act("status", 2)],
    "on when it is on": [Act("on", 0), Act("on", 0), Act("status", 0)],
    "reading changes nothing": [
        *(Act("off", 0), Act("monitor", 0), Act("status", 2), Act("status", 2)),
        *(Act("on", 0), Act("monitor", 0), Act("status", 0), Act("status", 0)),
    ],
    "the action's case is no matter": [Act("OFF", 0), Act("Status", 2)],
    "checked without the device": [Act("validate-all", 0), Act("metadata", 0)],
    "refused": [Act("explode", 1), Act("", 1)],
}
REBOOTS = {
    "rebooted from on": [Act("on", 0), Act("reboot", 0), Act("status", 0)],
    "rebooted from off": [Act("off", 0), Act("reboot", 0), Act("status", 0)],
}


STATUS = {0: "STATUS: ON", 2: "STATUS: OFF"}
"""What a program says when it is asked for the plug's state, by its exit code."""


async def play(acts: list[Act], run: Run) -> list[str]:
    """Perform the actions in order; return a sentence for each that did not end as prescribed."""
    wrong = []
    for number, (action, code) in enumerate(acts, start=1):
        ended, said, fault = await run(action)
        if ended != code:
            wrong.append(f"{number}. {action}: {ended}, not {code}: {said}{fault}")
        elif action == "status" and said.strip().upper() != STATUS[code]:
            wrong.append(f"{number}. {action}: ended with {code} and said {said!r}")
    return wrong
