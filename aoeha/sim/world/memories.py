"""What a daemon keeps for the next one: in /run for this boot, on its disk for any, and what its first beat will say.

Somebody may lose a file, or put an older one there; a file that is damaged counts as lost. A full /run takes nothing
more, and a daemon that cannot write takes the older copy away.
"""

from collections import deque
from dataclasses import dataclass, field

from aoeha.core.model.beat import Beat
from aoeha.core.model.memory import Memory
from aoeha.wire.receiver import ReceiverMemory

__all__ = ["Memories", "RestartState"]

OLD_MS = 60_000
"""So old is a file that somebody puts back, or as old as there is one."""
KEPT_MAX = 200


@dataclass(frozen=True, slots=True)
class RestartState:
    """What lies in /run for the next daemon's first beat: the last `beat`, of which the first one is made."""

    incarnation: int
    peer: ReceiverMemory
    beat: Beat


@dataclass(slots=True)
class Memories:
    """The files of one gateway. `is_full`: /run takes no more. `is_marked`: what was not written there left a mark."""

    run: Memory | None = None
    disk: Memory | None = None
    inheritance: RestartState | None = None
    is_full: bool = False
    is_marked: bool = False
    _kept: deque[tuple[int, Memory]] = field(default_factory=lambda: deque(maxlen=KEPT_MAX))

    def save_run(self, memory: Memory, now_ms: int) -> str:
        """Write it to /run. Return why that could not be."""
        self._kept.append((now_ms, memory))
        if self.is_full:
            self.run, self.is_marked = None, True
            return "cannot write /run: no space left on device"
        self.run = memory
        return ""

    def inherit(self, state: RestartState) -> None:
        """Keep what the next first beat will say."""
        if not self.is_full:
            self.inheritance = state

    def lose_run(self) -> None:
        """Forget what lies in /run."""
        self.run = self.inheritance = None
        self.is_marked = False

    def put_back(self, now_ms: int, boot_id: str) -> Memory | None:
        """Return what was saved some time ago in this boot, or in any where none is named."""
        known = [(at_ms, memory) for at_ms, memory in self._kept if boot_id in ("", memory.boot_id)]
        old = [memory for at_ms, memory in known if at_ms <= now_ms - OLD_MS]
        return old[-1] if old else next((memory for _, memory in known), None)
