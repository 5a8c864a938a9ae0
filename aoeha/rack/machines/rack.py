"""The whole rack: shelves, gateways, client, switches, null-modem and power switch, made and torn down together."""

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aoeha.rack.machines.evidence_folder import Evidence
from aoeha.rack.machines.guest import Guest, GuestPlan, Interface
from aoeha.rack.machines.guest_agent import TICK_MS as GUEST_TICK_MS
from aoeha.rack.machines.guest_link import GuestEvent, GuestLink, Switchboard, now_ms
from aoeha.rack.machines.guest_stall import watched
from aoeha.rack.machines.host import CHECKOUT, RackError, check_host, preload, prepare_checkout
from aoeha.rack.machines.namespaces import enter_namespaces, mount_terminals, rank_before_others, unmount_terminals
from aoeha.rack.machines.network import DRIVER_ADDRESS, LAN_ADDRESS, connect, make_network
from aoeha.rack.machines.power_switch import PowerSwitch, Switched
from aoeha.rack.machines.prepared_legs import LEGS, PreparedLegs
from aoeha.rack.machines.serial_cable import SerialCable
from aoeha.rack.machines.wires import Wires

__all__ = ["GATEWAYS", "LEG_BYTES", "SERVICE_ADDRESS", "SHELVES", "Rack", "RackOptions", "guest_of"]

GATEWAYS = ("alpha", "beta")
SHELVES = ("shelf1", "shelf2")
CLIENT = "client"
CHECKER = "checker"
BYSTANDER = "bystander"
"""A machine that has no part in anything, but may hang on a plug that should have been a gateway's."""
SERVICE_ADDRESS = "10.77.1.10"
POWER_PORT = 7700
STORAGE = ((1, "san"), (3, "san2"))
"""The cards that carry AoE, with their switches: shelves export their disk on each, by a process of its own."""
LEG_BYTES = 64 << 20
BootAction = Callable[..., Coroutine[None, None, None]]
TICK_MS = 20
STALL_MS = 200
SILENT_MS = 1_000
"""From then on a guest without a sign of life is looked at from outside: it may be killed before it can tell."""
SHARED_MEMORY = Path("/dev/shm")
NUMBERS = {"alpha": 11, "beta": 12, "client": 21, "shelf1": 31, "shelf2": 32, "checker": 41, "bystander": 51}


@dataclass(frozen=True, slots=True)
class RackOptions:
    """`gateway_files` maps a path in both gateways to (text, octal mode). `on_event` sees everything as it happens.

    `prepared`: legs that other racks made; where there are none yet, this one's `make_storage` adds its own.

    `dual_homed`: every shelf exports its disk on a second switch too, and gateways have a card there.
    """

    gateway_files: dict[str, tuple[str, str]] = field(default_factory=dict)
    dual_homed: bool = False
    prepared: PreparedLegs | None = None
    on_event: Callable[[GuestEvent], None] | None = None


def _make_folders() -> tuple[Path, Path]:
    """Two folders of one name. In the first guests read their descriptions: the /dev of their root is not the host's.

    Their disks lie in the second, because a shelf's synchronous writes must not wait for the host's own disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="aoeha-rack-"))
    disks = SHARED_MEMORY / folder.name if SHARED_MEMORY.is_dir() else folder / "disks"
    disks.mkdir()
    return folder, disks


def _card(number: int, switch: str, guest: str, address: str = "") -> Interface:
    return Interface(number, switch, f"02:77:0{number}:00:00:{NUMBERS[guest]:02d}", address)


def guest_of(hardware_address: str) -> str:
    """Return the guest that has an interface with this hardware address, or the address when none has."""
    numbers = {f"{number:02d}": guest for guest, number in NUMBERS.items()}
    known = hardware_address.startswith("02:77:") and hardware_address[8:15] == ":00:00:"
    return numbers.get(hardware_address[-2:], hardware_address) if known else hardware_address


def _hosts() -> str:
    names = {"alpha": "10.77.1.11", "beta": "10.77.1.12", "client": "10.77.1.21", "storage": SERVICE_ADDRESS}
    return "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in names.items())


BASE_FILES = {
    "/etc/hosts": (_hosts(), "644"),
    "/etc/fstab": ("", "644"),
    "/etc/resolv.conf": ("", "644"),
    "/etc/mdadm/mdadm.conf": ("AUTO -all\n", "644"),
    "/etc/modules": ("", "644"),
    "/etc/modules-load.d/aoetools.conf": ("", "644"),
    "/etc/lvm/lvmlocal.conf": ("activation/auto_activation_volume_list = []\n", "644"),
    "/etc/systemd/system/nfs-server.service": ("", "644"),
    "/etc/exports": ("", "644"),
}


class Rack:
    """Use as `async with Rack(evidence) as rack`, in a process of its own: it moves into a new network namespace."""

    def __init__(self, evidence: Evidence, options: RackOptions | None = None) -> None:
        self.evidence = evidence
        self.options = options or RackOptions()
        self.storage = STORAGE if self.options.dual_homed else STORAGE[:1]
        self.guests: dict[str, Guest] = {}
        self.cable = SerialCable()
        self._ticks: dict[str, int] = {}
        self._looked_at: dict[str, int] = {}
        self.boots: Counter[str] = Counter()
        self.folder = self.disks = Path()
        self._board = Switchboard(self._take)
        self._listeners: list[Callable[[GuestEvent], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_boot: BootAction | None = None

    async def __aenter__(self) -> Self:
        check_host()
        prepare_checkout()
        enter_namespaces()
        rank_before_others()
        make_network()
        self.folder, self.disks = _make_folders()
        try:
            await self._build()
        except BaseException:
            await self._tear_down()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tear_down()

    async def _build(self) -> None:
        self._has_storage = self.options.prepared is not None and self.options.prepared.take(self.disks)
        library = preload(self.folder)
        self.wires = Wires(SERVICE_ADDRESS, guest_of)
        await self._board.open(DRIVER_ADDRESS)
        mount_terminals(self.folder / "pts")
        self.cable.open(self.folder / "pts")
        for plan in self._plans():
            connect(plan.name, tuple(card.switch for card in plan.interfaces))
            self.guests[plan.name] = Guest(plan, self.folder, library, self._board)
        plugs = {name: self.guests[name] for name in GATEWAYS}
        self.power = PowerSwitch(plugs, self._log_power, self.power_on, self.power_off)
        await self.power.open(LAN_ADDRESS, POWER_PORT)
        self.spawn(self._watch_stalls())
        self.spawn(self.wires.watch())

    def leg(self, number: int) -> Path:
        """The file that is leg 1 or 2. It outlives its shelf."""
        path = self.disks / LEGS[number - 1]
        if not path.exists():
            with path.open("wb") as file:
                file.truncate(LEG_BYTES)
        return path

    def copy(self, number: int) -> Path:
        """The file to which leg 1 or 2 is copied for the checker."""
        return self.disks / f"copy{number}.img"

    def _plans(self) -> list[GuestPlan]:
        plans = []
        for number, shelf in enumerate(SHELVES, 1):
            cards = (*self._storage_cards(shelf), _card(2, "mgt", shelf, f"10.77.9.{NUMBERS[shelf]}/24"))
            plans.append(GuestPlan(shelf, cards, disks=(self.leg(number),), memory_mb=128, files=BASE_FILES))
        for end, gateway in enumerate(GATEWAYS):
            cards3 = (
                _card(0, "lan", gateway, f"10.77.1.{NUMBERS[gateway]}/24"),
                *self._storage_cards(gateway),
                _card(2, "mgt", gateway, f"10.77.9.{NUMBERS[gateway]}/24"),
            )
            files = {**BASE_FILES, **self.options.gateway_files}
            state = self.evidence.folder.resolve() / f"state-{gateway}"
            state.mkdir(exist_ok=True)
            plans.append(
                GuestPlan(
                    gateway,
                    cards3,
                    serial=self.cable.ends[end],
                    memory_mb=256,
                    files=files,
                    shares=((state, "/var/lib/aoeha"),),
                )
            )
        cards = (_card(0, "lan", CLIENT, "10.77.1.21/24"), _card(2, "mgt", CLIENT, "10.77.9.21/24"))
        plans.append(GuestPlan(CLIENT, cards, files=BASE_FILES))
        copies = (self.copy(1), self.copy(2))
        checker = (_card(2, "mgt", CHECKER, f"10.77.9.{NUMBERS[CHECKER]}/24"),)
        plans.append(GuestPlan(CHECKER, checker, disks=copies, files=BASE_FILES))
        bystander = (_card(2, "mgt", BYSTANDER, f"10.77.9.{NUMBERS[BYSTANDER]}/24"),)
        plans.append(GuestPlan(BYSTANDER, bystander, memory_mb=128, files=BASE_FILES))
        return plans

    def _storage_cards(self, guest: str) -> tuple[Interface, ...]:
        return tuple(_card(number, switch, guest) for number, switch in self.storage)

    async def boot(self, *names: str) -> None:
        """Boot guests side by side and prepare them: shelves start to export."""
        await asyncio.gather(*(self._boot(name) for name in names))

    async def _boot(self, name: str, *, by_itself: bool = False) -> None:
        self.evidence.note(name, "power", state="on")
        guest = self.guests[name]
        if name in GATEWAYS:
            self.cable.flush(GATEWAYS.index(name))
        try:
            await self._bring_up(name, guest, by_itself=by_itself)
        except RackError:
            # A plug that is pulled while the guest boots is no failure of the rack.
            if not guest.was_killed:
                raise

    async def _mind(self, name: str, guest: Guest) -> None:
        """Boot a guest again whose kernel was reset, as a machine does."""
        if await guest.was_reset():
            self.evidence.note(name, "reset")
            await self._boot(name, by_itself=True)

    async def _bring_up(self, name: str, guest: Guest, *, by_itself: bool) -> None:
        began = now_ms()
        link = await guest.boot(after_reset=by_itself)
        self.spawn(self._mind(name, guest))
        self.evidence.note(name, "booted", took_ms=now_ms() - began)
        if name in SHELVES:
            number = SHELVES.index(name) + 1
            for card, switch in self.storage:
                argv = ["vblade", "-s", str(number), "0", f"eth{card}", "/dev/ubda"]
                await link.ask("serve", name=f"vblade on {switch}", argv=argv)
        if self._on_boot is not None:
            await self._on_boot(name, link, by_itself=by_itself)

    def rank(self, niceness: int) -> None:
        """Have the guests, now and after later boots, come before or after what else this machine does."""
        for guest in self.guests.values():
            guest.rank(niceness)

    def on_boot(self, action: BootAction) -> None:
        """Have something done in each guest that comes up from now on: `action(name, link, by_itself=...)`.

        `by_itself` where its kernel was reset with nobody touching its plug.
        """
        self._on_boot = action

    def link(self, name: str) -> GuestLink:
        """The agent in a running guest."""
        return self.guests[name].up

    async def power_on(self, name: str) -> None:
        """Switch a guest on; the work that follows its boot is done in the background."""
        if not self.guests[name].is_on:
            self.spawn(self._boot(name))
            await asyncio.sleep(0)

    async def power_off(self, name: str) -> None:
        """Pull a guest's plug; returns when nothing of it runs."""
        was_on = self.guests[name].is_on
        await self.guests[name].power_off()
        self._ticks.pop(name, None)
        if was_on:
            self.evidence.note(name, "power", state="off")

    def rewire(self, plug: str, guest: str) -> None:
        """Have the power switch's plug feed another guest from now on; any word that is no guest: nothing."""
        self.power.rewire(plug, self.guests.get(guest))
        self.tell("rewired", plug=plug, feeds=guest)

    async def pause(self, name: str, time_ms: int) -> None:
        """Have a guest stand still and go on."""
        guest = self.guests[name]
        self.tell("paused", node=name)
        self._ticks.pop(name, None)
        guest.pause()
        try:
            await asyncio.sleep(time_ms / 1000)
        finally:
            self._ticks.pop(name, None)
            guest.resume()
        self.tell("resumed", node=name, was_killed=guest.was_killed)

    async def make_storage(self) -> None:
        """Run etc/make-storage.sh, as an operator would, on the first gateway, unless another run's were copied."""
        if self._has_storage:
            return
        script = CHECKOUT / "etc" / "make-storage.sh"
        await self.link(GATEWAYS[0]).must("sh", str(script), "--zeroed", deadline_ms=60_000)
        if self.options.prepared is not None:
            await asyncio.to_thread(self.options.prepared.keep, self.disks)

    def listen(self, listener: Callable[[GuestEvent], None]) -> None:
        """Call back with every event of every guest."""
        self._listeners.append(listener)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do something in the background until the rack ends; its failure is noted as evidence."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.evidence.note("rack", "failed", sentence=f"{type(error).__name__}: {error}")

    def _take(self, event: GuestEvent) -> None:
        if event.kind == "hello":
            self.boots[event.guest] += 1
        if event.kind in {"tick", "hello"}:
            late_ms = event.at_ms - self._ticks.get(event.guest, event.at_ms) - GUEST_TICK_MS
            if event.kind == "tick" and late_ms >= STALL_MS:
                self.evidence.note(event.guest, "stalled", stalled_ms=late_ms)
            self._ticks[event.guest] = event.at_ms
            if event.kind == "tick":
                return
        self.evidence.take(event)
        if self.options.on_event is not None:
            self.options.on_event(event)
        for listener in self._listeners:
            listener(event)

    def _log_power(self, switched: Switched) -> None:
        self.tell(
            "request", who="power-switch", client=switched.client, request=switched.request, answer=switched.answer
        )

    def tell(self, kind: str, who: str = "rack", **facts: object) -> None:
        """Write down, and tell listeners, what the driver did."""
        self.evidence.note(who, kind, **facts)
        event = GuestEvent(now_ms(), who, kind, dict(facts))
        for listener in self._listeners:
            listener(event)

    async def _watch_stalls(self) -> None:
        before = now_ms()
        while True:
            await asyncio.sleep(TICK_MS / 1000)
            after = now_ms()
            stalled = after - before - TICK_MS
            if stalled >= STALL_MS:
                self.evidence.note("host", "stalled", stalled_ms=stalled)
            for name, tick_ms in self._ticks.items():
                if after - tick_ms >= SILENT_MS and self._looked_at.get(name) != tick_ms and self.guests[name].is_on:
                    self._looked_at[name] = tick_ms
                    self.spawn(self._look_from_outside(name))
            before = after

    async def _look_from_outside(self, name: str) -> None:
        with contextlib.suppress(OSError):
            self.evidence.note(name, "silent", processes=await watched(self.guests[name].kernel_processes()))

    async def _tear_down(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        results = await asyncio.gather(*(guest.power_off() for guest in self.guests.values()), return_exceptions=True)
        if hasattr(self, "power"):
            await self.power.close()
        if hasattr(self, "wires"):
            self.evidence.save("wires.json", self.wires.close())
        await self._board.close()
        if self.cable.ends[0]:
            self.cable.close()
        unmount_terminals(self.folder / "pts")
        for console in self.folder.glob("console-*.txt"):
            shutil.copy(console, self.evidence.folder)
        self.evidence.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.disks, ignore_errors=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise RackError(f"cannot tear the rack down: {failures[0]}")
