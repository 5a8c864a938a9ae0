"""Why the peer cannot write."""

from dataclasses import dataclass
from enum import Enum


class ProofKind(Enum):
    """Why the peer cannot write (R2). The value is the word that people read."""

    HANDED_OVER = "handed over"
    REBOOTED = "rebooted"
    POWERED_OFF = "powered off"
    OPERATOR = "operator's word"
    STORAGE_FENCED = "storage-fenced"
    RECORDED = "its own record"


@dataclass(frozen=True)
class Proof:
    """A reason to own a group. Good for one epoch of one group, about one boot of the peer, and for nothing else."""

    kind: ProofKind
    group: str
    epoch: int
    peer_boot_id: str
    detail: str = ""


@dataclass(frozen=True)
class Confirmation:
    """An operator's confirmation that a boot of the peer is off. It expires at `until_ms`."""

    boot_id: str
    user: str
    until_ms: int
