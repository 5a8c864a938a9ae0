"""The resident helper in each guest: does what the driver asks, without starting a process where it can.

Standard library only, and no asyncio: importing that costs a guest half a second. One connection to the driver carries
JSON lines both ways. Requests have an `id` and a `do`; each gets one answer with the same `id`. All else that the
guest says is an event, stamped by the driver when it arrives, so that the whole rack has one clock.
"""

import contextlib
import json
import os
import queue
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aoeha.rack.machines.guest_client import Prober, Writer, read_records

WORKERS = 4
TICK_MS = 250
OUTPUT_MAX = 262_144
NOTIFY_SOCKET = "/run/notify"
LINE_MAX = 8_192

__all__ = ["serve"]


class Connection:
    """The line to the driver. Threads may speak at any time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lock = threading.Lock()

    def say(self, message: dict[str, Any]) -> None:
        """Send one line; the end of the connection is the end of the guest's usefulness, so errors pass."""
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            self.socket.sendall(data)


class Service:
    """A program kept running as systemd would: restarted after a pause when it dies, its output forwarded."""

    def __init__(self, request: dict[str, Any], agent: "Agent") -> None:
        self.name: str = request["name"]
        self.argv: list[str] = request["argv"]
        self.environment = {**os.environ, **request.get("environment", {})}
        self.restart_ms: int = request.get("restart_ms", 100)
        self.wanted = True
        self.process: subprocess.Popen[bytes] | None = None
        self._agent = agent

    def start(self) -> None:
        """Start it, and watch its output and its end. One that cannot be started is tried again like one that died."""
        try:
            self._spawn()
        except OSError as error:
            self._agent.event("line", source=self.name, text=f"cannot be started: {error}")
            self._agent.later(self.restart_ms, self.start)

    def _spawn(self) -> None:
        self.process = subprocess.Popen(
            self.argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=self.environment, start_new_session=True, cwd="/",
        )  # fmt: skip
        assert self.process.stdout is not None
        self._agent.watch_lines(self.process.stdout.fileno(), self.name, keep=self.process.stdout)
        descriptor = os.pidfd_open(self.process.pid)
        self._agent.watch(descriptor, lambda: self._ended(descriptor))
        self._agent.event("started", name=self.name, pid=self.process.pid)

    def _ended(self, descriptor: int) -> None:
        self._agent.unwatch(descriptor)
        assert self.process is not None
        self._agent.event("ended", name=self.name, pid=self.process.pid, code=self.process.wait())
        if self.wanted:
            self._agent.later(self.restart_ms, self.start)


def where_it_hangs(session: int) -> list[str]:
    """Say what each process of a session waits for in the kernel, and what the mirrors are doing."""
    said = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(folder.name)) == session:
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                said.append(f"process {folder.name}: {words}: {(folder / 'wchan').read_text()}")
                said += (folder / "stack").read_text().splitlines()
    with contextlib.suppress(OSError):
        said.append(Path("/proc/mdstat").read_text())
    return said


class Agent:
    """One loop for sockets and time, a few threads for what may block."""

    def __init__(self, name: str, connection: Connection) -> None:
        self.name = name
        self.connection = connection
        self._selector = selectors.DefaultSelector()
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._wake_read, self._wake_write = os.pipe()
        self._services: dict[str, Service] = {}
        self._writer: Writer | None = None
        self._prober: Prober | None = None

    def event(self, kind: str, **facts: Any) -> None:
        """Tell the driver that something happened."""
        self.connection.say({"event": kind, **facts})

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Call back from the loop after a while; callable from any thread."""
        self._timers.append((time.monotonic() + delay_ms / 1000, action))
        os.write(self._wake_write, b".")

    def watch(self, descriptor: int, action: Callable[[], None]) -> None:
        """Call back whenever the descriptor can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, action)

    def unwatch(self, descriptor: int) -> None:
        """Forget and close a watched descriptor."""
        self._selector.unregister(descriptor)
        os.close(descriptor)

    def watch_lines(self, descriptor: int, source: str, keep: object = None, *, whole: bool = False) -> None:
        """Forward what is read as lines of `source`; with `whole`, each read is one line."""
        held = bytearray()

        def read() -> None:
            _ = keep
            try:
                data = os.read(descriptor, LINE_MAX)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._selector.unregister(descriptor)
                return
            held.extend(data + b"\n" if whole else data)
            *lines, rest = bytes(held).split(b"\n")
            held[:] = rest if len(rest) < LINE_MAX else b""
            for line in lines:
                if line and not (whole and line[:1] == b" "):
                    self.event("line", source=source, text=line.decode(errors="replace"))

        self.watch(descriptor, read)

    def run(self) -> None:
        """Serve until the driver hangs up."""
        for _ in range(WORKERS):
            threading.Thread(target=self._labour, daemon=True).start()
        self.watch(self._wake_read, self._woken)
        self._watch_logs()
        threading.Thread(target=self._listen, daemon=True).start()
        self.event(
            "hello",
            name=self.name,
            boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""),
            clock_ms=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
        )
        self._tick()
        while True:
            now = time.monotonic()
            due = [timer for timer in self._timers if timer[0] <= now]
            for timer in due:
                self._timers.remove(timer)
                timer[1]()
            wait = min((timer[0] for timer in self._timers), default=now + 3600) - time.monotonic()
            for key, _ in self._selector.select(max(wait, 0)):
                key.data()

    def _tick(self) -> None:
        """Show that this guest gets its share of the machine: a drill in which it did not is void."""
        self.event("tick")
        self.later(TICK_MS, self._tick)

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)

    def _watch_logs(self) -> None:
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind("/dev/log")
        Path("/dev/log").chmod(0o666)
        self.watch_lines(log.fileno(), "log", log, whole=True)
        with contextlib.suppress(OSError):
            notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            notify.bind(NOTIFY_SOCKET)
            self.watch_lines(notify.fileno(), "notify", notify, whole=True)
            kernel = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
            self.watch_lines(kernel, "kernel", whole=True)

    def _listen(self) -> None:
        with self.connection.socket.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                self._work.put(lambda request=request: self._answer(request))  # type: ignore[misc]
        os._exit(0)

    def _labour(self) -> None:
        while True:
            self._work.get()()

    def _answer(self, request: dict[str, Any]) -> None:
        try:
            result = getattr(self, "do_" + request["do"])(request)
            self.connection.say({"id": request["id"], "result": result})
        except Exception as error:  # noqa: BLE001 (the driver decides what a failure means)
            self.connection.say({"id": request["id"], "error": f"{type(error).__name__}: {error}"})

    def do_run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a program to its end; its whole process group is killed at the deadline."""
        process = subprocess.Popen(
            request["argv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **request.get("environment", {})}, start_new_session=True,
            cwd=request.get("folder", "/"),
        )  # fmt: skip
        try:
            out, err = process.communicate(
                request.get("stdin", "").encode(), timeout=request.get("deadline_ms", 30_000) / 1000
            )
        except subprocess.TimeoutExpired as late:
            out, err, where = late.output or b"", late.stderr or b"", "\n".join(where_it_hangs(process.pid))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            said = (out + err)[-OUTPUT_MAX:].decode(errors="replace")
            return {"code": None, "out": "", "err": f"killed at its deadline\n{said}\n{where}"}
        return {
            "code": process.returncode,
            "out": out[:OUTPUT_MAX].decode(errors="replace"),
            "err": err[:OUTPUT_MAX].decode(errors="replace"),
        }

    def do_read(self, request: dict[str, Any]) -> str:
        """Read a file without starting a process."""
        return Path(request["path"]).read_text(errors="replace")[:OUTPUT_MAX]

    def do_write(self, request: dict[str, Any]) -> None:
        """Write a file, or a knob in /proc and /sys."""
        Path(request["path"]).write_text(request["text"])

    def do_serve(self, request: dict[str, Any]) -> None:
        """Keep a program running."""
        service = Service(request, self)
        self._services[service.name] = service
        self.later(0, service.start)

    def do_signal(self, request: dict[str, Any]) -> int:
        """Send a signal to a service; with `stop` it is not started again."""
        service = self._services[request["name"]]
        service.wanted = not request.get("stop", False)
        if service.process is None:
            raise ProcessLookupError(f"{service.name} is not running")
        os.kill(service.process.pid, request["signal"])
        return service.process.pid

    def do_control(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Speak to the daemon's control socket: one request, all its answers."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(request.get("deadline_ms", 5_000) / 1000)
            control.connect(request.get("path", "/run/aoeha/control.sock"))
            control.sendall(
                json.dumps({"verb": request["verb"], "arguments": request.get("arguments", {})}).encode() + b"\n"
            )
            with control.makefile("rb") as answers:
                return [json.loads(line) for line in answers]

    def do_probe(self, request: dict[str, Any]) -> None:
        """Ping an address on and on; each answer is an event."""
        self._prober = Prober(request["address"], request["every_ms"], self)
        self._prober.start()

    def do_records(self, request: dict[str, Any]) -> None:
        """Write numbered records on and on; each acknowledged one is an event."""
        self._writer = Writer(request["path"], request["every_ms"], self.event)
        self._writer.start()

    def do_stop_records(self, _: dict[str, Any]) -> int:
        """Stop writing; returns how many were acknowledged in all."""
        assert self._writer is not None
        return self._writer.stop()

    def do_read_records(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read all records back from a file, past every cache of ours."""
        return read_records(request["path"])


def serve(name: str, driver: str, port: int) -> None:
    """Dial the driver and serve it until it hangs up."""
    Agent(name, Connection((driver, port))).run()
