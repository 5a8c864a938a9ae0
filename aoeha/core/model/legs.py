"""What a node knows of the legs of a group: which node holds them, the state of a storage fence, and the stamps."""

from dataclasses import dataclass

from aoeha.core.model.beat import Ledger
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder, LockRecord, SeenRecord


@dataclass(frozen=True)
class AddressState:
    """One target address of a leg: its last answer, and since when the answer has been the same.

    `held_epoch`: in which term of ours we last held it, 0 for never. Two fields are about a silent address whose leg
    has others: `answered_ms` is when the last complete reading that it answered was begun, 0 for not known, and
    `failover_ordered` tells that our driver was told to leave it.
    """

    name: str
    holder: Holder = Holder.UNKNOWN
    since_ms: int = 0
    held_epoch: int = 0
    answered_ms: int = 0
    failover_ordered: bool = False
    needs_ms: int = 0

    def held_in(self, epoch: int) -> "AddressState":
        """The same address, last held by us in the term of this epoch; 0 for in none."""
        return replaced(self, held_epoch=epoch)


@dataclass(frozen=True)
class InterfacePath:
    """A storage interface of this node: whether a leg responds there, and since when that has been so.

    `known`: it has answered there since this daemon started.
    """

    interface: str
    heard: bool
    since_ms: int
    known: bool


@dataclass(frozen=True)
class LegState:
    """One leg. A dual-homed shelf has several addresses, each with a reservation of its own.

    `reservation_lost`: a target of the leg has restarted, whether it kept its reservation or not, since the leg was
    last a whole half of the mirror in our ownership; None for not known yet. `suspect`: that happened while a fenced
    peer, not known to be off, could write there. `copying`: the mirror copies onto the leg, or did when it was last
    seen. `copy_in_doubt`: when that copy began no other leg was sound, or a target of this one has restarted since it
    was ordered. `leaving` and `returning`: the mirror is to continue without the leg, or to take it back, once the peer
    knows. `errors` counts how often in a row the leg's target responded and the mirror had to continue without the leg
    all the same; it is not tried again before `rests_until_ms`. `outdated`: what lies there was found to be old, so
    that all of it is copied. `restarted_ms`: when a node that does not own the group found that a target of the leg had
    restarted, None when its owner must know it too. `unlisted_addresses` are addresses by which our driver reaches the
    leg and that the configuration does not name. `paths` are the interfaces by which it was asked, where there are
    several.

    Addresses and paths outlive a term of ownership. Everything else is reset with the next term.
    """

    name: str
    addresses: tuple[AddressState, ...]
    reservation_lost: bool | None = None
    copying: bool = False
    copy_in_doubt: bool = False
    suspect: bool = False
    leaving: bool = False
    returning: bool = False
    errors: int = 0
    rests_until_ms: int = 0
    outdated: bool = False
    restarted_ms: int | None = None
    unlisted_addresses: tuple[str, ...] = ()
    paths: tuple[InterfacePath, ...] = ()

    @property
    def takes_nothing(self) -> bool:
        """Whether nothing that is written to the leg is acknowledged: each address is silent, or a stranger's."""
        return all(address.holder in (Holder.SILENT, Holder.STRANGER) for address in self.addresses)

    def shows(self, holder: Holder) -> bool:
        """Whether every address answered so."""
        return all(address.holder is holder for address in self.addresses)

    def shows_anywhere(self, holder: Holder) -> bool:
        """Whether any address answered so."""
        return any(address.holder is holder for address in self.addresses)


@dataclass(frozen=True)
class ShelvesState:
    """What is asked of the shelves of a group, one task after the other. `task_id` 0: nothing is being asked.

    `asked_ms` is when they were last asked something. `read_ms` is when the last complete answer was asked for, None
    for none that counts, and `glanced_ms` the same of an answer that may lack addresses which are slow. `due`:
    something has happened since then that makes another one due. `patient_id` is the reading beside it that waits
    longer, for silent addresses alone, and `patient_ms` when it was begun.
    """

    task_id: int = 0
    asked_ms: int = 0
    read_ms: int | None = None
    due: bool = False
    patient_id: int = 0
    patient_ms: int = 0
    glanced_ms: int | None = None


@dataclass(frozen=True)
class FailedReturn:
    """A return that failed, and when it began and ended. A reading since is to tell whether the leg fell silent.

    `late`: it did not end in its time. That says nothing about the disk.
    """

    leg: str
    sentence: str
    begun_ms: int
    ended_ms: int
    late: bool = False


@dataclass(frozen=True)
class LegWork:
    """The work on a leg of a running mirror, an eviction or a return: its task, or until when no other is begun.

    `begun_ms` is when the task was begun. `failed` is a return whose failure is not judged yet.
    """

    task_id: int = 0
    retry_ms: int = 0
    begun_ms: int = 0
    failed: FailedReturn | None = None

    def holds_up(self, now_ms: int) -> bool:
        """Whether no other work is begun now."""
        return bool(self.task_id) or now_ms < self.retry_ms


@dataclass(frozen=True)
class HeardLedger:
    """The peer's ledger of an ownership at `epoch`, from a beat that it sent after `as_of_ms` on our clock.

    `known_epoch` is the highest epoch that this node knew of when it heard that.
    """

    boot_id: str
    epoch: int
    ledger: Ledger
    as_of_ms: int
    known_epoch: int


@dataclass(frozen=True)
class StorageFenceState:
    """A storage fence: the peer's legs are preempted, one after the other (R7).

    `victim_boot_id` is the boot that the fence is about, None while there is none. `arbiter` is the leg that is taken
    first. Readings of the shelves that began before `since_ms` do not count. `shown_ms`: when one that does count was
    answered; before a leg is taken by force the records are read since then. `forced`: that was done; from then on the
    fence is finished whatever is heard. `first_ms`: when the first leg was ours. `first_stands`: it still was a while
    later. `done`: every address is ours. `wanted_ms`: since when the group is wanted. `retry_ms`: no new try before
    this time. `yielded_until_ms`: the peer took a leg back, so it is alive and is not fenced until then.
    """

    victim_boot_id: str | None = None
    arbiter: str = ""
    since_ms: int = 0
    shown_ms: int | None = None
    forced: bool = False
    first_ms: int | None = None
    first_stands: bool = False
    done: bool = False
    wanted_ms: int | None = None
    retry_ms: int = 0
    yielded_until_ms: int = 0


@dataclass(frozen=True)
class ShelfLinkState:
    """The disk heartbeat (R6). `seen`: the record of each address as last read. `heard_ms`: when a record had moved.

    `said` is the newest record that was seen to move. `answering`: it was read, and ours is to follow in its place.

    `quiet_since_ms` is when the first of the answered readings without a moved record was asked for, and `read_ms` when
    the last of them was. `looked_ms` is when the last reading that has ended was asked for, answered or not.
    """

    task_id: int = 0
    asked_ms: int = 0
    seen: tuple[SeenRecord, ...] = ()
    heard_ms: int | None = None
    quiet_since_ms: int | None = None
    read_ms: int = 0
    looked_ms: int = 0
    said: LockRecord | None = None
    answering: bool = False


@dataclass(frozen=True)
class HostsState:
    """The reference hosts (R13, R25). So many are `answering` since `since_ms`; None for not known.

    The last answer was asked for at `answered_ms`. More of them answer the peer since `behind_since_ms`, 0 for no more.
    """

    task_id: int = 0
    asked_ms: int = 0
    answering: int | None = None
    answered_ms: int = 0
    since_ms: int = 0
    behind_since_ms: int = 0
