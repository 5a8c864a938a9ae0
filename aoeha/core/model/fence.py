"""What a node knows of its fence devices, of the power fence that may be under way, and of the last power-off.

Nothing here decides.
"""

from dataclasses import dataclass
from enum import Enum

from aoeha.core.model.memory import OffMemory
from aoeha.core.model.proof import Confirmation
from aoeha.core.model.task import PlugState


class FencePhase(Enum):
    """The progress of a power fence."""

    IDLE = "idle"
    WAITING = "waiting"
    SWITCHING_OFF = "switching off"
    READING_BACK = "reading back"
    SETTLING = "settling"
    BACKING_OFF = "backing off"
    CANCELLING = "cancelling"


@dataclass(frozen=True)
class DeviceState:
    """A fence device as its last reading left it. `reachable` None: not asked yet. `plug` is what it read.

    `distrusted`: the device gave a false proof; that stands until its plug is verified. `read_off_of` is the boot of
    the peer at a routine reading of off, and `contradicted` tells that this boot kept beating; a reading of on ends it.
    `disobeyed` tells what happened to an order that the device accepted and did not carry out: what it reports is true,
    but not enough. `restore_tries_left`: the device was ordered to switch off, and this many power-ons or readings are
    left to restore the power; `restore_task_id` is the task that switches on again.
    """

    name: str
    reachable: bool | None = None
    detail: str = ""
    checked_ms: int | None = None
    task_id: int = 0
    distrusted: str = ""
    read_off_of: str = ""
    contradicted: str = ""
    disobeyed: str = ""
    restore_tries_left: int = 0
    restore_task_id: int = 0
    asked_ms: int = 0
    took_ms: int = 0
    plug: PlugState | None = None

    @property
    def doubt(self) -> str:
        """Why nothing that the device reads is believed, empty for no reason."""
        return self.distrusted or self.contradicted


@dataclass(frozen=True)
class Off:
    """A power-off: of which boot, when it was read or proven, our newest sequence then, and by which level."""

    boot_id: str
    at_ms: int
    sequence: int
    level_index: int = 0


@dataclass(frozen=True)
class FenceState:
    """The one fence that may be under way. `tasks` maps a running task to its device; `read` what was read back.

    `read_off`: every device reported off, and the peer may still be heard. `recalled`: an earlier daemon of this boot
    has proven a power-off, and its plugs are to be read again, or were just read.
    """

    phase: FencePhase = FencePhase.IDLE
    victim_boot_id: str = ""
    level_index: int = 0
    attempts: int = 0
    until_ms: int = 0
    tasks: tuple[tuple[int, str], ...] = ()
    failed: str = ""
    read: tuple[tuple[str, PlugState], ...] = ()
    off_boot_id: str | None = None
    confirmed: Confirmation | None = None
    read_off: Off | None = None
    recalled: OffMemory | None = None
