"""Finds a target's capabilities and guarantees by queries only. It changes nothing.

A target answers three queries to every host, reserved or not: the config query, IDENTIFY, and command 3
(reserve/release) with its verb "read". A target that answers the last one can keep a gateway out. One that refuses it
as unknown, or does not answer it though it answers the others, cannot. MAC masks are not asked for.

The model name says which program it is, and is trusted only when the target behaves like that program.
The guarantees are facts about those programs. vblade 25 was measured (50 reservations under load: no write landed
after the answer). The others were read in their sources.
"""

from dataclasses import dataclass
from enum import Enum

from aoeha.fabric.aoe.client import ERROR_WORDS, AoeClient, NoAnswerError, RefusedError, TargetAddress, TargetConfig
from aoeha.fabric.aoe.identity import DiskIdentity
from aoeha.fabric.aoe.port import AoeError

__all__ = ["PROMISES", "Capability", "Family", "Promise", "ReservationAnswer", "capability", "probe"]

_VBLADE_MODEL = "Coraid EtherDrive vblade"
_VBLADE_FIRMWARE = 0x40
"""Upper byte of the firmware number in vblade's config answer; the lower one is its version."""
_UNKNOWN_COMMAND = 1


class ReservationAnswer(Enum):
    """A target's answer to a query of its reservation."""

    TOLD = "told"
    UNKNOWN_COMMAND = "unknown command"
    REFUSED = "refused"
    SILENT = "silent"


class Family(Enum):
    """The program behind a target."""

    VBLADE = "vblade"
    GGAOED = "ggaoed"
    KVBLADE = "kvblade"
    QAOED = "qaoed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Promise:
    """What the acknowledgements of a family guarantee. Where that is unknown, the worst is assumed.

    `lands_late`: a write that was taken before a reservation may reach the disk after its acknowledgement.
    `holder_needs_force`: even the holder may change the reservation only by force. `forgets_reservation` and
    `forgets_string`: a restart empties them. `string_set_once`: of several that set an empty config string one
    succeeds. `of_reservation` and `of_write` say it to people.
    """

    lands_late: bool
    holder_needs_force: bool
    forgets_reservation: bool
    forgets_string: bool
    string_set_once: bool
    of_reservation: str
    of_write: str


_NO_RESERVATION = "it keeps no host out"
PROMISES = {
    Family.VBLADE: Promise(
        lands_late=False,
        holder_needs_force=False,
        forgets_reservation=True,
        forgets_string=True,
        string_set_once=True,
        of_reservation="once it has acknowledged a reservation no other host's write lands, taken before or not; each "
        "address of a disk keeps its own, and a restart forgets it and the config string",
        of_write="an acknowledged write is in the shelf's memory and lost with its power, unless vblade runs with -s",
    ),
    Family.GGAOED: Promise(
        lands_late=True,
        holder_needs_force=True,
        forgets_reservation=False,
        forgets_string=False,
        string_set_once=True,
        of_reservation="writes that it took before may still land for seconds after it has acknowledged a reservation; "
        "its holder can change it only by force; it and the config string outlive a restart",
        of_write="it refuses to flush: how safe an acknowledged write is depends on the shelf's disk and settings",
    ),
    Family.KVBLADE: Promise(
        lands_late=True,
        holder_needs_force=True,
        forgets_reservation=True,
        forgets_string=True,
        string_set_once=False,
        of_reservation=f"{_NO_RESERVATION}; two hosts that set its empty config string may both succeed",
        of_write="it answers a flush without flushing: an acknowledged write may be lost with the shelf's power",
    ),
    Family.QAOED: Promise(
        lands_late=True,
        holder_needs_force=True,
        forgets_reservation=True,
        forgets_string=True,
        string_set_once=True,
        of_reservation=f"{_NO_RESERVATION}; a restart forgets its config string",
        of_write="it refuses to flush: an acknowledged write may be lost with the shelf's power",
    ),
    Family.UNKNOWN: Promise(
        lands_late=True,
        holder_needs_force=True,
        forgets_reservation=True,
        forgets_string=True,
        string_set_once=False,
        of_reservation="what an acknowledged reservation is worth is not known: writes that it took before may still "
        "land, its holder may need force, and a restart may forget it and the config string",
        of_write="an acknowledged write may be lost with the shelf's power",
    ),
}
"""From the worst case for kvblade and qaoed too, which have no reservation to be forced or forgotten."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One target address as it showed itself. `disk` is None when it did not identify itself.

    `owners` are the hosts that it is reserved for, None unless it told. `error` is its code when it refused.
    """

    config: TargetConfig
    reservation: ReservationAnswer
    family: Family
    disk: DiskIdentity | None = None
    owners: tuple[bytes, ...] | None = None
    error: int | None = None

    @property
    def address(self) -> TargetAddress:
        """The address."""
        return self.config.address

    @property
    def can_fence(self) -> bool:
        """Whether it supports reservations, so that it can keep a gateway out."""
        return self.reservation is ReservationAnswer.TOLD

    @property
    def promise(self) -> Promise:
        """The guarantees of its family."""
        return PROMISES[self.family]

    @property
    def sentence(self) -> str:
        """Return a sentence with all of it, without the address."""
        if self.can_fence:
            return f"{self._who()}: can fence; {self.promise.of_reservation}; {self.promise.of_write}"
        return f"{self._who()}: can be used with power fencing only: {self._why_not()}; {self.promise.of_write}"

    def _who(self) -> str:
        if self.family is not Family.UNKNOWN:
            return str(self.family.value)
        called = f'calls itself "{self.disk.model}"' if self.disk and self.disk.model else "does not name itself"
        return f"an unknown target ({called})"

    def _why_not(self) -> str:
        match self.reservation:
            case ReservationAnswer.UNKNOWN_COMMAND:
                return "it knows no reservations"
            case ReservationAnswer.SILENT:
                return "it does not answer a query of its reservation, though it answers others"
            case _:
                why = ERROR_WORDS.get(self.error or 0, f"error {self.error}")
                return f"it refuses to tell its reservation: {why}"


async def probe(client: AoeClient, address: TargetAddress, deadline_ms: int = 500) -> Capability:
    """Ask one target address what it can do; at most four questions of `deadline_ms` each.

    NoAnswerError when it answers nothing, or stopped answering meanwhile: that says nothing about what it can do.
    """
    config = await client.read_config(address, deadline_ms)
    disk = await _identity(client, address, deadline_ms)
    try:
        owners = await client.read_reservation(address, deadline_ms)
    except RefusedError as refusal:
        return capability(config, disk, _refused(refusal.code), error=refusal.code)
    except NoAnswerError:
        return capability(await client.read_config(address, deadline_ms), disk, ReservationAnswer.SILENT)
    return capability(config, disk, ReservationAnswer.TOLD, owners=owners)


def capability(
    config: TargetConfig,
    disk: DiskIdentity | None,
    reservation: ReservationAnswer,
    *,
    owners: tuple[bytes, ...] | None = None,
    error: int | None = None,
) -> Capability:
    """Return the program that gave these answers."""
    return Capability(config, reservation, _family(config, disk, reservation), disk, owners, error)


def _family(config: TargetConfig, disk: DiskIdentity | None, reservation: ReservationAnswer) -> Family:
    """Return the family that the name tells, unless the target doesn't behave as that family does.

    Older versions of ggaoed know no reservations; no version of kvblade and qaoed does.
    """
    if disk is None:
        return Family.UNKNOWN
    told = reservation is ReservationAnswer.TOLD
    if disk.model == _VBLADE_MODEL:
        return Family.VBLADE if told and config.firmware >> 8 == _VBLADE_FIRMWARE else Family.UNKNOWN
    words = disk.model.lower().split()
    if Family.GGAOED.value in words:
        return Family.GGAOED
    named = next((family for family in (Family.KVBLADE, Family.QAOED) if family.value in words), Family.UNKNOWN)
    return Family.UNKNOWN if told else named


def _refused(code: int) -> ReservationAnswer:
    return ReservationAnswer.UNKNOWN_COMMAND if code == _UNKNOWN_COMMAND else ReservationAnswer.REFUSED


async def _identity(client: AoeClient, address: TargetAddress, deadline_ms: int) -> DiskIdentity | None:
    try:
        return await client.identify(address, deadline_ms)
    except AoeError:
        return None
