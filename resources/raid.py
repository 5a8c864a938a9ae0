"""Resource agent `raid`: a RAID1 of named legs, assembled by UUID and never by scan.

The resync that follows a crash is held back (`frozen`) while the service comes up: it would compete with the journal
replay of the mount (measured: the mount takes 1.1 s with it, 0.1 to 0.5 s without). It is let go a few seconds after
the start; monitor lets it go too, for the case that the daemon was killed in between. For as long as the daemon says
that nothing may be copied between the legs it is not let go at all: then it is held back before the array can be
written to, for md begins it with the first write (measured: assembled read-only, frozen, made active, nothing runs).
"""

import asyncio
import os
import re
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from aoeha.agents.capabilities import PATIENCE_MS, LegSet
from aoeha.agents.duration_type import Duration
from aoeha.agents.interface import AgentError, LateError, Observation, Parameters, ResourceAgent
from aoeha.agents.narrow_types import DevicePath
from aoeha.agents.ocf_adapter import ocf_main
from aoeha.agents.parts import generation_record
from aoeha.agents.parts.aoe_driver import target_of
from aoeha.agents.parts.hanging_files import tell_kernel
from aoeha.agents.parts.md_member import Leg, evict_leg, return_leg
from aoeha.agents.parts.md_sysfs import (
    ArrayState,
    array_of,
    array_state,
    block_name,
    end_readonly,
    has_room_before_data,
    mark_write_mostly,
    resync_action,
)
from aoeha.agents.parts.superblock import METADATA, examine
from aoeha.agents.running import must_run, said, try_run
from aoeha.agents.time_left import time_left_ms
from aoeha.core.model.superblock import Superblock
from aoeha.core.model.task import ExaminedLeg, GenerationsWritten, MirrorLimits, ResourceStatus, SuperblocksRead
from aoeha.core.storage import leg_sentences
from aoeha.core.storage.start_choice import Refusal, choose
from aoeha.io.blocking import bounded_call
from aoeha.io.host import Host
from aoeha.preflight import Finding, SharedArray, array_findings

RAID1_MODULE = Path("/sys/module/raid1")
STOP_PAUSE_S = 0.25
STOP_SHARE = 1 / 2
"""So much of a stop's time the array may be in use by others; then who asks is told."""
RELEASE_DEADLINE_MS = 10_000
LOOK_DEADLINE_MS = 2_000
"""For files of this host: what hangs there waits for no shelf."""


class Marked(Enum):
    """What came of a leg that was to be marked, in the order in which `GenerationsWritten` has them."""

    WRITTEN = "written"
    EXCHANGED = "exchanged"
    REFUSED = "refused"


class RaidParameters(Parameters, frozen=True):
    """`device` is the array's node, `uuid` its UUID as mdadm prints it, `legs` the disks that may be its members."""

    device: DevicePath
    uuid: Annotated[str, Meta(description='the array\'s UUID as `mdadm --detail` prints it, "8:8:8:8" hex digits')]
    legs: Annotated[tuple[DevicePath, ...], Meta(min_length=2, description="the devices of the mirror's halves")]
    hold_resync_ms: Duration = field(name="hold_resync", default=5_000)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{8}(:[0-9a-f]{8}){3}", self.uuid):
            raise ValueError(f"uuid: expected four groups of eight hex digits joined by colons, got {self.uuid!r}")
        if len(set(self.legs)) < len(self.legs):
            raise ValueError("legs: expected each device once; a mirror of one disk with itself keeps nothing twice")


class RaidAgent(ResourceAgent[RaidParameters], LegSet):
    """Assembles, watches and stops one mirror."""

    parameters_type = RaidParameters
    summary = "a RAID1 of named legs, assembled by UUID and never by scan"

    def __init__(self, name: str, parameters: RaidParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self.root = Path("/")
        self._release: asyncio.Task[None] | None = None
        self._copies_nothing = False

    async def start(self) -> None:
        """Start without a daemon, as an OCF agent: what the core chooses by the legs alone, or refuses."""
        found = await self.read_superblocks()
        choice = choose(found, ())
        if isinstance(choice, Refusal):
            why = leg_sentences.why_not_start(found.array, found.uuid, choice)
            raise AgentError(f"cannot start {found.array}: {why}")
        legs = tuple(leg.name for leg in found.legs if leg.device in choice.legs)
        await self.start_from(legs, MirrorLimits(), short=choice.short)

    async def read_superblocks(self, legs: tuple[str, ...] = (), patience_ms: int = PATIENCE_MS) -> SuperblocksRead:
        """Get ready for a start and examine legs, if their array does not run. One that hangs holds up no other."""
        device, uuid, asked = self.parameters.device, self.parameters.uuid, legs
        legs = self.parameters.legs
        if self._running() is not None:
            return SuperblocksRead(device, uuid, running=True)
        await self._get_ready("start")
        present = await _present(tuple(leg for leg in legs if not asked or _named(leg) in asked))
        answers = await asyncio.gather(*(self._examine(leg, patience_ms) for leg in present))
        late = {leg for leg, answer in zip(present, answers, strict=True) if answer is None}
        records = {name: record for answer in answers for name, record in (answer or {}).items()}
        generations = await self._read_generations(tuple(records), patience_ms)
        late |= records.keys() - generations.keys()
        found = (
            ExaminedLeg(_named(leg), leg, leg in present, late=leg in late)
            if leg in late
            else ExaminedLeg(_named(leg), leg, leg in present, records.get(leg), generation=generations.get(leg))
            for leg in legs
        )
        return SuperblocksRead(device, uuid, tuple(found))

    async def _read_generations(self, legs: tuple[str, ...], patience_ms: int) -> dict[str, int | None]:
        """Read the generations of legs that have a superblock. A leg that does not answer in time is not among them."""
        places = [generation_record.Place(leg, self.parameters.uuid, target_of(leg) or leg) for leg in legs]
        reads = (generation_record.read(self.host, place, patience_ms) for place in places)
        marks = await asyncio.gather(*reads, return_exceptions=True)
        found: dict[str, int | None] = {}
        for leg, mark in zip(legs, marks, strict=True):
            if isinstance(mark, generation_record.Mark):
                found[leg] = mark.number or None
            elif not isinstance(mark, AgentError):
                raise mark
        return found

    async def start_from(self, legs: tuple[str, ...], limits: MirrorLimits, *, short: bool) -> None:
        """Assemble; without `short` mdadm refuses fewer legs than their superblocks expect."""
        if (running := self._running()) is not None:
            await self._heed(running, limits)
            return
        devices = tuple(leg for leg in self.parameters.legs if _named(leg) in legs)
        await self._assemble(devices, short=short, readonly=limits.freeze_resync)
        array = self._running()
        if array is None:
            raise AgentError(f"cannot start {self.parameters.device}: mdadm reported success but no array is active")
        await self._heed(array, limits)
        if not limits.freeze_resync:
            await self._hold_resync(array)

    async def stop(self) -> None:
        """Stop whatever array has our legs. A short-lived user of the device (a probe) is waited for."""
        self._let_go_later(None)
        failure = "mdadm reported success, but it is still there"
        least_ms = time_left_ms() * STOP_SHARE
        while time_left_ms() > least_ms:
            array = self._array()
            if array is None:
                self._remove_dangling_link()
                return
            completed = await try_run(self.host, "mdadm", "--stop", f"/dev/{array.name}", to=f"stop {array.name}")
            if completed.returncode != 0:
                failure = said(completed)
                await asyncio.sleep(STOP_PAUSE_S)
        if (array := self._array()) is not None:
            raise AgentError(f"cannot stop {self.parameters.device} ({array.name}): {failure}")

    async def monitor(self) -> Observation:
        """Read sysfs. A mirror that lost a leg is degraded."""
        return await self.look(MirrorLimits())

    async def look(self, limits: MirrorLimits) -> Observation:
        """Monitor; hold back, or let go, what md would copy between its legs, and keep it from reading some."""
        array = self._array()
        if array is None or array.state == "inactive":
            return Observation(ResourceStatus.STOPPED)
        if not self._is_ours(array):
            return Observation(ResourceStatus.FAILED, self._assembled_by_others(array))
        await self._heed(array, limits)
        if not array.working or array.state == "broken":
            return Observation(ResourceStatus.FAILED, f"{array.name} has no working leg")
        if len(array.working) < array.wanted:
            lost = [leg for leg in self.parameters.legs if block_name(leg) not in array.working]
            copying, gone = self._lacking(array)
            rebuilding = "; it is being rebuilt" if copying else ""
            counted = f"{len(array.working)} of {array.wanted} legs work"
            reason = f"{counted}, without {', '.join(lost)}{rebuilding}"
            last = self._write_mostly()
            return Observation(ResourceStatus.DEGRADED, reason, gone, write_mostly=last, copying=copying)
        held = "its legs are made equal when the other gateway cannot write any more" if self._copies_nothing else ""
        return Observation(ResourceStatus.RUNNING, held, write_mostly=self._write_mostly())

    async def renew(self, legs: tuple[tuple[str, int], ...], generation: int) -> GenerationsWritten:
        """Mark the legs of the mirror that runs here, each by processes of its own that can be killed."""
        to = f"renew the generation of {self.parameters.device}"
        array = self._running_for(to)
        marked = await asyncio.gather(
            *(self._mark(self._leg(leg, to), array, least, generation) for leg, least in legs)
        )
        names = [leg for leg, _ in legs]
        return GenerationsWritten(
            *(tuple(leg for leg, found in zip(names, marked, strict=True) if found is kind) for kind in Marked)
        )

    async def _mark(self, leg: Leg, array: ArrayState, least: int, generation: int) -> Marked:
        place = generation_record.Place(leg.device, leg.uuid, leg.target)
        found = await generation_record.read(self.host, place, time_left_ms() // 2)
        if found.number < least:
            return Marked.EXCHANGED
        if not found.is_free or not has_room_before_data(array.name, block_name(leg.device)):
            return Marked.REFUSED
        await generation_record.write(self.host, place, generation, time_left_ms())
        return Marked.WRITTEN

    async def evict(self, leg: str) -> None:
        """Continue without a leg whose shelf is silent; I/O that waits for it ends. The last working leg stays."""
        to = f"let {self.parameters.device} go on without {leg}"
        await evict_leg(self._leg(leg, to), self._running_for(to))

    async def take_back(self, leg: str, *, whole: bool, outdated: bool = False) -> None:
        """Return a leg to the mirror, by the bitmap where it may be trusted. The copy is never held back."""
        to = f"take {leg} back into {self.parameters.device}"
        subject, array = self._leg(leg, to), self._running_for(to)
        self._let_go_later(None)
        if array.action == "frozen":
            await self._set_action(array.name, "idle")
        await return_leg(self.host, subject, array, whole=whole, outdated=outdated)

    def _lacking(self, array: ArrayState) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Name the targets of the legs that do not work: those that are being rebuilt, and those that are gone."""
        lacking = [leg for leg in self.parameters.legs if block_name(leg) not in array.working]
        rebuilt = [leg for leg in lacking if array.is_rebuilding(block_name(leg))]
        copying = tuple(target for leg in rebuilt if (target := target_of(leg)))
        return copying, tuple(target for leg in lacking if leg not in rebuilt and (target := target_of(leg)))

    def _write_mostly(self) -> tuple[str, ...]:
        """Name the targets of the working legs that md reads only where no other one has the data."""
        array = self._array()
        last = [member for member in array.working if member in array.write_mostly] if array is not None else []
        return tuple(target for leg in self.parameters.legs if block_name(leg) in last and (target := target_of(leg)))

    def _leg(self, target: str, to: str) -> Leg:
        device = next((leg for leg in self.parameters.legs if target_of(leg) == target), None)
        if device is None:
            raise AgentError(f"cannot {to}: {self.name} has no leg on {target}; correct `legs` in aoeha.toml")
        return Leg(self.parameters.device, self.parameters.uuid, device, target)

    def _running_for(self, to: str) -> ArrayState:
        array = self._array()
        if array is None or array.state == "inactive" or not self._is_ours(array):
            raise AgentError(f"cannot {to}: the mirror does not run here")
        return array

    async def validate(self) -> None:
        """Refuse on a host that would touch the legs by itself; load md's module ahead of the takeover."""
        await self._get_ready("check")

    async def _get_ready(self, purpose: str) -> None:
        found = await self._findings(purpose)
        if found:
            first, *others = found
            rest = f" and {len(others)} more" if others else ""
            raise AgentError(
                f"cannot start {self.parameters.device}: this host would touch its legs by itself, whoever owns them: "
                f"{first.sentence}; run `{first.fix}` (`aoeha check --host` lists it{rest}, `--fix` fixes what it can)"
            )
        if not _module_is_loaded():
            await must_run(self.host, "modprobe", "raid1", to="load md's raid1")

    async def _findings(self, purpose: str) -> tuple[Finding, ...]:
        """Look at this host's files, beside the loop: a disk that hangs must not hang the beats."""
        array = SharedArray(self.parameters.device, self.parameters.uuid, self.parameters.legs)
        try:
            return await bounded_call(
                f"look at what this host does by itself ({purpose} of {self.name})",
                partial(array_findings, self.root, (array,)),
                deadline_ms=LOOK_DEADLINE_MS,
            )
        except TimeoutError as error:
            raise AgentError(f"cannot start {self.parameters.device}: {error}") from error

    async def _examine(self, leg: str, patience_ms: int) -> dict[str, Superblock] | None:
        """Read a leg's superblock, None when it does not answer in time."""
        try:
            return await examine(self.host, leg, patience_ms)
        except LateError:
            return None

    async def _assemble(self, legs: tuple[str, ...], *, short: bool, readonly: bool) -> None:
        """Assemble exactly these legs. A leg that calls the others failed starts without --run."""
        device = self.parameters.device
        if not legs:
            raise AgentError(
                f"cannot start {device}: it ran a moment ago, so its legs were not read, and it does not run any more"
            )
        how = (*(("--run",) if short else ()), *(("--readonly",) if readonly else ()))
        await must_run(
            self.host, "mdadm", "--assemble", *how, device, f"--uuid={self.parameters.uuid}", METADATA, *legs,
            to=f"assemble {device} from {', '.join(legs)}",
        )  # fmt: skip

    async def _heed(self, array: ArrayState, limits: MirrorLimits) -> None:
        """Freeze or thaw md's copying between whole legs, and have it read some last. Then it may be written to.

        A copy onto a leg that came back is never held up, nor a check, which changes nothing.
        """
        self._copies_nothing = limits.freeze_resync and array.unclean and len(array.working) > 1
        frozen = array.action == "frozen"
        if self._copies_nothing:
            self._let_go_later(None)
            if not frozen and array.action != "check":
                frozen = await self._set_action(array.name, "frozen")
        elif frozen and self._release is None:
            await self._set_action(array.name, "idle")
        if array.state == "readonly":
            if self._copies_nothing and not frozen:
                raise AgentError(
                    f"cannot start {self.parameters.device}: md does not hold back its resync; see `dmesg`"
                )
            await self._tell(end_readonly(array.name))
        for leg in self.parameters.legs:
            member = block_name(leg)
            if target_of(leg) in limits.write_mostly and member in array.working and member not in array.write_mostly:
                await self._tell(mark_write_mostly(array.name, member))

    async def _hold_resync(self, array: ArrayState) -> None:
        if self.parameters.hold_resync_ms and len(array.members) > 1:
            await self._set_action(array.name, "frozen")
            self._let_go_later(array.name)

    def _let_go_later(self, name: str | None) -> None:
        """Begin the countdown for this array; None ends a countdown at once."""
        if self._release is not None:
            self._release.cancel()
            self._release = None
        if name is not None:
            self._release = asyncio.create_task(self._let_go(name), name=f"let {name} resync")

    async def _let_go(self, name: str) -> None:
        try:
            await asyncio.sleep(self.parameters.hold_resync_ms / 1000)
        finally:
            # On cancellation too: a frozen array would never resync, nor take a leg back.
            if not self._copies_nothing:
                await self._tell(resync_action(name, "idle"), RELEASE_DEADLINE_MS)
            self._release = None

    async def _set_action(self, name: str, action: str) -> bool:
        """Freeze or thaw. Tells whether md took it."""
        return await self._tell(resync_action(name, action))

    async def _tell(self, order: tuple[Path, str], deadline_ms: int | None = None) -> bool:
        """Tell md something in sysfs; whether it took it is told, and seen at the next look."""
        try:
            await tell_kernel(self.host, order, deadline_ms=deadline_ms)
        except AgentError:
            return False
        return True

    def _array(self) -> ArrayState | None:
        """Return the array that has one of our legs, or whose node is ours."""
        names = [array_of(leg) for leg in self.parameters.legs] + [block_name(self.parameters.device)]
        states = [array_state(name) for name in names if name]
        return next((state for state in states if state is not None), None)

    def _running(self) -> ArrayState | None:
        """Return our array if it runs. Raises AgentError when a foreign array has our legs."""
        array = self._array()
        if array is None or array.state == "inactive":
            return None
        if not self._is_ours(array):
            raise AgentError(f"cannot start {self.parameters.device}: {self._assembled_by_others(array)}")
        return array

    def _is_ours(self, array: ArrayState) -> bool:
        return block_name(self.parameters.device) == array.name

    def _assembled_by_others(self, array: ArrayState) -> str:
        return (
            f"its legs are in use by {array.name}, which aoeha did not assemble; find out what did "
            f"(`aoeha check --host`) and run `mdadm --stop /dev/{array.name}`"
        )

    def _remove_dangling_link(self) -> None:
        link = Path(self.parameters.device)
        if link.is_symlink() and not link.exists():
            link.unlink(missing_ok=True)


def _named(leg: str) -> str:
    """Return the name by which the core knows a leg: its target, or its device where it lies on none."""
    return target_of(leg) or leg


def _module_is_loaded() -> bool:
    return RAID1_MODULE.exists()


async def _present(legs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the legs that have a device node; one whose lookup hangs counts as absent."""

    async def is_there(leg: str) -> bool:
        try:
            return await bounded_call(f"look at {leg}", partial(os.path.exists, leg), deadline_ms=LOOK_DEADLINE_MS)
        except TimeoutError:
            return False

    found = await asyncio.gather(*(is_there(leg) for leg in legs))
    return tuple(leg for leg, there in zip(legs, found, strict=True) if there)


if __name__ == "__main__":
    ocf_main(RaidAgent)
