"""Two real daemons on one machine: namespaces for gateways, a veth and two ptys for cables, a power switch that kills.

Each gateway has a kernel boot id of its own (a file mounted over the kernel's), an /etc with our agents laid over the
machine's, a key file, and folders for what a boot keeps and what a disk keeps. The resource is a file: `start` makes
it, `stop` removes it, and both are written down. A file that both gateways would need at once is written down as a
violation.
"""

import contextlib
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from patience import PATIENCE_S

from aoeha.core.model.memory import Memory
from aoeha.core.step import initial, step
from aoeha.journal.records import Header, Step, decode_line, encode_step
from aoeha.sim.replay import parts_of

NODES = ("alpha", "beta")
CONFIG = """
cluster = "{cluster}"
key_file = "{root}/keys"

[timing]
keepalive = "100ms"
warntime = "300ms"
deadtime = "1s"
initdead = "2s"

# The machine that tests has perhaps one, and these daemons are killed.
[watchdog]
mode = "off"

[[node]]
name = "alpha"

[[node]]
name = "beta"

[[link]]
name = "serial"
type = "serial"
device = {{ alpha = "{alpha_tty}", beta = "{beta_tty}" }}

[[link]]
name = "lan"
type = "udp"
interface = "lan0"
address = {{ alpha = "10.99.0.1", beta = "10.99.0.2" }}

[[fence]]
name = "power-switch"
type = "test_power"
plug = {{ alpha = "alpha", beta = "beta" }}
timeout = "1s"
monitor_interval = "2s"
[fence.parameters]
socket = "{root}/power.sock"

[[group]]
name = "storage"
preferred = "alpha"

[[group.resource]]
name = "disk"
type = "test_file"
monitor_interval = "500ms"
parameters = {{ root = "{root}" }}

[[group.resource]]
name = "service"
type = "test_file"
monitor_interval = "500ms"
parameters = {{ root = "{root}" }}
"""

RESOURCE_AGENT = '''
"""A file that only one gateway may have."""
import os
from pathlib import Path
from aoeha.agents.interface import AgentError, Observation, Parameters, ResourceAgent
from aoeha.core.model.task import ResourceStatus

class FileParameters(Parameters, frozen=True):
    root: str

class TestFile(ResourceAgent[FileParameters]):
    parameters_type = FileParameters
    summary = "a file that only one gateway may have"

    def paths(self):
        root, node = Path(self.parameters.root), self.host.place.node
        return root / "shared" / self.name, root / node / "running" / self.name, root / "log"

    def note(self, word):
        with self.paths()[2].open("a") as log:
            log.write(f"{self.host.place.node} {word} {self.name}\\n")

    async def start(self):
        shared, mine, _ = self.paths()
        if mine.exists():
            return
        self.note("start")
        if (Path(self.parameters.root) / "slow").exists():
            await self.host.run("sleep", "1", deadline_ms=5_000)
        try:
            os.close(os.open(shared, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            self.note("VIOLATION")
        mine.touch()

    async def stop(self):
        shared, mine, _ = self.paths()
        if mine.exists():
            self.note("stop")
            if (Path(self.parameters.root) / "stuck").exists():
                raise AgentError(f"cannot stop {self.name}: the test holds it")
            mine.unlink()
            shared.unlink(missing_ok=True)

    async def monitor(self):
        # As most agents do, it opens something to look.
        os.close(os.open(self.parameters.root, os.O_RDONLY))
        running = self.paths()[1].exists()
        return Observation(ResourceStatus.RUNNING if running else ResourceStatus.STOPPED)

    async def validate(self):
        if (Path(self.parameters.root) / self.host.place.node / "unable").exists():
            raise AgentError(f"cannot start {self.name}: the test does not want it")
'''

FENCE_AGENT = '''
"""The power switch of the test, on a unix socket that both namespaces see."""
import asyncio
from aoeha.agents.interface import AgentError, FenceAgent, Parameters
from aoeha.core.model.task import PlugState

class PowerParameters(Parameters, frozen=True):
    socket: str

class TestPower(FenceAgent[PowerParameters]):
    parameters_type = PowerParameters
    summary = "the power switch of the test"
    fault = ""

    async def ask(self, line):
        try:
            reader, writer = await asyncio.open_unix_connection(self.parameters.socket)
            writer.write(line.encode() + b"\\n")
            answer = (await reader.readline()).decode().strip()
            writer.close()
        except OSError as error:
            raise AgentError(f"cannot reach the power switch: {error.strerror}") from error
        return answer

    async def power_off(self, plug):
        if await self.ask(f"off {plug}") != "ok":
            raise AgentError("cannot switch off: the power switch refuses")

    async def power_on(self, plug):
        if await self.ask(f"on {plug}") != "ok":
            raise AgentError("cannot switch on: the power switch refuses")

    async def status(self, plug):
        answer = await self.ask(f"status {plug}")
        return PlugState(answer) if answer in ("on", "off") else PlugState.UNKNOWN
'''

GATEWAY = (
    'mount --bind "$1" /proc/sys/kernel/random/boot_id && '
    'mount -t overlay overlay -o lowerdir="$2":/etc /etc && mount --bind "$4" "$5" && '
    # A panic of the daemon under test must never reboot the machine that tests it.
    '{ [ ! -e /proc/sysrq-trigger ] || mount --bind "$3" /proc/sysrq-trigger; } && shift 5 && exec "$@"'
)


class Cable:
    """A null-modem of two ptys; bytes pass while it is not cut."""

    def __init__(self) -> None:
        self.is_cut = False
        ends = [pty.openpty() for _ in NODES]
        for _, slave in ends:
            tty.setraw(slave)
        self.names = [os.ttyname(slave) for _, slave in ends]
        self.masters = [master for master, _ in ends]
        # The slaves stay open: a pty whose last user closes it would hang up, unlike a cable.
        self.slaves = [slave for _, slave in ends]
        self._stop, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._stop_writer, b"x")
        self._thread.join()
        for descriptor in (*self.masters, *self.slaves, self._stop, self._stop_writer):
            os.close(descriptor)

    def garble(self, node: str, content: bytes) -> None:
        """Let bytes arrive at a gateway that nobody sent."""
        os.write(self.masters[NODES.index(node)], content)

    def _relay(self) -> None:
        for master in self.masters:
            os.set_blocking(master, False)
        while True:
            readable, _, _ = select.select([*self.masters, self._stop], [], [])
            if self._stop in readable:
                return
            for source in readable:
                content = os.read(source, 4_096)
                other = self.masters[1 - self.masters.index(source)]
                if not self.is_cut:
                    with contextlib.suppress(BlockingIOError):
                        os.write(other, content)


class PowerSwitch:
    """Answers `status|off|on PLUG`; off kills the gateway, on boots it. `works` False: it refuses everything."""

    def __init__(self, path: Path, off: Callable[[str], None], on: Callable[[str], None]) -> None:
        self.works = True
        self.asked: list[str] = []
        self._plugs = dict.fromkeys(NODES, "on")
        self._off, self._on = off, on
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(1)
                line = connection.recv(100).decode().strip()
                connection.sendall(self._answer(line).encode() + b"\n")

    def _answer(self, line: str) -> str:
        self.asked.append(line)
        verb, _, plug = line.partition(" ")
        if not self.works or plug not in self._plugs:
            return "error the switch is broken"
        match verb:
            case "status":
                return self._plugs[plug]
            case "off":
                self._plugs[plug] = "off"
                self._off(plug)
                return "ok"
            case _:
                self._plugs[plug] = "on"
                self._on(plug)
                return "ok"


class Gateway:
    """One of the two: its namespace, its folders, its daemon."""

    def __init__(self, root: Path, node: str, namespace: str) -> None:
        self.root, self.node, self.namespace = root, node, namespace
        self.home = root / node
        self.process: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        self.program = ["-m", "aoeha.daemon.main"]
        self.home.mkdir()
        shutil.copy2(root / "keys", self.home / "keys")
        self.new_boot()

    @property
    def run_directory(self) -> Path:
        return self.home / "run"

    def new_boot(self) -> None:
        """Forget what a reboot forgets: memory, processes' work, the boot id."""
        for name in ("run", "running"):
            shutil.rmtree(self.home / name, ignore_errors=True)
            (self.home / name).mkdir()
        (self.home / "boot_id").write_text(f"{uuid.uuid4()}\n")

    def inside(self) -> list[str]:
        """The words before those of a program that is to run on this gateway."""
        keys = (self.home / "keys", self.root / "keys")
        paths = map(str, (self.home / "boot_id", self.root / "etc", self.root / "sysrq", *keys))
        return ["ip", "netns", "exec", self.namespace, "sh", "-c", GATEWAY, "sh", *paths]

    def start(self, run_directory: Path | None = None, state_directory: Path | None = None) -> None:
        """Start a daemon, with folders of its own where they are named."""
        argv = [sys.executable, *self.program, "-c", str(self.root / "aoeha.toml"), "--node", self.node,
                "--run-directory", str(run_directory or self.run_directory),
                "--state-directory", str(state_directory or self.home / "lib")]  # fmt: skip
        with (self.home / "stderr").open("ab") as errors:
            self.process = subprocess.Popen(
                [*self.inside(), *argv],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd="/",
            )  # fmt: skip
        self._started.append(self.process)

    def kill(self) -> None:
        """End the daemon as kill -9 does, and with it any other one that was started here."""
        for process in self._started:
            process.kill()
            process.wait()

    def terminate(self) -> int:
        """Ask it to leave; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def ask(self, verb: str, timeout_s: float = 20, **arguments: str) -> dict[str, Any]:
        """Return the `done` line of a request."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(self.run_directory / "control.sock"))
            connection.sendall(json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n")
            with connection.makefile() as lines:
                return dict(next(line for line in map(json.loads, lines) if line["kind"] == "done"))

    def status(self) -> dict[str, Any]:
        """Return the status document, an empty one while the daemon cannot be asked."""
        try:
            return dict(self.ask("status")["document"])
        except (OSError, StopIteration):
            return {}

    def phase(self) -> str:
        """Return what all of this gateway's own resources are, empty when they differ or it cannot be asked."""
        groups = self.status().get("groups", [])
        seen = {resource["status"] for group in groups for resource in group["resources"]}
        return str(seen.pop()) if len(seen) == 1 else ""

    def errors(self) -> str:
        path = self.home / "stderr"
        return path.read_text() if path.exists() else ""

    def running(self) -> set[str]:
        return {path.name for path in (self.home / "running").iterdir()}

    def replay(self) -> int:
        """Feed the journal to the core again; return how many steps gave the same actions. Asserts that all did."""
        steps = 0
        for path in parts_of(self.home / "lib" / "journal"):
            lines = path.read_bytes().splitlines(keepends=True)
            header = decode_line(lines[0])
            assert isinstance(header, Header)
            memory: Memory | None = header.memory
            state, actions = initial(header.config, header.identity, memory, header.now_ms)
            assert actions == header.actions
            for line in lines[1:]:
                if not line.endswith(b"\n"):
                    break  # cut by kill -9
                record = decode_line(line)
                assert isinstance(record, Step)
                state, actions = step(state, record.event)
                assert encode_step(record.event, actions) == line
                steps += 1
        return steps


class Pair:
    """Both gateways, the cables and the power switch."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.namespaces = [f"aoeha-{os.getpid()}-{node}" for node in NODES]
        self.cable = Cable()
        (root / "shared").mkdir()
        (root / "log").touch()
        (root / "sysrq").touch()
        for kind, name, content in (("resources", "test_file", RESOURCE_AGENT), ("fencing", "test_power", FENCE_AGENT)):
            folder = root / "etc" / "aoeha" / f"{kind}.d"
            folder.mkdir(parents=True)
            (folder / f"{name}.py").write_text(content)
        (root / "keys").write_text(f"1 {'5a' * 32}\n")
        (root / "keys").chmod(0o600)
        alpha_tty, beta_tty = self.cable.names
        text = CONFIG.format(cluster="test", root=root, alpha_tty=alpha_tty, beta_tty=beta_tty)
        (root / "aoeha.toml").write_text(text)
        self._make_network()
        self.alpha, self.beta = (
            Gateway(root, node, namespace) for node, namespace in zip(NODES, self.namespaces, strict=True)
        )
        self.switch = PowerSwitch(root / "power.sock", self.power_off, self.power_on)

    def gateway(self, node: str) -> Gateway:
        return self.alpha if node == "alpha" else self.beta

    def power_off(self, node: str) -> None:
        """What losing power does: the daemon is gone, and with it everything that ran."""
        gateway = self.gateway(node)
        gateway.kill()
        for name in gateway.running():
            (self.root / "shared" / name).unlink(missing_ok=True)
        gateway.new_boot()

    def power_on(self, node: str) -> None:
        self.gateway(node).start()

    def cut_lan(self, *, cut: bool) -> None:
        command("ip", "-n", self.namespaces[0], "link", "set", "lan0", "down" if cut else "up")

    def log(self) -> list[str]:
        return (self.root / "log").read_text().splitlines()

    def close(self) -> None:
        for gateway in (self.alpha, self.beta):
            gateway.kill()
        self.switch.close()
        for gateway in (self.alpha, self.beta):
            gateway.kill()  # the switch may have booted one meanwhile
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace], check=False)
        self.cable.close()

    def _make_network(self) -> None:
        first, second = self.namespaces
        for namespace in self.namespaces:
            command("ip", "netns", "add", namespace)
        command("ip", "-n", first, "link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", second)
        for namespace, address in zip(self.namespaces, ("10.99.0.1/24", "10.99.0.2/24"), strict=True):
            command("ip", "-n", namespace, "address", "add", address, "dev", "lan0")
            command("ip", "-n", namespace, "link", "set", "lan0", "up")


@contextlib.contextmanager
def pair(root: Path) -> Iterator[Pair]:
    """Make a pair that is not started yet; whatever happens, nothing of it is left."""
    made = Pair(root)
    try:
        yield made
    finally:
        made.close()


def command(*argv: str) -> None:
    subprocess.run(argv, check=True, timeout=20)


def wait_for(what: Callable[[], object], why: str | Callable[[], str], timeout_s: float = PATIENCE_S) -> None:
    """Poll until something holds; the daemon's own sentence is the best event there is from outside."""
    until = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < until, f"not within {timeout_s} s: {why if isinstance(why, str) else why()}"
        time.sleep(0.05)
