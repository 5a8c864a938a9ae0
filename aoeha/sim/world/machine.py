"""A gateway: its power, its kernel, its clock, and what runs on it whether or not a daemon lives.

`active` says of each resource whether it is `starting` or `running`; a resource that is not listed is stopped. A frozen
machine does nothing at all. What it had under way continues when it thaws: its kernel first, then its daemon.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aoeha.core.model.config import PairConfig
from aoeha.core.model.events import MirrorsChanged, TargetStarted
from aoeha.core.model.memory import Memory
from aoeha.core.model.replacing import replaced
from aoeha.sim.world.daemon import Daemon, RestartState
from aoeha.sim.world.observer import Observer

if TYPE_CHECKING:
    from aoeha.sim.world.world import World

__all__ = ["Machine"]

CLOCK_BEGINS_MS = 1_000
"""What a machine's clock shows when it gets power."""
RESTART_MS = 100
"""After so long systemd starts a daemon that was killed; as long again until the first beat leaves."""
IMPORT_MS = 500
"""From the first beat of a restarted daemon until its core runs."""
RING_MAX = 8
"""Messages that a frozen machine's network card keeps for each link."""


class Machine:
    """One gateway of the pair."""

    def __init__(self, world: "World", config: PairConfig) -> None:
        self.world = world
        self.config = config
        self.name = config.node
        self.boot_ms = world.boot_ms
        self.mains = True
        self.chassis_on = True
        self.alive = False
        self.frozen = False
        self.paused = False
        self.boots = 0
        self.boot_id = ""
        self.booted = False
        self.clock_offset_ms = 0
        self.daemon: Daemon | None = None
        self.memory_run: Memory | None = None
        self.memory_disk: Memory | None = None
        self.inheritance: RestartState | None = None
        self.disk = "ok"
        self.active: dict[str, str] = {}
        self.lives_until_ms: dict[str, int] = {}
        self.worn: set[str] = set()
        self.broken: dict[tuple[str, str], str] = {}
        self.troubled = False
        """Whether something that should run here may have failed, since the boot or for ever."""
        self.left = False
        self.absent_since_ms = 0
        self.present_since_ms: int | None = None
        self._asleep_since_ms = 0
        self._clock_runs_asleep = True
        self._kernel_backlog: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._ring: dict[str, list[bytes]] = {}
        self._daemon_backlog: list[tuple[str, bytes]] = []

    def clock_ms(self) -> int:
        """CLOCK_BOOTTIME here."""
        return self.world.timeline.now_ms + self.clock_offset_ms

    def has_supply(self) -> bool:
        """Whether a cord brings power."""
        return self.mains and self.world.power.feeds(self.name)

    def distrusted(self) -> list[str]:
        """The devices of which this gateway remembers a false proof."""
        known = [memory.devices for memory in (self.memory_run, self.memory_disk) if memory is not None]
        return [device.name for devices in known for device in devices if device.distrusted]

    def replug(self, devices: Sequence[str]) -> None:
        """Let aoeha.toml mean other outlets of these devices when the next daemon reads it."""
        fences = (replaced(fence, tag=fence.tag + (fence.name in devices)) for fence in self.config.fences)
        self.config = replaced(self.config, fences=tuple(fences))

    def power_changed(self) -> None:
        """Come up or go down as the power has it."""
        if self.has_supply() and self.chassis_on:
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
        self.world.storage.forget(self)
        self.inheritance = None
        self.memory_run = None
        self.world.work.forget(self)
        self.world.changed()

    def reset(self) -> None:
        """Reboot at once."""
        self.die()
        self.power_changed()

    def _come_up(self) -> None:
        self.boots += 1
        self.alive = True
        self.boot_id = self.world.random.randbytes(16).hex()
        if not self.broken:
            self.troubled = False
        self.world.tell(Observer.booted, self)
        self.booted = False
        self.clock_offset_ms = CLOCK_BEGINS_MS - self.world.timeline.now_ms
        self.world.timeline.after(self.boot_ms, self._start_after_boot, self.boots)

    def _start_after_boot(self, boots: int) -> None:
        if self.boots == boots and self.alive:
            self.booted = True
            self.by_kernel(self.start_daemon)

    def start_daemon(self) -> None:
        """Start aoeha: at once after a boot; after a kill its first beat goes ahead, and the rest follows (R15)."""
        if not self.alive or self.daemon is not None or not self.booted:
            return
        self.left = False
        self.world.work.kill_leftovers(self)
        self.daemon = Daemon(self)
        self.present()
        if self.inheritance is not None:
            self.daemon.send_first_beat(self.inheritance)
            self.world.timeline.after(IMPORT_MS, self._begin, self.daemon)
        else:
            self.daemon.begin()

    def _begin(self, daemon: Daemon) -> None:
        if daemon is self.daemon:
            self.by_kernel(daemon.begin)

    def kill_daemon(self, restart_ms: int | None = RESTART_MS) -> None:
        """End the daemon by kill -9. Tasks under way go on without it until the next daemon ends them."""
        if self.daemon is None:
            return
        self._end_daemon()
        if restart_ms is not None:
            self.world.timeline.after(restart_ms, self._restart, self.boots)

    def _restart(self, boots: int) -> None:
        if self.boots == boots and self.alive:
            self.by_kernel(self.start_daemon)

    def leave(self) -> None:
        """The daemon ended by itself, after an announced leave."""
        self.left = True
        self.inheritance = None
        self._end_daemon()

    def _end_daemon(self) -> None:
        if self.daemon is not None:
            self.daemon.ended = True
            self.daemon = None
        self.paused = False
        self._daemon_backlog.clear()
        self.absent()
        self.world.work.orphan(self)

    def pause(self) -> None:
        """The daemon gets no processor; the kernel continues."""
        if self.alive and not self.frozen and not self.paused and self.daemon is not None:
            self.paused = True
            self.absent()

    def freeze(self, *, clock_runs: bool) -> None:
        """The whole machine stands still, as a hypervisor or a suspend does it."""
        if self.alive and not self.frozen:
            self.frozen = True
            self._asleep_since_ms = self.world.timeline.now_ms
            self._clock_runs_asleep = clock_runs
            self.absent()

    def resume(self) -> None:
        """Continue: the kernel with what it had under way, then the daemon with what waits in its sockets."""
        if self.frozen:
            self.frozen = False
            if not self._clock_runs_asleep:
                self.clock_offset_ms -= self.world.timeline.now_ms - self._asleep_since_ms
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
        self.clock_offset_ms += ms
        if self.daemon is not None:
            self.absent()
            self.absent_since_ms -= ms
            self.present()

    def by_kernel(self, act: Callable[..., None], *arguments: Any) -> None:
        """Do something on this machine, now or when it thaws; never, if it dies before."""
        if self.frozen:
            self._kernel_backlog.append((act, arguments))
        else:
            act(*arguments)

    def arrive(self, link: str, data: bytes) -> None:
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
            self.world.tell(Observer.returned, self, self.absent_since_ms)
        self.present_since_ms = self.world.timeline.now_ms

    def absent(self) -> None:
        """It does not."""
        if self.present_since_ms is not None:
            self.absent_since_ms = self.world.timeline.now_ms
        self.present_since_ms = None

    def resource_runs(self, name: str, complete: tuple[str, ...] = ()) -> str:
        """A resource is up from now on. Return why it cannot be, empty when it is; a mirror may lack a leg.

        `complete`: the legs from any of which a mirror may be started.
        """
        group = self.world.group_of(name)
        if name == self.world.resources[group][0]:
            fault = self.world.storage.assemble(self, group, complete)
            if fault:
                self.resource_ends(name)
                return fault
        self.active[name] = "running"
        if name == self.world.resources[group][-1]:
            self.world.storage.announced(self, group)
        self.world.changed()
        return ""

    def renew(self, name: str, lifetime_ms: int) -> None:
        """Prolong the life of an address, 0 for ever; the kernel drops it at its end, whatever runs here then (R12)."""
        self.lives_until_ms.pop(name, None)
        if name in self.active and lifetime_ms:
            self.lives_until_ms[name] = self.world.timeline.now_ms + lifetime_ms
            self.world.timeline.after(lifetime_ms, self.by_kernel, self._expire, name, self.boots)

    def _expire(self, name: str, boots: int) -> None:
        due = self.lives_until_ms.get(name, self.world.timeline.now_ms + 1) <= self.world.timeline.now_ms
        if due and self.boots == boots and self.active.get(name) == "running":
            self.world.count("address", "expired")
            self.world.trace.line(self.name, "expired", name, "nobody renewed it")
            self.resource_ends(name)

    def resource_ends(self, name: str) -> None:
        """A resource is not up any more."""
        self.lives_until_ms.pop(name, None)
        group = self.world.group_of(name)
        if name == self.world.resources[group][0]:
            self.world.storage.stop(self, group)
        self.active.pop(name, None)
        self.world.changed()

    def serves(self, group: str) -> bool:
        """Whether clients are answered: everything of the group runs, and the machine does."""
        return self.alive and not self.frozen and self.runs_whole(group)

    def runs_whole(self, group: str) -> bool:
        """Whether all resources of a group run here."""
        return all(self.active.get(name) == "running" for name in self.world.resources[group])

    def runs_any(self, group: str) -> str:
        """A resource of the group that runs here or is being started, empty for none."""
        if not self.active:
            return ""
        return next((name for name in self.world.resources[group] if name in self.active), "")
