"""What a node remembers across a restart of its daemon."""

from dataclasses import dataclass

from aoeha.core.model.beat import Grant
from aoeha.core.model.proof import Proof
from aoeha.core.model.term import Unremembered


@dataclass(frozen=True)
class GroupMemory:
    """What one group must remember across a daemon restart, and what may make a node refuse after a reboot.

    `held` names the legs' addresses, leg first, that were held in the present term: a holder that shows there now took
    them from us (R3). `generation` is the number that all legs of the mirror carry, or one below (R22).
    `unremembered`: what runs here may be of a term that the last daemon had no memory of either (R16).
    """

    name: str
    epoch: int
    claim_floor: int
    holding: bool
    proof: Proof | None
    grant: Grant | None
    claims: int
    held: tuple[tuple[str, str], ...] = ()
    unremembered: Unremembered | None = None
    generation: int = 0


@dataclass(frozen=True)
class DeviceMemory:
    """What was found out about a fence device with that `tag`, and its pending power restores (DeviceState)."""

    name: str
    tag: int
    distrusted: str = ""
    disobeyed: str = ""
    restore_tries_left: int = 0


@dataclass(frozen=True)
class OffMemory:
    """A power-off of the peer's boot that was proven: by which devices, each with its tag, and whether it stays off."""

    boot_id: str
    devices: tuple[tuple[str, int], ...]
    kept_off: bool = False


@dataclass(frozen=True)
class Memory:
    """What `Persist` writes. Believed in full on the same boot (it lies in /run).

    After a reboot only epochs and generations count, and what makes a fence device no proof. `off` is no proof
    either, on no boot: the plugs must be read again. `power_back_ms`: when the power of a peer that is not heard is
    restored, 0 for not known. `saved_ms` is when it was saved, on this boot's clock. `run_lost`: a daemon of the same
    boot read it from disk, because what lay in /run is gone or older. `panicked` is of this boot; `panicked_before` and
    `unclean_boot` tell how the one before ended: a later daemon of this boot waits for the same.
    `peer_config_tag`, None for not heard, and `peer_unlisted` are what the peer last showed of its configuration (R20).
    """

    boot_id: str
    incarnation: int
    peer_boot_id: str
    peer_was_alive: bool
    standby: bool
    panicked: bool
    groups: tuple[GroupMemory, ...]
    left: bool = False
    paused: bool = False
    pause_number: int = 0
    devices: tuple[DeviceMemory, ...] = ()
    off: OffMemory | None = None
    power_back_ms: int = 0
    saved_ms: int = 0
    run_lost: bool = False
    panicked_before: bool = False
    unclean_boot: bool = False
    peer_config_tag: int | None = None
    peer_unlisted: bool = False
