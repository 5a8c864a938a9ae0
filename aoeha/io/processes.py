"""Runs programs for agents: without copying the daemon, bounded in time and output, and killed as a group.

Children are started by posix_spawn, which glibc does with CLONE_VFORK: no page table of a large, memory-locked
daemon is copied and no Python runs between fork and exec. They are awaited through a pidfd, so no child watcher and
no SIGCHLD handler takes part. Each child leads a process group of its own but stays in the daemon's session: a
service that it leaves behind calls setsid and so can be told from a leftover of the task itself.
"""

import asyncio
import errno
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aoeha.io.host import Completed, Place

__all__ = ["ProcessHost", "kill_leftovers", "task_marker"]

OUTPUT_LIMIT_BYTES = 64 * 1024
DEATH_PATIENCE_MS = 200
UNDEAD_MAX = 32
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MARKER_NAME = "AOEHA_TASK"


def task_marker(place: Place) -> str:
    """Return the mark of the children of this node's daemon, the same for each of its incarnations."""
    return f"{place.cluster}/{place.node}@{place.run_directory}"


class ProcessHost:
    """Runs programs for agents (aoeha.io.host.Host)."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.started = 0
        self._undead: set[int] = set()
        self._environment = {
            "PATH": SEARCH_PATH,
            "LC_ALL": "C",
            MARKER_NAME: f"{task_marker(place)} session={os.getsid(0)}",
        }

    async def run(
        self, *argv: str, deadline_ms: int, stdin: str = "", environment: dict[str, str] | None = None
    ) -> Completed:
        """Run a program and return its output and exit code (a negative code is the signal that ended it).

        Raises FileNotFoundError when there is no such program, TimeoutError past the deadline, and OSError when 32
        earlier children hang in the kernel and cannot die, since more would not help. `environment` is added to the
        one that is built from scratch.
        """
        if len(self._undead) >= UNDEAD_MAX:
            raise OSError(
                errno.EAGAIN,
                f"cannot run {argv[0]}: {UNDEAD_MAX} earlier programs hang in the kernel and cannot be killed; "
                "find out what they wait for with `ps -eo pid,stat,wchan,args | grep ' D'`, or reboot",
            )
        child = _spawn(argv, stdin, self._environment | (environment or {}))
        self.started += 1
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                # wait, unlike await, does not cancel the future, which still has to tell when the child was reaped.
                await asyncio.wait((child.ended,))
        except BaseException as error:
            await self._kill(child)
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"{Path(argv[0]).name} did not end within {deadline_ms} ms and was killed") from None
            raise
        finally:
            child.stop_reading()
        return Completed(argv, child.ended.result(), child.text(1), child.text(2))

    async def _kill(self, child: "_Child") -> None:
        """Kill the whole group. A process that cannot die within 200 ms is reaped later, when it does."""
        child.kill()
        self._undead.add(child.pid)
        child.ended.add_done_callback(lambda _: self._undead.discard(child.pid))
        await asyncio.wait((child.ended,), timeout=DEATH_PATIENCE_MS / 1000)


@dataclass(slots=True)
class _Child:
    """A running program. `ended` yields its exit code once, when it was reaped."""

    pid: int
    pidfd: int
    ended: asyncio.Future[int]
    pipes: dict[int, int]
    output: dict[int, bytearray] = field(default_factory=lambda: {1: bytearray(), 2: bytearray()})

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_reader(self.pidfd, self._reap, loop)
        for channel, pipe in self.pipes.items():
            loop.add_reader(pipe, self._read, channel)

    def _read(self, channel: int) -> bool:
        """Take one chunk. Past the limit it is read and dropped, so that the program does not block. True: continue."""
        try:
            chunk = os.read(self.pipes[channel], OUTPUT_LIMIT_BYTES)
        except BlockingIOError:
            return False
        kept = self.output[channel]
        kept += chunk[: OUTPUT_LIMIT_BYTES - len(kept)]
        if not chunk:
            self._close(channel)
        return bool(chunk)

    def _reap(self, loop: asyncio.AbstractEventLoop) -> None:
        ended = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG)
        if ended is None:
            return
        loop.remove_reader(self.pidfd)
        os.close(self.pidfd)
        exited = ended.si_code == os.CLD_EXITED
        self.ended.set_result(ended.si_status if exited else -ended.si_status)

    def kill(self) -> None:
        """Kill the group. Its leader is not reaped yet, so the number cannot belong to another group."""
        if not self.ended.done():
            os.killpg(self.pid, signal.SIGKILL)

    def stop_reading(self) -> None:
        """Read what the pipes hold already and close them. A service left behind may hold the other ends open."""
        for channel in tuple(self.pipes):
            for _ in range(4):
                if not self._read(channel):
                    break
            self._close(channel)

    def _close(self, channel: int) -> None:
        pipe = self.pipes.pop(channel, None)
        if pipe is not None:
            asyncio.get_running_loop().remove_reader(pipe)
            os.close(pipe)

    def text(self, channel: int) -> str:
        return self.output[channel].decode(errors="replace")


def _spawn(argv: tuple[str, ...], stdin: str, environment: dict[str, str]) -> _Child:
    loop = asyncio.get_running_loop()
    source = _readable(stdin)
    ours: dict[int, int] = {}
    theirs: dict[int, int] = {}
    try:
        for channel in (1, 2):
            ours[channel], theirs[channel] = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(ours[channel], False)
        pid = os.posix_spawnp(
            argv[0],
            argv,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, source, 0),
                (os.POSIX_SPAWN_DUP2, theirs[1], 1),
                (os.POSIX_SPAWN_DUP2, theirs[2], 2),
            ],
            setpgroup=0,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
        )
        pidfd = os.pidfd_open(pid)
    except BaseException:
        for descriptor in ours.values():
            os.close(descriptor)
        raise
    finally:
        for descriptor in (source, *theirs.values()):
            os.close(descriptor)
    child = _Child(pid, pidfd, loop.create_future(), ours)
    child.watch(loop)
    return child


def _readable(text: str) -> int:
    """Return a descriptor that reads `text` from memory, so that no writer has to be kept alive."""
    if not text:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    descriptor = os.memfd_create("stdin")
    os.write(descriptor, text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def kill_leftovers(marker: str) -> tuple[int, ...]:
    """Kill the process groups that tasks of an earlier daemon left running, and return their numbers.

    Call this before the first task is started. Services that a program left behind on purpose are spared: they have a
    session of their own, or their group's leader has ended.
    """
    own = os.getpgrp()
    groups = {group for group in _leaders(f"{MARKER_NAME}={marker} session=") if group != own}
    killed = []
    for group in sorted(groups):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed.append(group)
    return tuple(killed)


def _leaders(prefix: str) -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        try:
            variables = Path(entry.path, "environ").read_bytes().split(b"\0")
            group, session = os.getpgid(pid), os.getsid(pid)
        except OSError:
            continue
        for variable in variables:
            if variable.startswith(prefix.encode()):
                started_in = variable.removeprefix(prefix.encode())
                if pid == group and started_in == str(session).encode():
                    yield group
