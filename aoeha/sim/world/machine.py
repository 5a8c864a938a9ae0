"""How a gateway comes up, stands still and goes down, and its daemon with it or alone.

What a frozen machine had under way continues when it thaws: its kernel first, then its daemon.
"""

from collections.abc import Mapping, Sequence

from aoeha.core.model.config import LegConfig, PairConfig
from aoeha.core.model.events import MirrorsChanged, TargetStarted
from aoeha.core.model.replacing import replaced
from aoeha.sim.world.daemon import Daemon
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.link import Link
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.power import Power
from aoeha.sim.world.services import Services
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import Storage
from aoeha.sim.world.work import Work
from aoeha.wire.sender import Letter

__all__ = ["IMPORT_MS", "Machine"]

CLOCK_BEGINS_MS = 1_000
"""What a machine's clock shows when it gets power."""
RESTART_MS = 100
"""After so long systemd starts a daemon that was killed; as long again until the first beat leaves."""
IMPORT_MS = 500
"""From the first beat of a restarted daemon until its core runs."""
RING_MAX = 8
"""Messages that a frozen machine's network card keeps for each link."""


class Machine(Gateway):
    """One gateway of the pair, without power at first."""

    def __init__(
        self,
        stage: Stage,
        config: PairConfig,
        boot_ms: int,
        *,
        power: Power,
        storage: Storage,
        services: Services,
        work: Work,
        links: Mapping[str, Link],
    ) -> None:
        super().__init__(config, stage.timeline, stage.resources)
        self.boot_ms = boot_ms
        self.booted = False
        self.daemon: Daemon | None = None
        self.import_ms = IMPORT_MS
        self.runs_at_boot: set[str] = set()
        self.written = self._first_config = config
        self._stage = stage
        self._power = power
        self._storage = storage
        self._services = services
        self._work = work
        self._links = links
        self._asleep_clock_ms = 0
        self._clock_runs_asleep = True
        self._ring: dict[str, list[bytes | Letter]] = {}
        self._daemon_backlog: list[tuple[str, bytes | Letter]] = []

    def distrusted(self) -> list[str]:
        """The devices of which this gateway remembers a false proof."""
        known = [memory.devices for memory in (self.memories.run, self.memories.disk) if memory is not None]
        return [device.name for devices in known for device in devices if device.distrusted]

    def replug(self, devices: Sequence[str]) -> None:
        """Let aoeha.toml mean other outlets of these devices when the next daemon reads it."""
        fences = (replaced(fence, tag=fence.tag + (fence.name in devices)) for fence in self.config.fences)
        self.config = replaced(self.config, fences=tuple(fences))

    def edit(self, without: str) -> None:
        """Let aoeha.toml name a leg or an address less when the next daemon reads it, or differ in something else."""
        groups = tuple(replaced(group, legs=_legs_without(group.legs, without)) for group in self.written.groups)
        self.written = replaced(self.written, groups=groups, config_tag=self.written.config_tag + 1)

    def end_edits(self) -> None:
        """Let it be as it was at first."""
        self.written = self._first_config

    def power_changed(self) -> None:
        """Come up or go down as the power has it."""
        if self._power.supplies(self) and self.chassis_on:
            if not self.alive:
                self._come_up()
        else:
            self.die()

    def die(self) -> None:
        """The kernel is gone, and with it everything that ran."""
        if not self.alive:
            return
        self._end_daemon()
        self.alive = False
        self.frozen = self.paused = False
        self._kernel_backlog.clear()
        self._ring.clear()
        self.active.clear()
        self.lives_until_ms.clear()
        self.spoilt.clear()
        self._storage.forget(self)
        self.memories.lose_run()
        self._work.forget(self)
        self._stage.changed()

    def reset(self) -> None:
        """Reboot at once."""
        self.die()
        self.power_changed()

    def _come_up(self) -> None:
        self.boots += 1
        self.alive = True
        self.boot_id = self._stage.random.randbytes(16).hex()
        self._stage.tell(Observer.booted, self)
        self.booted = False
        self.clock_begins(CLOCK_BEGINS_MS)
        self._run_by_themselves()
        self._stage.timeline.after(self.boot_ms, self._start_after_boot, self.boots)

    def _start_after_boot(self, boots: int) -> None:
        if self.boots == boots and self.alive:
            self.booted = True
            self.by_kernel(self.start_daemon)

    def run_by_itself(self, group: str) -> None:
        """Have everything of a group run here, as soon as there is a kernel: whoever started it, no daemon did."""
        self.runs_at_boot.add(group)
        self._run_by_themselves()

    def _run_by_themselves(self) -> None:
        for group in sorted(self.runs_at_boot) if self.alive else ():
            self.runs_at_boot.discard(group)
            for name in self._stage.resources[group]:
                self._services.run(self, name, tuple(self._storage.shelves))

    def start_daemon(self) -> None:
        """Start aoeha: at once after a boot; after a kill its first beat goes ahead, and the rest follows (R15)."""
        if not self.alive or self.daemon is not None or not self.booted:
            return
        self.left = False
        if self.written is not self._first_config or self.config.config_tag:
            self.config = replaced(self.written, fences=self.config.fences)
        self._work.kill_leftovers(self)
        self.daemon = Daemon(self, self._stage, self._work, self._links)
        slowly = self.import_ms > IMPORT_MS
        if not slowly:
            self.present()
        if self.memories.inheritance is not None:
            self.daemon.send_first_beat(self.memories.inheritance)
        if slowly or self.memories.inheritance is not None:
            self._stage.timeline.after(self.import_ms, self._begin, self.daemon)
        else:
            self.daemon.begin()

    def _begin(self, daemon: Daemon) -> None:
        if daemon is self.daemon and not (self.frozen or self.paused):
            self.present()
        if daemon is self.daemon:
            self.by_kernel(daemon.begin)

    def kill_daemon(self, restart_ms: int | None = RESTART_MS) -> None:
        """End the daemon by kill -9. Tasks under way go on without it until the next daemon ends them."""
        if self.daemon is None:
            return
        self._end_daemon()
        if restart_ms is not None:
            self._stage.timeline.after(restart_ms, self._restart, self.boots)

    def _restart(self, boots: int) -> None:
        if self.boots == boots and self.alive:
            self.by_kernel(self.start_daemon)

    def leave(self) -> None:
        """The daemon ended by itself, after an announced leave."""
        self.left = True
        self.memories.inheritance = None
        self._end_daemon()

    def _end_daemon(self) -> None:
        if self.daemon is not None:
            self.daemon.ended = True
            self.daemon = None
        self.paused = False
        self._daemon_backlog.clear()
        self.absent()
        self._work.orphan(self)

    def pause(self) -> None:
        """The daemon gets no processor; the kernel continues."""
        if self.alive and not self.frozen and not self.paused and self.daemon is not None:
            self.paused = True
            self.absent()

    def freeze(self, *, clock_runs: bool) -> None:
        """The whole machine stands still, as a hypervisor or a suspend does it."""
        if self.alive and not self.frozen:
            self.frozen = True
            self._asleep_clock_ms = self.clock_ms()
            self._clock_runs_asleep = clock_runs
            self.absent()

    def resume(self) -> None:
        """Continue: the kernel with what it had under way, then the daemon with what waits in its sockets."""
        if self.frozen:
            self.frozen = False
            if not self._clock_runs_asleep:
                self.clock_begins(self._asleep_clock_ms)
            backlog, self._kernel_backlog = self._kernel_backlog, []
            for act, arguments in backlog:
                act(*arguments)
            ring, self._ring = self._ring, {}
            self._daemon_backlog.extend((link, data) for link, kept in ring.items() for data in kept)
        self.paused = False
        if self.daemon is not None:
            self.present()
        waiting, self._daemon_backlog = self._daemon_backlog, []
        if self.daemon is not None:
            self.daemon.wake()
            for link, data in waiting:
                if self.daemon is not None:
                    self.daemon.hear(link, data)

    def jump(self, ms: int) -> None:
        """The clock leaps ahead."""
        self.clock_begins(self.clock_ms() + ms)
        if self.daemon is not None:
            self.absent()
            self.absent_since_ms -= ms
            self.present()

    def arrive(self, link: str, data: bytes | Letter) -> None:
        """Bytes come in on a link."""
        if not self.alive or self.daemon is None:
            return
        if self.frozen:
            ring = self._ring.setdefault(link, [])
            if len(ring) < RING_MAX:
                ring.append(data)
        elif self.paused:
            self._daemon_backlog.append((link, data))
        else:
            self.daemon.hear(link, data)

    def hear_target(self, shelf: str, address: str) -> None:
        """A target announces itself; a daemon that does not listen now never hears of it."""
        if self.alive and self.daemon is not None and not self.frozen:
            self.daemon.feed(TargetStarted(self.clock_ms(), shelf, address))

    def hear_mirrors(self) -> None:
        """Tell the daemon that its kernel has changed a mirror by itself."""
        if self.alive and self.daemon is not None and not self.frozen:
            self.daemon.feed(MirrorsChanged(self.clock_ms()))

    def present(self) -> None:
        """From now on this node's daemon hears and is heard without a gap."""
        if self.present_since_ms is None:
            self._stage.tell(Observer.returned, self, self.absent_since_ms)
        self.present_since_ms = self._stage.timeline.now_ms

    def absent(self) -> None:
        """It does not."""
        if self.present_since_ms is not None:
            self.absent_since_ms = self._stage.timeline.now_ms
        self.present_since_ms = None


def _legs_without(legs: tuple[LegConfig, ...], name: str) -> tuple[LegConfig, ...]:
    """The legs without this one, or without this address."""
    kept = (leg for leg in legs if leg.name != name)
    return tuple(replaced(leg, addresses=tuple(a for a in leg.addresses if a != name)) for leg in kept)
