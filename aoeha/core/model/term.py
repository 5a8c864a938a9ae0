"""The values that begin and end with one term of ownership, and with one claim for it.

Nothing here decides. A term is made in one place (`ownership.claims`) and dropped in one place. So nothing of it
survives into the next term, and nothing has to be reset by hand.
"""

from dataclasses import dataclass

from aoeha.core.model.beat import Ledger
from aoeha.core.model.proof import Proof


@dataclass(frozen=True)
class Term:
    """One term in which this node owns a group, by `proof`. The comments name the package that writes a field."""

    proof: Proof
    """The proof of ownership, with its epoch (ownership)."""
    taken_sequence: int = 0
    """Our newest sequence when the term began (ownership). 0 in a term that an earlier daemon of this boot began."""
    taken_ms: int = 0
    """When the term began (ownership). 0 in a term that an earlier daemon of this boot began."""
    first: bool = False
    """Nobody owned the group before, as far as this node knows (ownership)."""
    yielding: str = ""
    """Why the group is being handed over, empty for not at all (operator, ownership, resources)."""
    for_clients: bool = False
    """The peer owned the group and handed it over while more reference hosts answered this node (ownership)."""
    unverified: bool = False
    """This node was stalled during the term, and its legs may have been taken meanwhile (ownership)."""
    storage_lost: bool = False
    """This node sees none of the group's shelves, and the peer does (resources)."""
    blind_since_ms: int = 0
    """Since when no leg has answered for deadtime while the peer could serve, 0 for not so (resources)."""
    address_uncontested: bool = False
    """The peer has said, in answer to us, that nothing of the group runs there any more (resources)."""
    conflicts: tuple[tuple[str, str | None], ...] = ()
    """Per address that was probed, who answered the last time, by its hardware address: empty for nobody, None for a
    failed probe (resources)."""
    retry_at_ms: int = 0
    """No resource that failed is started again before this time (resources)."""
    reserve_at_ms: int = 0
    """No leg is reserved again before this time: the last try did not hold it (storage)."""
    startable_legs: tuple[str, ...] = ()
    """The mirror may be started from any of these legs, by the last owner's ledger (ownership)."""
    stamped: tuple[tuple[str, str], ...] = ()
    """The legs' addresses, leg first, that carry our newest record, and have been ours since (peer)."""
    told: tuple[int, ...] = ()
    """The places of the legs that this record calls lacking (peer)."""
    legs_transferred: tuple[str, ...] = ()
    """The legs transferred to the peer so far (storage)."""
    ledger: Ledger | None = None
    """Which legs are written to, and which hold every write; None while the mirror's state is unknown (storage)."""
    ledger_since_ms: int = 0
    """Since when this ledger has been sent to the peer (storage)."""
    renewal_task_id: int = 0
    """The task that renews the generation now, 0 for none (storage)."""
    renewed_ms: int | None = None
    """When the generation was last renewed, None for not yet by this daemon (storage)."""
    marked: tuple[tuple[str, int], ...] = ()
    """The legs of the mirror on which this daemon wrote a generation, each with the last one (storage)."""
    loss_acknowledged: bool = False
    """An operator has checked what the restarted targets of all legs may have lost (mirror)."""

    @property
    def epoch(self) -> int:
        """The epoch at which the group is owned."""
        return self.proof.epoch

    def conflict(self, address: str) -> str | None:
        """The host that answered for an address at its last probe, empty for nobody, None for not known."""
        return dict(self.conflicts).get(address)


@dataclass(frozen=True)
class Unremembered:
    """What runs here may be of a term of an earlier daemon of this boot, whose memory is lost.

    `proof` is the last one that the disk tells of, None for none. `task_id`: the legs' records are being read, 0 for
    not. `read`: they were.
    """

    proof: Proof | None = None
    task_id: int = 0
    read: bool = False


@dataclass(frozen=True)
class Claim:
    """A claim that is out: its number, which its grant repeats, and the epoch that it claims."""

    number: int
    epoch: int
