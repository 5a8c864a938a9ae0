"""One guest: a user-mode-linux kernel in a process namespace of its own.

Power-off kills the first process of that namespace; the kernel of the host then kills every other process in it before
the death is reported. So "off" is a fact, not a hope: nothing of the guest can touch a disk or a wire afterwards.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aoeha.rack.machines.guest_link import GuestLink, Switchboard
from aoeha.rack.machines.host import CHECKOUT, LINUX, RackError, modules_folder
from aoeha.rack.machines.namespaces import UNJUDGED, rank_before_others
from aoeha.rack.machines.network import DRIVER_ADDRESS, SWITCHES, tap_name

__all__ = ["Guest", "GuestPlan", "Interface", "die_with_parent"]

PR_SET_PDEATHSIG = 1
BOOT_S = 60
NEEDLESS = "raid6_select_algo"
"""Computes for 0.9 s which way to do raid 6 is fastest. Nothing in a guest does raid 6."""
RESETS = (b"sysrq: Resetting", b"softdog: Initiating system reboot")
"""A kernel's last words before a reset."""
LOOK_S, RESET_S = 0.5, 1.0
"""How often a kernel's words are read, and how soon after its last ones a reset has ended it."""
LIBC = ctypes.CDLL(None, use_errno=True)


def _begin_guest() -> None:
    die_with_parent()
    rank_before_others()


@dataclass(frozen=True, slots=True)
class Interface:
    """A network card `eth<number>`: its switch, its hardware address, and its address with prefix or empty."""

    number: int
    switch: str
    mac: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class GuestPlan:
    """What a guest is made of. `disks` are files of the host, ubda first; `files` maps path to (text, octal mode).

    `shares` are writable: (folder of the host, where it appears in the guest). They outlive the guest like its disks.
    """

    name: str
    interfaces: tuple[Interface, ...]
    disks: tuple[Path, ...] = ()
    serial: str = ""
    memory_mb: int = 192
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    shares: tuple[tuple[Path, str], ...] = ()


async def _ends_within(process: asyncio.subprocess.Process, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), seconds)
    return process.returncode is not None


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent dies, however that dies (prctl(2))."""
    LIBC.prctl(PR_SET_PDEATHSIG, number)


class Guest:
    """Starts, kills and tells the state of one guest."""

    def __init__(self, plan: GuestPlan, folder: Path, preload: Path, board: Switchboard) -> None:
        self.plan = plan
        self.boots = 0
        self.was_killed = False
        self._console_begin = 0
        self._niceness = UNJUDGED
        self._umid = f"{folder.name}-{plan.name}"
        self._folder = folder
        self._preload = preload
        self._board = board
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._paused: list[int] = []

    @property
    def name(self) -> str:
        """The guest's host name."""
        return self.plan.name

    @property
    def is_on(self) -> bool:
        """Whether any process of the guest is left."""
        return self._process is not None and self._process.returncode is None

    @property
    def up(self) -> GuestLink:
        """The link to the running guest's agent; RackError when it has none."""
        return self._board.link(self.name)

    async def power_on(self, *, after_reset: bool = False) -> None:
        """Start the kernel; returns at once. One that is on stays on, one that was reset and then killed stays off."""
        async with self._lock:
            if self.is_on or (after_reset and self.was_killed):
                return
            self.boots += 1
            self.was_killed = False
            description = self._folder / f"{self.name}.json"
            description.write_text(json.dumps(self._describe()))
            self._arrival = self._board.expect(self.name)
            with self._console().open("ab") as console:
                self._console_begin = console.tell()
                self._process = await asyncio.create_subprocess_exec(
                    *self._command(description),
                    stdin=asyncio.subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=_begin_guest,
                    env=self._environment(), start_new_session=True,
                )  # fmt: skip

    async def wait_up(self) -> GuestLink:
        """Wait until the guest's agent is there."""
        assert self._process is not None
        dead = asyncio.ensure_future(self._process.wait())
        waited: set[asyncio.Future[Any]] = {self._arrival, dead}
        try:
            await asyncio.wait(waited, timeout=BOOT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dead.cancel()
        if not self._arrival.done():
            what = "its kernel ended" if self._process.returncode is not None else f"no sign of life in {BOOT_S} s"
            raise RackError(f"guest {self.name} did not boot: {what}; see {self._folder}/console-{self.name}.txt")
        return self._arrival.result()

    async def boot(self, *, after_reset: bool = False) -> GuestLink:
        """Switch on and wait until the agent is there."""
        await self.power_on(after_reset=after_reset)
        return await self.wait_up()

    async def was_reset(self) -> bool:
        """Wait for the end of all its processes; tell whether its kernel was reset, by itself or by its watchdog.

        Meant to begin anew in the same process, user-mode-linux ends there: softdog's reset aborts it, and after
        sysrq b it finds its own network interfaces busy and halts (6.1, measured). Rarely that abort fails (SIGSEGV in
        its own handler), and it stands there for ever: such a reset is finished here, as hardware would.
        """
        process = self._process
        assert process is not None
        while not await _ends_within(process, LOOK_S):
            if self._says_reset() and not await _ends_within(process, RESET_S):
                self._kill(process)
        self._board.forget(self.name)
        return not self.was_killed and self._says_reset()

    def _says_reset(self) -> bool:
        with self._console().open("rb") as console:
            console.seek(self._console_begin)
            said = console.read()
        return any(words in said for words in RESETS)

    def _kill(self, process: asyncio.subprocess.Process) -> None:
        """Kill the first of its processes, which takes all others with it."""
        for pid in self._first_processes(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _console(self) -> Path:
        return self._folder / f"console-{self.name}.txt"

    async def power_off(self) -> None:
        """Kill it; returns when no process of it is left."""
        async with self._lock:
            process = self._process
            self.was_killed = True
            if process is not None and process.returncode is None:
                self._kill(process)
                try:
                    await asyncio.wait_for(process.wait(), 5)
                except TimeoutError:
                    raise RackError(f"cannot power off {self.name}: its processes don't die") from None
            self._board.forget(self.name)

    def rank(self, niceness: int) -> None:
        """Let all that the guest does, now and after later boots, come before other sessions, or after them."""
        self._niceness = niceness
        if self._process is not None:
            for first in self._first_processes(self._process.pid):
                for kernel in self._children(first):
                    with contextlib.suppress(OSError):
                        Path(f"/proc/{kernel}/autogroup").write_text(str(niceness))

    def pause(self) -> None:
        """Stop the guest's kernel, and with it everything in the guest. Its clocks jump when it continues.

        What the kernel traces is stopped by the kernel's own standstill; a traced process that is stopped besides makes
        the kernel panic when it goes on (measured).
        """
        self._paused = [os.pidfd_open(pid) for pid in self.kernel_processes()]
        self._signal_paused(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, if it has not been switched off meanwhile."""
        self._signal_paused(signal.SIGCONT)
        for descriptor in self._paused:
            os.close(descriptor)
        self._paused = []

    def _signal_paused(self, number: int) -> None:
        for descriptor in self._paused:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)

    def kernel_processes(self) -> list[int]:
        """The guest kernel's own processes: those of its namespace that are not traced."""
        assert self._process is not None
        first = self._first_processes(self._process.pid)[0]
        namespace = Path(f"/proc/{first}/ns/pid").readlink()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                same = (entry / "ns/pid").readlink() == namespace and (entry / "exe").readlink() == LINUX
                if same and "TracerPid:\t0\n" in (entry / "status").read_text():
                    found.append(int(entry.name))
        return found

    @staticmethod
    def _first_processes(pid: int) -> list[int]:
        """The first process of the guest's namespace, which takes all others with it; `pid` itself before it exists."""
        return Guest._children(pid) or [pid]

    @staticmethod
    def _children(pid: int) -> list[int]:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(child) for child in children.read_text().split()] if children.exists() else []

    def _environment(self) -> dict[str, str]:
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LD_PRELOAD": str(self._preload)}

    def _command(self, description: Path) -> list[str]:
        # Its kernel would begin a session of its own, and sessions are ranked as a whole (sched(7), autogroup).
        session = f'echo {self._niceness} 2>/dev/null >/proc/self/autogroup; exec "$@"'
        namespace = ["unshare", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", '"$@"; exit $?', "sh"]
        namespace += ["setsid", "sh", "-c", session, "sh"]
        kernel = [
            str(LINUX), f"mem={self.plan.memory_mb}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
            "quiet", f"umid={self._umid}", f"uml_dir={self._folder}/uml/", "con=null", "con0=null,fd:1", "ssl=null",
            "panic=0", f"initcall_blacklist={NEEDLESS}", "init=/usr/bin/python3", f"AOEHA_GUEST={description}",
        ]  # fmt: skip
        if self.plan.serial:
            kernel.append(f"ssl0=tty:{self.plan.serial}")
        kernel.extend(f"ubd{number}={disk}" for number, disk in enumerate(self.plan.disks))
        for interface in self.plan.interfaces:
            tap, mtu = tap_name(interface.switch, self.name), SWITCHES[interface.switch][1]
            kernel.append(
                f"vec{interface.number}:transport=tap,ifname={tap},depth=128,gro=1,mac={interface.mac},mtu={mtu}"
            )
        return [*namespace, *kernel, "--", "-I", "-S", str(Path(__file__).with_name("guest_init.py"))]

    def _describe(self) -> dict[str, object]:
        interfaces = [
            {
                "name": f"eth{card.number}",
                "mac": card.mac,
                "mtu": SWITCHES[card.switch][1],
                "address": card.address,
            }
            for card in self.plan.interfaces
        ]
        programs = [CHECKOUT] if Path(sys.prefix).is_relative_to(CHECKOUT) else [CHECKOUT, Path(sys.prefix)]
        shares = [{"source": str(path), "target": str(path), "mode": "ro"} for path in programs]
        shares += [{"source": str(path), "target": target, "mode": "rw"} for path, target in self.plan.shares]
        return {
            "name": self.name,
            "driver": DRIVER_ADDRESS,
            "port": self._board.port,
            "checkout": str(CHECKOUT),
            "modules": str(modules_folder()),
            "interfaces": interfaces,
            "shares": shares,
            "files": {path: {"text": text, "mode": mode} for path, (text, mode) in self.plan.files.items()},
        }
