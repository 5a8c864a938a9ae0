"""Resource agent `filesystem`: mounts a volume of the shared disks, and frees it from the processes that use it.

Stop asks the volume's users to end, then kills them. It fails rather than unmount lazily: after a lazy unmount a
process may keep writing to a disk that the peer has been told is free.
"""

import asyncio
import os
import signal
import stat
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from aoeha.agents.interface import AgentError, LateError, Observation, Parameters, ResourceAgent
from aoeha.agents.narrow_types import AbsolutePath, DevicePath
from aoeha.agents.ocf_adapter import ocf_main
from aoeha.agents.parts.hanging_files import ask_figures, make_directory
from aoeha.agents.running import must_run, said, try_run
from aoeha.agents.time_left import time_left_ms
from aoeha.core.model.task import ResourceStatus
from aoeha.io.blocking import bounded_call
from aoeha.io.mounts import Mount, mounts, users_of

LOOK_DEADLINE_MS = 5_000
"""For what asks this host alone: a process that hangs with the volume must not hide the others."""
SIGNAL_PATIENCE_S = 2.0
LOOK_EVERY_S = 0.1
KERNEL_PATIENCE_S = 0.5
KERNEL_TRIES = 6
LAST_TRY_MS = 1_000
"""What is left of a stop's time when nothing is tried any more."""


HOST_TREES = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr")
"""The host itself, and where its processes meet: nothing of a group belongs into them."""
HOST_FOLDERS = ("/root", "/tmp", "/var/cache", "/var/lib/aoeha", "/var/lib/nfs", "/var/log", "/var/tmp")  # noqa: S108
"""What processes of the host keep open. Other folders below theirs may be mount points."""
REFUSED_OPTIONS = {
    option: reason
    for options, reason in (
        (("nobarrier", "barrier=0"), "the shelf's cache then keeps what clients were told is on disk"),
        (("noload", "norecovery"), "the journal of the gateway that died would not be replayed"),
        (("journal_async_commit",), "the journal may then end before what it says is on disk"),
        (("remount", "bind", "rbind", "move"), "it is no option of the volume itself"),
    )
    for option in options
}


class FilesystemParameters(Parameters, frozen=True):
    """The device, where to mount it, and the kind of file system that it holds."""

    device: DevicePath
    directory: AbsolutePath
    kind: Annotated[Literal["ext4", "xfs"], Meta(description='"ext4" or "xfs"')]
    options: Annotated[
        str,
        Meta(pattern=r"\A([\w=.:+-]+(,[\w=.:+-]+)*)?\Z", description="mount options, separated by commas"),
    ] = ""

    def __post_init__(self) -> None:
        if taken := _needed_by_the_host(self.directory):
            raise ValueError(
                f'directory: expected a folder that this host does not need, got "{self.directory}"; a mount there '
                f"hides {taken}, and a stop ends every process that uses it"
            )
        for option in self.options.split(","):
            if why := REFUSED_OPTIONS.get(option):
                raise ValueError(f'options: expected none that loses acknowledged writes, got "{option}": {why}')


def _needed_by_the_host(directory: str) -> str:
    """Return the folder of the host that a mount at `directory` would hide or lie in, or ''."""
    path = Path(directory)
    within = (host for host in HOST_TREES if path.is_relative_to(host))
    hidden = (host for host in (*HOST_TREES, *HOST_FOLDERS) if Path(host).is_relative_to(path))
    return next(iter((*within, *hidden)), "")


class FilesystemAgent(ResourceAgent[FilesystemParameters]):
    """Mounts, watches and unmounts one file system."""

    parameters_type = FilesystemParameters
    summary = "a mounted file system, ext4 or xfs"

    async def start(self) -> None:
        """Mount. The journal is replayed by the kernel, so no check runs first."""
        parameters = self.parameters
        number = await self._device_number()
        if number is None:
            raise AgentError(f"cannot mount {parameters.device}: there is no such block device")
        present = self._mounted()
        if present is not None:
            if present.device == number:
                return
            raise AgentError(f"cannot mount {parameters.device} at {parameters.directory}: {present.source} is there")
        elsewhere = next((mount.directory for mount in mounts() if mount.device == number), None)
        if elsewhere is not None:
            raise AgentError(
                f"cannot mount {parameters.device}: it is mounted at {elsewhere}; run `umount {elsewhere}`"
            )
        await make_directory(self.host, parameters.directory)
        options = ("-o", parameters.options) if parameters.options else ()
        await must_run(
            self.host, "mount", "--no-mtab", "--internal-only", "-t", parameters.kind, *options, parameters.device,
            parameters.directory, to=f"mount {parameters.device}",
        )  # fmt: skip

    async def stop(self) -> None:
        """Unmount, with users asked to end and then killed."""
        for sign in (None, signal.SIGTERM, signal.SIGKILL):
            if sign is not None:
                await self._signal_users(sign)
            if not await self._unmount():
                return
        tries = 0
        while tries < KERNEL_TRIES or (await self._users() and time_left_ms() > LAST_TRY_MS):
            # What a killed process held, and what nfsd is about to let go, is released a little later: when the shelves
            # have answered what it waits for.
            tries += 1
            await asyncio.sleep(KERNEL_PATIENCE_S)
            if not (failure := await self._unmount()):
                return
        users = await self._users()
        holders = (
            ", ".join(f"{name} ({pid})" for pid, name in users.items()) or "the kernel, or a program that hangs in it"
        )
        raise AgentError(f"cannot unmount {self.parameters.directory}: {failure}; it is held by {holders}")

    async def monitor(self) -> Observation:
        """Read mountinfo, and ask the file system for its figures, for as long as the deadline allows."""
        mount = self._mounted()
        if mount is None:
            return Observation(ResourceStatus.STOPPED)
        if mount.device != await self._device_number():
            reason = f"{mount.source} is mounted at {mount.directory}, not {self.parameters.device}"
            return Observation(ResourceStatus.FAILED, reason)
        if mount.read_only and "ro" not in self.parameters.options.split(","):
            reason = "the kernel made it read-only after an error; see `dmesg`, then check it with fsck"
            return Observation(ResourceStatus.FAILED, reason)
        try:
            await ask_figures(self.host, self.parameters.directory)
        except LateError:  # It waits for its legs, and nobody knows more.
            raise
        except AgentError as error:
            return Observation(ResourceStatus.FAILED, f"{self.parameters.directory} does not answer: {error}")
        return Observation(ResourceStatus.RUNNING)

    async def validate(self) -> None:
        """Require that nothing else is mounted there."""
        mount = self._mounted()
        if mount is not None and mount.device != await self._device_number():
            raise AgentError(
                f"{self.parameters.directory} is taken by {mount.source}; unmount it or choose another directory"
            )

    async def _unmount(self) -> str:
        """Unmount every mount at our directory; return why one could not be, or nothing."""
        while self._mounted() is not None:
            completed = await try_run(
                self.host, "umount", "--no-mtab", "--internal-only", self.parameters.directory,
                to=f"unmount {self.parameters.directory}",
            )  # fmt: skip
            if completed.returncode != 0 and self._mounted() is not None:
                return said(completed)
        return ""

    async def _signal_users(self, sign: signal.Signals) -> None:
        """Signal the processes that use the volume and wait a little for them to let go."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SIGNAL_PATIENCE_S
        users = await self._users()
        for pid in users:
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                continue
        while users and loop.time() < end:
            await asyncio.sleep(LOOK_EVERY_S)
            users = await self._users()

    async def _users(self) -> dict[int, str]:
        directory = self.parameters.directory
        try:
            return await bounded_call(
                f"search for users of {directory}", partial(users_of, directory), deadline_ms=LOOK_DEADLINE_MS
            )
        except (OSError, TimeoutError):
            return {}

    def _mounted(self) -> Mount | None:
        """Return what is seen at our directory, None when nothing is mounted there."""
        there = [mount for mount in mounts() if mount.directory == self.parameters.directory]
        return there[-1] if there else None

    async def _device_number(self) -> str | None:
        """Return our device's "major:minor", None when there is no such block device."""
        device = self.parameters.device
        try:
            found = await bounded_call(f"stat of {device}", partial(os.stat, device), deadline_ms=LOOK_DEADLINE_MS)
        except (OSError, TimeoutError):
            return None
        if not stat.S_ISBLK(found.st_mode):
            return None
        return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"


if __name__ == "__main__":
    ocf_main(FilesystemAgent)
