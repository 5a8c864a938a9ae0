"""Resource agent `nfs`: the kernel's NFS server, versions 4.x, with its clients' state on the shared disk.

Both nodes show clients one server: the same scope, the same fsid for each export, and the record of clients (nfsdcld's
database) travels with the volume, so that locks are reclaimed after a takeover and grace ends as soon as all known
clients have done so. The port is opened last and closed first: a client never meets a server that lacks its exports.
nfs-utils 2.6.2 (Debian 12) has no --scope, so rpc.nfsd runs in a UTS namespace of its own whose host name is the
scope: the kernel takes it from there when the service is created.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from aoeha.agents.duration_type import Duration
from aoeha.agents.interface import AgentError, Observation, Parameters, ResourceAgent
from aoeha.agents.narrow_types import AbsolutePath
from aoeha.agents.ocf_adapter import ocf_main
from aoeha.agents.parts.hanging_files import make_directory, missing_of, read_file, tell_kernel
from aoeha.agents.parts.tcp_tickles import ClientMemory
from aoeha.agents.running import must_run, said, try_run
from aoeha.agents.time_left import time_left_ms
from aoeha.core.model.task import ResourceStatus
from aoeha.io.blocking import bounded_call
from aoeha.io.host import Host
from aoeha.io.mounts import mount_pseudo, mounts
from aoeha.io.system_daemons import daemons_called
from aoeha.io.templates import RenderError, render, template_folders, write_atomically

CONTROL = Path("/proc/fs/nfsd")
PIPES = Path("/run/rpc_pipefs")
EXPORT_TABLES = Path("/etc/exports.d")
MASTER_TABLE = Path("/var/lib/nfs/etab")
DEATH_PATIENCE_S = 2.0
LOOK_EVERY_S = 0.05
SERVER_IN_SCOPE = 'echo "$0" > /proc/sys/kernel/hostname && exec rpc.nfsd "$@"'


REFUSED_OPTIONS = {
    "async": "the server then answers before a write is on disk, and a takeover loses what clients were told is safe",
    "fsid": "both gateways must show one number; write the key `fsid` of this table",
}


KNOWN_OPTIONS = frozenset(
    [
        "rw",
        "ro",
        "sync",
        "no_wdelay",
        "wdelay",
        "hide",
        "nohide",
        "crossmnt",
        "subtree_check",
        "no_subtree_check",
        "secure",
        "insecure",
        "secure_locks",
        "insecure_locks",
        "auth_nlm",
        "no_auth_nlm",
        "mountpoint",
        "mp",
        "refer",
        "replicas",
        "pnfs",
        "no_pnfs",
        "security_label",
        "sec",
        "root_squash",
        "no_root_squash",
        "all_squash",
        "no_all_squash",
        "anonuid",
        "anongid",
        "no_acl",
        "acl",
        "xprtsec",
    ]
)
"""Of nfs-utils 2.6.2 (exports(5)). An unknown one is found by exportfs alone, at the first takeover."""


class Export(Parameters, frozen=True):
    """One exported directory. `clients` are addresses, networks or names, separated by blanks."""

    directory: AbsolutePath
    clients: Annotated[
        str,
        Meta(
            pattern=r"\A[\w.:/*?@\[\]-]+( +[\w.:/*?@\[\]-]+)*\Z",
            description='addresses, networks or names, separated by blanks, like "192.0.2.0/24"',
        ),
    ]
    fsid: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    options: Annotated[
        str,
        Meta(pattern=r"\A[\w=.:@/-]+(,[\w=.:@/-]+)*\Z", description='options separated by commas, like "rw,sync"'),
    ] = "rw,sync,no_subtree_check"

    def __post_init__(self) -> None:
        if '"' in self.directory:
            raise ValueError(f"directory: expected a path without quotes, got {self.directory!r}")
        for option in self.options.split(","):
            if option.partition("=")[0] not in (*KNOWN_OPTIONS, *REFUSED_OPTIONS):
                raise ValueError(f'options: expected options of exports(5), got "{option}", which exportfs refuses')
            if why := REFUSED_OPTIONS.get(option.partition("=")[0]):
                raise ValueError(f'options: expected none like "{option}": {why}')


class NfsParameters(Parameters, frozen=True):
    """`state_directory` lies on the shared volume. `lease` and `grace` are what an outage costs reclaiming clients."""

    state_directory: AbsolutePath
    scope: Annotated[
        str, Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z", description="the server's name to clients, both nodes'")
    ]
    exports: Annotated[tuple[Export, ...], Meta(min_length=1, description="the exported directories")] = field(
        name="export"
    )
    lease_ms: Duration = field(name="lease", default=10_000)
    grace_ms: Duration = field(name="grace", default=10_000)
    threads: Annotated[int, Meta(ge=1, le=1024, description="the number of kernel threads")] = 16
    port: Annotated[int, Meta(ge=1, le=65_535, description="the TCP port")] = 2049
    versions: Annotated[tuple[Literal["4.0", "4.1", "4.2"], ...], Meta(min_length=1, description="NFS versions")] = (
        "4.1",
        "4.2",
    )

    def __post_init__(self) -> None:
        for what, values in (
            ("directory", [export.directory for export in self.exports]),
            ("fsid", [export.fsid for export in self.exports]),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"export: expected a {what} of its own for each of them")
        for key, value in (("lease", self.lease_ms), ("grace", self.grace_ms)):
            if not 10_000 <= value <= 3_600_000 or value % 1000:
                raise ValueError(f"{key}: expected whole seconds from 10 to 3600, which is what the kernel takes")


@dataclass(frozen=True, slots=True)
class _Daemons:
    """Processes by number: nfsdcld with our state directory, nfsdcld with another one, rpc.mountd."""

    tracking: frozenset[int]
    foreign_tracking: frozenset[int]
    mount: frozenset[int]


def _find_daemons(state_directory: str) -> _Daemons:
    found = daemons_called("nfsdcld", "rpc.mountd")
    tracking = {process for process, words in found.items() if words[0] == "nfsdcld"}
    ours = {process for process in tracking if state_directory in found[process]}
    return _Daemons(frozenset(ours), frozenset(tracking - ours), frozenset(found.keys() - tracking))


class NfsAgent(ResourceAgent[NfsParameters]):
    """Starts, watches and stops the one NFS server of this kernel."""

    parameters_type = NfsParameters
    summary = "the kernel's NFS server, 4.x, with its exports and its clients' state on the shared volume"

    def __init__(self, name: str, parameters: NfsParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self._clients = ClientMemory(host, Path(parameters.state_directory, "connections.json"), parameters.port)

    async def start(self) -> None:
        """Return when the port is open and every export is known."""
        seen = (await self.monitor()).status
        if seen is ResourceStatus.RUNNING:
            return
        await self.validate()
        if seen is not ResourceStatus.STOPPED:
            await self._close_port()  # threads without their daemons must go before times and exports can be set
        await asyncio.gather(
            self._set_times(),
            make_directory(self.host, self.parameters.state_directory, mode=0o700),
            self._require_directories(),
        )
        self._write_exports()
        running = self._daemons()
        await asyncio.gather(self._start_tracking(running), self._start_mount_daemon(running), self._export())
        await self._open_port()
        self._clients.begin(wake=True)

    async def stop(self) -> None:
        """Close the port, forget the exports, and let go of the volume."""
        self._clients.end()
        await self._close_port()
        had_exports = self._table().exists()
        self._table().unlink(missing_ok=True)
        if had_exports:
            await self._withdraw()
        running = self._daemons()
        await _end(running.tracking | running.mount)

    async def monitor(self) -> Observation:
        """Count the threads, look for the two daemons and for our table of exports."""
        running = self._daemons()
        if not await self._threads():
            if running.tracking:
                return Observation(ResourceStatus.FAILED, "no nfsd threads run, but nfsdcld still uses the volume")
            return Observation(ResourceStatus.STOPPED)
        missing = [
            what
            for what, present in (
                ("nfsdcld with our state directory does not run", running.tracking),
                ("rpc.mountd does not run", running.mount),
                (f"{self._table()} is missing", self._table().exists()),
            )
            if not present
        ]
        if missing:
            return Observation(ResourceStatus.FAILED, "; ".join(missing))
        self._clients.begin(wake=False)  # for a daemon that found the server running
        return Observation(ResourceStatus.RUNNING)

    async def validate(self) -> None:
        """Require a table that can be rendered, and no foreign client tracking; load the kernel's server ahead."""
        self._render()
        if self._daemons().foreign_tracking:
            raise AgentError(
                "cannot start NFS: nfsdcld already runs with another directory; it is aoeha that starts it: run "
                "`systemctl disable --now nfs-server nfsdcld`"
            )
        await self._mount_controls()

    async def _mount_controls(self) -> None:
        present = {mount.directory for mount in mounts()}
        for kind, directory in (("nfsd", CONTROL), ("rpc_pipefs", PIPES)):
            if str(directory) not in present:
                try:
                    await bounded_call(
                        f"mount of {directory}",
                        partial(_mount_control, kind, directory),
                        deadline_ms=time_left_ms(),
                    )
                except (OSError, TimeoutError) as error:
                    raise AgentError(
                        f"cannot prepare the kernel's NFS server: {error}; is nfsd in this kernel?"
                    ) from None

    async def _set_times(self) -> None:
        """Set lease and grace; the kernel takes them only while no thread runs."""
        times = {"nfsv4leasetime": self.parameters.lease_ms, "nfsv4gracetime": self.parameters.grace_ms}
        await tell_kernel(self.host, *((CONTROL / name, str(ms // 1000)) for name, ms in times.items()))

    async def _require_directories(self) -> None:
        if absent := await missing_of(self.host, tuple(export.directory for export in self.parameters.exports)):
            raise AgentError(f"cannot export {absent}: there is no such directory on the volume; make it")

    def _write_exports(self) -> None:
        try:
            write_atomically(self._table(), self._render())
        except OSError as error:
            raise AgentError(f"cannot write {self._table()}: {error.strerror}") from None

    def _render(self) -> str:
        try:
            return render(
                template_folders(self.host.place),
                "exports.j2",
                {"name": self.name, "exports": self.parameters.exports},
            )
        except RenderError as error:
            raise AgentError(str(error)) from None

    async def _start_tracking(self, running: _Daemons) -> None:
        if not running.tracking:
            await must_run(
                self.host, "nfsdcld", "-p", str(PIPES), "-s", self.parameters.state_directory, to="start nfsdcld"
            )

    async def _start_mount_daemon(self, running: _Daemons) -> None:
        """Start what answers the kernel's questions about exports; clients of 4.x never speak to it."""
        if not running.mount:
            await must_run(
                self.host, "rpc.mountd", "--no-nfs-version", "3", "--no-udp", "--no-tcp", to="start rpc.mountd"
            )

    async def _open_port(self) -> None:
        refused = {"3", "4.0", "4.1", "4.2"} - set(self.parameters.versions)
        versions = [word for version in sorted(refused) for word in ("--no-nfs-version", version)]
        await must_run(
            self.host, "unshare", "--uts", "sh", "-c", SERVER_IN_SCOPE, self.parameters.scope, *versions,
            "--port", str(self.parameters.port), str(self.parameters.threads),
            to="start the NFS server",
        )  # fmt: skip

    async def _close_port(self) -> None:
        if not await self._threads():
            return
        await tell_kernel(self.host, (CONTROL / "threads", "0"))
        if await self._threads():
            raise AgentError("cannot stop the NFS server: its threads still run after they were told to end")

    async def _export(self) -> None:
        """Have the tables read. What counts is that our directories are known afterwards.

        Another service's bad line in /etc/exports makes exportfs fail too, and must not keep the service down.
        """
        completed = await try_run(self.host, "exportfs", "-ra", to="export")
        if completed.returncode != 0 and (absent := self._absent_exports()):
            raise AgentError(f"cannot export {', '.join(absent)}: {said(completed)}")

    async def _withdraw(self) -> None:
        """Have the table read without our part; the port is closed already, so a bad line elsewhere does no harm."""
        await try_run(self.host, "exportfs", "-ra", to="withdraw the exports")

    def _absent_exports(self) -> list[str]:
        """Return the directories that the master table lacks. It escapes blanks in names as octal numbers."""
        try:
            lines = MASTER_TABLE.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        exported = {line.split("\t")[0].replace("\\040", " ") for line in lines}
        return [export.directory for export in self.parameters.exports if export.directory not in exported]

    async def _threads(self) -> int:
        """Count the server's threads. The kernel answers when nobody starts or ends the server, which may hang."""
        if str(CONTROL) not in {mount.directory for mount in mounts()}:
            return 0
        try:
            return int(await read_file(self.host, CONTROL / "threads", deadline_ms=time_left_ms()))
        except ValueError:
            return 0

    def _daemons(self) -> _Daemons:
        return _find_daemons(self.parameters.state_directory)

    def _table(self) -> Path:
        return EXPORT_TABLES / f"aoeha-{self.name}.exports"


def _mount_control(kind: str, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    mount_pseudo(kind, directory)


async def _end(processes: frozenset[int]) -> None:
    """End processes, those that do not listen by force. Raises AgentError when one cannot die.

    One that waits for a slow shelf dies when that answers, and has as long as the stop.
    """
    loop = asyncio.get_running_loop()
    for sign, patience_s in ((signal.SIGTERM, DEATH_PATIENCE_S), (signal.SIGKILL, time_left_ms() / 1_000)):
        for pid in processes:
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                continue
        end = loop.time() + patience_s
        while loop.time() < end:
            processes = frozenset(pid for pid in processes if _is_alive(pid))
            if not processes:
                return
            await asyncio.sleep(LOOK_EVERY_S)
    raise AgentError(f"cannot end {', '.join(map(str, sorted(processes)))}: they hang in the kernel")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    ocf_main(NfsAgent)
