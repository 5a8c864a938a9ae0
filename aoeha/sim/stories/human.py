"""A human who does what a standing alarm or refusal says, and nothing else.

What a gateway says is what its code book has for the code (docs/alarms.md), and the sentence that is told with it. The
human comes some time after it was first told, looks whether it is so, types the command, and comes again later if the
trouble stands.

What this file does not know: when a human is called (aoeha.sim.stories.ending).
"""

import re
from collections.abc import Callable, Iterator

from aoeha.core.model.code_book import BOOK
from aoeha.core.model.conditions import Code, Subject
from aoeha.core.status import Status
from aoeha.sim.world.world import World

__all__ = ["COMMANDS", "Human"]

COMES_AFTER_MS = 20_000
COMES_AGAIN_MS = 60_000
COMMANDS = {
    "aoeha resume": "ask {node}: resume",
    "aoeha unstandby": "ask {node}: unstandby",
    "aoeha confirm": "vouch {peer}",
    r"aoeha fence [^`]* --on": "ask {node}: fence node={peer} act=on",
    r"mdadm --assemble --run [^`]*?(?P<leg>[^` ]+)`": "assemble {node} {group} {leg}",
    "aoeha cleanup": "ask {node}: cleanup",
}
"""What may stand in a remedy or a sentence, and what the human does then. He vouches only for what has no power."""


class Human:
    """Knows since when each thing was told, and when it was done. `came` are the lines that were done, and when last.

    `act` carries out a line for aoeha.sim.stories.commands.
    """

    def __init__(self, world: World, act: Callable[[str], None]) -> None:
        self.came: dict[str, int] = {}
        self._world = world
        self._act = act
        self._told_ms: dict[str, int] = {}

    def look(self) -> None:
        """Do what the gateways have said for long enough."""
        now_ms = self._world.timeline.now_ms
        self._told_ms = {line: self._told_ms.get(line, now_ms) for line in self._told()}
        for line, since_ms in self._told_ms.items():
            again_ms = self.came[line] + COMES_AGAIN_MS if line in self.came else 0
            if now_ms >= max(since_ms + COMES_AFTER_MS, again_ms):
                self.came[line] = now_ms
                self._act(line)

    def _told(self) -> Iterator[str]:
        for machine, status in self._world.told():
            for code, subject, sentence in _standing(status):
                told = f"{sentence} {BOOK[code].remedy}"
                for command, line in COMMANDS.items():
                    found = re.search(command, told)
                    if found is not None:
                        group = subject.name.partition("/")[0]
                        yield line.format(node=machine.name, peer=machine.config.peer, group=group, **found.groupdict())


def _standing(status: Status) -> Iterator[tuple[Code, Subject, str]]:
    for alarm in status.alarms:
        yield alarm.code, alarm.subject, alarm.sentence
    for group in status.groups:
        if group.refusal is not None:
            yield group.refusal.code, group.refusal.subject, group.refusal.sentence
