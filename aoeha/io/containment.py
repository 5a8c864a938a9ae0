"""Everything that one call of a program has started, so that all of it can be ended.

A process group contains nothing: timeout(1), job control (`set -m`) and setsid leave it, and a power-off that was given
up would land later. So each call gets a cgroup of its own (version 2). The program enters it before it is executed, its
children are born into it, and nothing but root leaves it. cgroup.kill ends all of them at once.

Each child carries a mark in its environment besides. When a call is given up, what bears the mark, and what descends
from it, is ended one by one. That is all there is where this process may make no cgroup (it runs by hand, in an old
unit, or on a machine without version 2): there a process that has cleared its environment and lost its parent escapes.

What a start leaves behind on purpose, a resource's daemons, lies below a cgroup of the resource (or carries its name in
the mark). It outlives this daemon, and ends with the resource's stop.

What this file does not know: why a call ends.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aoeha.io.blocking import bounded_call
from aoeha.io.host import Place
from aoeha.io.mounts import mounts

__all__ = ["MARKER_NAME", "Container", "Containers", "cgroup_of", "kill_leftovers"]

MARKER_NAME = "AOEHA_TASK"
DEATH_PATIENCE_MS = 200
LOOK_EVERY_S = 0.005
SYSTEMD_RUNS = Path("/run/systemd/system")
"""It exists where systemd manages the machine (sd_booted(3))."""
JOIN = '{ echo 0 > "$0"; echo 0 > /proc/self/oom_score_adj; } 2>/dev/null; unset PWD OLDPWD; exec "$@"'
"""What does not get in runs all the same, held by its mark: a fence must not fail because a cgroup does.

When memory runs out the kernel spares the daemon (OOMScoreAdjust= of the unit), and not what it has started.
"""


@dataclass(slots=True)
class Container:
    """What one call starts. `service` names the resource whose start it is, empty for any other call."""

    call: str
    service: str
    directory: Path | None

    def entering(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the command line that runs a program in this container."""
        if self.directory is None:
            return argv
        return ("/bin/sh", "-c", JOIN, str(self.directory / "cgroup.procs"), *argv)

    @property
    def mark(self) -> str:
        """The end of the mark of its processes."""
        return f" call={self.call} service={self.service}"


class Containers:
    """Makes the containers of one daemon, and ends them."""

    def __init__(self, place: Place) -> None:
        self._marker = _marker(place)
        self._root = cgroup_of(place)
        # A daemon that starts anew keeps its number, and counts its calls from one again.
        self._life = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._count = 0
        self._crowded: set[Path] = set()

    @property
    def marker(self) -> str:
        """The beginning of the mark of all children of this daemon."""
        return f"{self._marker}{os.getsid(0)}"

    async def make(self, service: str) -> Container:
        """Return an empty container; without a cgroup where none can be made."""
        self._count += 1
        call, directory = f"{self._life}.{self._count}", None
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            make = partial(self._make, call, service)
            directory = await bounded_call(f"cgroup of call {call}", make, deadline_ms=DEATH_PATIENCE_MS)
        return Container(call, service, directory)

    async def end(self, container: Container) -> None:
        """End everything that the call has started. What hangs in the kernel ends when it can."""
        await self._briefly(f"end of call {container.call}", lambda: self._end(container))

    async def settle(self, container: Container) -> None:
        """Do what a call that ended well needs: what a start left behind lives, and nothing else does."""
        if container.service or container.directory is not None:
            await self._briefly(f"end of call {container.call}", lambda: self._leave(container))
        else:
            await self.end(container)

    async def end_service(self, service: str) -> None:
        """End what the starts of a resource have left behind."""
        await self._briefly(f"end of what {service} left", lambda: self._end_service(service))

    async def _briefly(self, key: str, work: Callable[[], None]) -> None:
        """Wait for it, not for long: the thread finishes it in any case. What ended the call is told, and not this."""
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            await bounded_call(key, work, deadline_ms=2 * DEATH_PATIENCE_MS)

    def _make(self, call: str, service: str) -> Path | None:
        self._crowded = {path for path in self._crowded if not _try_to_remove(path)}
        if self._root is None:
            return None
        directory = self._root / "services" / service / call if service else self._root / "tasks" / call
        directory.mkdir(parents=True, exist_ok=True)
        return directory if (directory / "cgroup.kill").exists() else None

    def _end(self, container: Container) -> None:
        if container.directory is not None:
            _kill_cgroup(container.directory)
            self._remove(container.directory)
        # Beside the cgroup too: root can leave it, and for some programs pam_systemd does.
        _kill_marked(lambda mark: mark.startswith(self._marker) and f" call={container.call} " in mark)

    def _leave(self, container: Container) -> None:
        """End what a good call left in its cgroup, unless it is a resource's daemon. Looks at no other process."""
        if container.directory is not None:
            if not container.service:
                _kill_cgroup(container.directory)
            self._remove(container.directory)

    def _end_service(self, service: str) -> None:
        if self._root is not None and (directory := self._root / "services" / service).is_dir():
            _kill_cgroup(directory)
            for call in (*_children(directory), directory):
                self._remove(call)
        _kill_marked(lambda mark: mark.startswith(self._marker) and mark.endswith(f" service={service}"))

    def _remove(self, directory: Path | None) -> None:
        if directory is not None and not _try_to_remove(directory):
            self._crowded.add(directory)


def kill_leftovers(place: Place) -> tuple[int, ...]:
    """End what tasks of an earlier daemon left running, and return the processes' numbers.

    Call this before the first task is started. What a start left behind is spared, and a start that runs still is
    ended: it is the leader of its group, and in the session of the daemon.
    """
    marker, root = _marker(place), cgroup_of(place)
    killed: set[int] = set()
    for directory in _children(root / "tasks") if root is not None else ():
        with contextlib.suppress(OSError):
            killed.update(map(int, (directory / "cgroup.procs").read_text().split()))
        _kill_cgroup(directory)
        _try_to_remove(directory)
    killed |= _kill_marked(lambda mark: mark.startswith(marker) and mark.endswith(" service="))
    for pid, mark in _marked():
        with contextlib.suppress(OSError):
            led = pid == os.getpgid(pid) and f" session={os.getsid(pid)} " in mark
            if mark.startswith(marker) and led:
                os.killpg(pid, signal.SIGKILL)
                killed.add(pid)
    return tuple(sorted(killed))


def _marker(place: Place) -> str:
    """Return the mark of the children of this node's daemon, the same for each of its incarnations."""
    return f"{place.cluster}/{place.node}@{place.run_directory} session="


def cgroup_of(place: Place) -> Path | None:
    """Return the cgroup below which this daemon may make its own, or None."""
    own = _own_cgroup()
    if own is None or (SYSTEMD_RUNS.exists() and not _is_delegated(own)):
        return None
    return own / f"{place.cluster}/{place.node}@{place.run_directory}".replace("/", "_")


def _own_cgroup() -> Path | None:
    """Return the directory of this process's cgroup of version 2 (cgroups(7))."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
        mounted = next(mount.directory for mount in mounts() if mount.kind == "cgroup2")
    except (OSError, StopIteration):
        return None
    return Path(mounted + own)


def _is_delegated(directory: Path) -> bool:
    """Whether systemd leaves what is below to this unit: Delegate=yes."""
    try:
        return os.getxattr(directory, "trusted.delegate") == b"1"
    except OSError:
        return False


def _children(directory: Path) -> tuple[Path, ...]:
    try:
        return tuple(path for path in directory.iterdir() if path.is_dir())
    except OSError:
        return ()


def _kill_cgroup(directory: Path) -> None:
    """Kill all in it and below, and wait a little until they are dead."""
    end, told = time.monotonic() + DEATH_PATIENCE_MS / 1_000, False
    with contextlib.suppress(OSError):
        while "populated 1" in (directory / "cgroup.events").read_text() and time.monotonic() < end:
            if not told:
                (directory / "cgroup.kill").write_text("1")
                told = True
            time.sleep(LOOK_EVERY_S)


def _try_to_remove(directory: Path) -> bool:
    """Remove a cgroup with those that its programs made in it, and return whether it is gone.

    One in which somebody lives stays whole.
    """
    try:
        if "populated 1" in (directory / "cgroup.events").read_text():
            return False
        for child in _children(directory):
            _try_to_remove(child)
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill_marked(wanted: Callable[[str], bool]) -> set[int]:
    """Kill all that bear such a mark and their descendants, again until none is left or they do not die."""
    killed: set[int] = set()
    end = time.monotonic() + DEATH_PATIENCE_MS / 1_000
    while found := {pid for pid, mark in _marked() if wanted(mark)}:
        for pid in _family(found):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= found
        if time.monotonic() > end:
            break
        time.sleep(LOOK_EVERY_S)
    return killed


def _marked() -> Iterator[tuple[int, str]]:
    """Yield each process that bears a mark of aoeha, and the mark. The dead have no environment any more."""
    prefix = f"{MARKER_NAME}=".encode()
    for pid in _processes():
        with contextlib.suppress(OSError):
            for variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                if variable.startswith(prefix) and pid != os.getpid():
                    yield pid, variable.removeprefix(prefix).decode(errors="replace")


def _family(ancestors: set[int]) -> set[int]:
    parents = {}
    for pid in _processes():
        with contextlib.suppress(OSError):
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    family, size = set(ancestors), 0
    while len(family) > size:
        size = len(family)
        family |= {pid for pid, parent in parents.items() if parent in family}
    return family - {os.getpid()}


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())
