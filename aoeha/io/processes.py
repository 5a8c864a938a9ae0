"""Runs programs for agents: without copying the daemon, bounded in time and output, and ended with all they started.

Children are started by posix_spawn, which glibc does with CLONE_VFORK: no page table of a large, memory-locked
daemon is copied and no Python runs between fork and exec. They are awaited through a pidfd, so no child watcher and
no SIGCHLD handler takes part. Each call has a container (containment.py): what a call has started ends with the call,
whether it was given up or ended well, and only what a start leaves behind lives on.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from aoeha.io.containment import MARKER_NAME, Container, Containers
from aoeha.io.host import Completed, Place

__all__ = ["ProcessHost", "leaving_services"]

OUTPUT_LIMIT_BYTES = 64 * 1024
DEATH_PATIENCE_MS = 200
UNDEAD_MAX = 32
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_service: ContextVar[str] = ContextVar("service", default="")


@contextlib.contextmanager
def leaving_services(service: str) -> Iterator[None]:
    """Let what the programs of this block leave behind live on, as daemons of a resource (Host.end_service)."""
    token = _service.set(service)
    try:
        yield
    finally:
        _service.reset(token)


class ProcessHost:
    """Runs programs for agents (aoeha.io.host.Host)."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.started = 0
        self._undead: dict[int, tuple[str, ...]] = {}
        self._containers = Containers(place)

    async def run(
        self, *argv: str, deadline_ms: int, stdin: str = "", environment: dict[str, str] | None = None
    ) -> Completed:
        """Run a program and return its output and exit code (a negative code is the signal that ended it).

        Raises FileNotFoundError when there is no such program. TimeoutError past the deadline, and at once as long as a
        child that was called with the same words hangs in the kernel and cannot die: this one would hang beside it.
        OSError when 32 children hang so. `environment` is added to the one that is built from scratch.
        """
        if argv in self._undead.values():
            raise TimeoutError(f"an earlier {Path(argv[0]).name} with the same words hangs in the kernel still")
        if len(self._undead) >= UNDEAD_MAX:
            raise OSError(
                errno.EBUSY,
                f"cannot run {argv[0]}: {UNDEAD_MAX} earlier programs hang in the kernel and cannot be killed; "
                "find out what they wait for with `ps -eo pid,stat,wchan,args | grep ' D'`, or reboot",
            )
        child: _Child | None = None
        program = (_found(argv[0]), *argv[1:])
        container = await self._containers.make(_service.get())
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                child = _spawn(container.entering(program), stdin, self._environment(container) | (environment or {}))
                self.started += 1
                # wait, unlike await, does not cancel the future, which still has to tell when the child was reaped.
                await asyncio.wait((child.ended,))
        except BaseException as error:
            await self._kill(child, container, argv)
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"{Path(argv[0]).name} did not end within {deadline_ms} ms and was killed") from None
            raise
        finally:
            if child is not None:
                child.stop_reading()
        await self._containers.settle(container)
        return Completed(argv, child.ended.result(), child.text(1), child.text(2))

    async def end_service(self, service: str) -> None:
        """End what the programs of a resource's starts have left behind."""
        await self._containers.end_service(service)

    def _environment(self, container: Container) -> dict[str, str]:
        return {"PATH": SEARCH_PATH, "LC_ALL": "C", MARKER_NAME: f"{self._containers.marker}{container.mark}"}

    async def _kill(self, child: "_Child | None", container: Container, argv: tuple[str, ...]) -> None:
        """Kill all that the call started. A process that cannot die within 200 ms is reaped later, when it does."""
        if child is not None:
            child.kill()
            self._undead[child.pid] = argv
            child.ended.add_done_callback(lambda _: self._undead.pop(child.pid, None))
        await self._containers.end(container)
        if child is not None:
            await asyncio.wait((child.ended,), timeout=DEATH_PATIENCE_MS / 1000)


def _found(program: str) -> str:
    """Return where a program lies. The path of whoever started this daemon is not asked. Raises OSError."""
    if found := shutil.which(program, path=SEARCH_PATH):
        return found
    number = errno.EACCES if "/" in program and Path(program).exists() else errno.ENOENT
    raise OSError(number, os.strerror(number), program)


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
        """Kill it and its group. It is not reaped yet, so the number cannot belong to another group.

        A program that has left its group has left none behind, which is no error.
        """
        if not self.ended.done():
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
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
        pid = os.posix_spawn(
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
