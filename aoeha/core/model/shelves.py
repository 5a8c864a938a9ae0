"""What target addresses of the shelves show: reservations and lock records."""

from dataclasses import dataclass
from enum import Enum

from aoeha.core.model.beat import GroupBeat


class Holder(Enum):
    """Whose reservation a target address shows to the node that asked. `SILENT`: it did not answer.

    `US` and `PEER` mean that node alone, with all its storage addresses; every other list is a stranger's.
    """

    UNKNOWN = "unknown"
    SILENT = "silent"
    NOBODY = "nobody"
    US = "us"
    PEER = "peer"
    STRANGER = "stranger"


@dataclass(frozen=True)
class Reservation:
    """What one target address of a leg answered when its reservation was read.

    `heard` and `unheard` are the storage interfaces on which it answered when it was last asked on all of them, and
    those on which it did not. Both are empty where that is not known, or where there is but one. `took_ms` is how long
    its answer took.
    """

    leg: str
    address: str
    holder: Holder
    heard: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()
    took_ms: int = 0


@dataclass(frozen=True)
class LockRecord:
    """What the holder of a leg writes into its target: who it is, and when, on its own CLOCK_BOOTTIME.

    `pause_number` and `paused` are its message about the pause of the pair, as in its beats (R15). With `message` it
    says about the group what it would say in a beat, for want of links (R13); then it need not hold the leg. `lacking`
    are the places of the legs that may lack acknowledged writes by the holder's own ledger (R4). `later`: it is of a
    later format, of which no more can be read than who holds the leg and when.
    """

    owner: str
    boot_id: str
    incarnation: int
    epoch: int
    stamped_ms: int
    pause_number: int = 0
    paused: bool = False
    message: GroupBeat | None = None
    lacking: tuple[int, ...] = ()
    later: bool = False


@dataclass(frozen=True)
class SeenRecord:
    """The lock record of the node in question that one target address of a leg showed, None where there is none."""

    leg: str
    address: str
    record: LockRecord | None
