"""Resource agent `aoe`: the kernel's AoE driver, limited to the storage interfaces, with its targets up.

On the standby the driver stays unloaded; stop unloads it. `deadsecs` bounds how long I/O hangs when a shelf is gone
(measured: deadsecs + 1 s; the driver's own default of 180 freezes a mirror for three minutes).
"""

import asyncio
import contextlib
import threading
from functools import partial
from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from aoeha.agents.capabilities import PathDriver
from aoeha.agents.duration_type import Duration
from aoeha.agents.interface import AgentError, Observation, Parameters, ResourceAgent
from aoeha.agents.narrow_types import Interface, Target, beyond_range
from aoeha.agents.ocf_adapter import ocf_main
from aoeha.agents.parts.aoe_driver import CONTROL, addresses_of, is_up, make_node, state_of, write_control
from aoeha.agents.parts.deadsecs_override import LOWERED_S, PATH_TIMING, override_deadsecs
from aoeha.agents.running import must_run, try_run
from aoeha.agents.time_left import time_left_ms
from aoeha.core.model.task import PathFailover, ResourceStatus
from aoeha.io import clock
from aoeha.io.blocking import bounded_call

MODULE = Path("/sys/module/aoe")
SETTINGS = MODULE / "parameters"
SYSFS_DEADLINE_MS = 2_000
"""For a file of the driver, which waits for no shelf."""
READS = 16
"""The driver takes the paths to a target in turn; what else is under way may shift that."""
END_OF_HURRY_S = 0.3
"""How long an override that is no longer wanted may take to restore what it found."""
LOOK_EVERY_S = 0.02
DISCOVER_EVERY_S = 0.5
LAGGARD_S, LAGGARD_SHARE = 1.25, 1 / 2
"""How long the first target that is up waits for the others: they were asked by the same broadcasts, three by then. On
slow shelves, half as long again as that one took."""
TARGETS_SHARE = 1 / 4
"""Of a start's time, for the targets: it is more than the patience only where the core knows that shelves are slow."""
UNLOAD_SHARE = 1 / 2
UNLOAD_PAUSE_S = 0.25


class AoeParameters(Parameters, frozen=True):
    """Which interfaces may carry AoE, which targets ("e1.0") are ours, and how long the driver waits for one."""

    interfaces: Annotated[tuple[Interface, ...], Meta(min_length=1, description="the storage network's interfaces")]
    targets: Annotated[tuple[Target, ...], Meta(min_length=1, description='the shelves\' disks, like "e1.0"')]
    deadsecs: Annotated[int, Meta(ge=1, le=86_400, description="seconds until a silent target's I/O fails")] = 15
    patience_ms: Duration = field(name="patience", default=15_000)

    def __post_init__(self) -> None:
        for target in self.targets:
            if refused := beyond_range(target):
                raise ValueError(f"targets: {refused}")
        for key, words in (("interfaces", self.interfaces), ("targets", self.targets)):
            if len(set(words)) < len(words):
                raise ValueError(f"{key}: expected each of them once")


class AoeAgent(ResourceAgent[AoeParameters], PathDriver):
    """Loads the driver, waits for the targets, unloads it."""

    parameters_type = AoeParameters
    summary = "the AoE driver with the storage interfaces that it may use and the targets that must be up"
    path_timing = PATH_TIMING
    _hurries = False

    async def start(self) -> None:
        """Return when all targets are up, or some of them and patience is spent. None at all is a failure."""
        await self.validate()
        if _loaded():
            await self._adjust()
        else:
            await self._load()
        self._verify()
        up = await self._wait_for_targets()
        if not up:
            raise AgentError(
                f"no shelf answers on {', '.join(self.parameters.interfaces)}: none of "
                f"{', '.join(self.parameters.targets)} came up within {self.parameters.patience_ms} ms; "
                "see `aoeha aoe discover`"
            )
        for target in up:
            await self._make_node(target)

    async def stop(self) -> None:
        """Unload the driver: on a standby its reads would hang on targets that the peer has reserved."""
        if not _loaded():
            return
        failure: AgentError | None = None
        least_ms = time_left_ms() * UNLOAD_SHARE
        while time_left_ms() > least_ms:
            try:
                await must_run(self.host, "modprobe", "--remove", "aoe", to="unload the aoe driver")
            except AgentError as error:
                failure = error
            if not _loaded():
                return
            await asyncio.sleep(UNLOAD_PAUSE_S)
        holders = [target for target in self.parameters.targets if _holders(target)]
        used = f"; in use: {', '.join(holders)}" if holders else ""
        raise AgentError(f"{failure or 'the aoe driver is still loaded after it was removed'}{used}")

    async def monitor(self) -> Observation:
        """Read sysfs. A target that is up need not be reachable: the driver notices only with I/O.

        A driver with another patience than ours gets ours back: a daemon may have died during a path failover.
        """
        if not _loaded():
            return Observation(ResourceStatus.STOPPED)
        if not self._hurries and _read(SETTINGS / "aoe_deadsecs") != str(self.parameters.deadsecs):
            await self._write(SETTINGS / "aoe_deadsecs", str(self.parameters.deadsecs))
        missing = [
            f"{target} is {state_of(target) or 'absent'}" for target in self.parameters.targets if not is_up(target)
        ]
        used = tuple((target, address) for target in self.parameters.targets for address in addresses_of(target))
        if not missing:
            return Observation(ResourceStatus.RUNNING, used=used)
        none = len(missing) == len(self.parameters.targets)
        return Observation(ResourceStatus.FAILED if none else ResourceStatus.DEGRADED, ", ".join(missing), used=used)

    async def fail_over(self, legs: tuple[str, ...], failover: PathFailover) -> None:
        """Make sure that something waits at each silent path, and cut the driver's patience when it has waited enough.

        Without that, the next write to a leg would meet its silent path later, and wait there again.
        """
        if not _loaded():
            raise AgentError(f"cannot leave a path to {' and '.join(legs)}: the aoe driver is not loaded")
        reads = [asyncio.create_task(self._read_by_every_path(target, failover)) for target in legs]
        try:
            await asyncio.sleep(max(failover.begin_ms - clock.now_ms(), 0) / 1_000)
            await self._be_impatient(legs, failover)
        finally:
            for read in reads:
                read.cancel()
            await asyncio.wait(reads)

    async def _read_by_every_path(self, target: str, failover: PathFailover) -> None:
        """Read block after block, by one path after the other, as the driver does, until one does not answer."""
        device, until_ms = CONTROL / target, failover.begin_by_ms + failover.for_ms
        words = ("dd", f"if={device}", "of=/dev/null", "bs=4096", f"count={READS}", "iflag=direct")
        with contextlib.suppress(AgentError):
            await try_run(
                self.host, *words, deadline_ms=max(until_ms - clock.now_ms(), 1), to=f"read {device} by all its paths"
            )

    async def _be_impatient(self, legs: tuple[str, ...], failover: PathFailover) -> None:
        """Have a thread do it, which ends it however this call ends; not where the driver is as impatient always."""
        if self.parameters.deadsecs <= LOWERED_S:
            return
        others = tuple(target for target in self.parameters.targets if target not in legs)
        over, setting = threading.Event(), SETTINGS / "aoe_deadsecs"
        act = partial(override_deadsecs, setting, str(self.parameters.deadsecs), failover, others, over)
        call = asyncio.ensure_future(
            bounded_call(f"hurry with {setting}", act, deadline_ms=failover.for_ms + SYSFS_DEADLINE_MS)
        )
        self._hurries = True
        try:
            await asyncio.shield(call)
        except asyncio.CancelledError:
            over.set()
            await asyncio.wait({call}, timeout=END_OF_HURRY_S)
            raise
        except OSError as error:
            raise AgentError(f"cannot write to {setting}: {error.strerror}") from error
        finally:
            over.set()
            self._hurries = False

    async def validate(self) -> None:
        """Require the interfaces, up."""
        for interface in self.parameters.interfaces:
            flags = _read(Path("/sys/class/net", interface, "flags"))
            if not flags:
                raise AgentError(f"there is no interface {interface} for AoE; see `ip link`")
            if not int(flags, 16) & 1:
                raise AgentError(f"the storage interface {interface} is down; run `ip link set {interface} up`")

    async def _load(self) -> None:
        await must_run(
            self.host, "modprobe", "aoe", f"aoe_iflist={self._interface_list()}",
            f"aoe_deadsecs={self.parameters.deadsecs}",
            to="load the aoe driver",
        )  # fmt: skip

    async def _adjust(self) -> None:
        """Give a driver that is loaded already our settings: both may be changed while it runs."""
        for name, wanted in (("aoe_deadsecs", str(self.parameters.deadsecs)), ("aoe_iflist", self._interface_list())):
            path = SETTINGS / name
            if _read(path) != wanted:
                await self._write(path, wanted)

    def _verify(self) -> None:
        for name, wanted in (("aoe_deadsecs", str(self.parameters.deadsecs)), ("aoe_iflist", self._interface_list())):
            got = _read(SETTINGS / name)
            if got != wanted:
                raise AgentError(
                    f"the aoe driver has {name}={got or 'nothing'} instead of {wanted}; "
                    "look for an `options aoe` line in /etc/modprobe.d"
                )

    async def _wait_for_targets(self) -> tuple[str, ...]:
        """Watch sysfs, asking the shelves again every half second; a lost broadcast is not repeated by the driver."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        discovered = begun
        ends = begun + max(self.parameters.patience_ms, time_left_ms() * TARGETS_SHARE) / 1_000
        while True:
            up = tuple(target for target in self.parameters.targets if is_up(target))
            now = loop.time()
            if len(up) == len(self.parameters.targets) or now > ends:
                return up
            if up:
                ends = min(ends, now + max(LAGGARD_S, (now - begun) * LAGGARD_SHARE))
            if now - discovered > DISCOVER_EVERY_S:
                discovered = now
                await self._ask(up)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _ask(self, up: tuple[str, ...]) -> None:
        """Look for missing targets; one that was given up while open comes back only by revalidate."""
        await self._write(CONTROL / "discover", "1")
        for target in self.parameters.targets:
            if target not in up and state_of(target):
                await self._write(CONTROL / "revalidate", target)

    async def _write(self, path: Path, text: str) -> None:
        """Write to the driver; what it refuses shows in what it does afterwards."""
        try:
            await bounded_call(f"write to {path}", partial(write_control, path, text), deadline_ms=SYSFS_DEADLINE_MS)
        except (OSError, TimeoutError):
            return

    async def _make_node(self, target: str) -> None:
        """Make the device node where neither udev nor devtmpfs does."""
        node = CONTROL / target
        try:
            make_node(str(node))
        except OSError as error:
            raise AgentError(f"cannot make the device node {node}: {error.strerror}") from None

    def _interface_list(self) -> str:
        return ",".join(self.parameters.interfaces)


def _block(target: str) -> Path:
    return Path("/sys/block", f"etherd!{target}")


def _loaded() -> bool:
    return MODULE.exists()


def _holders(target: str) -> bool:
    try:
        return any((_block(target) / "holders").iterdir())
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    ocf_main(AoeAgent)
