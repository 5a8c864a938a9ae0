"""Debian's mosquitto in a network namespace of its own, listening on that namespace's loopback interface."""

import asyncio
import contextlib
import gc
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from namespaces import inside

ADDRESS, PORT, TLS_PORT = "127.0.0.1", 1883, 8883
START_LIMIT_S, RUN_LIMIT_S = 20, 90
T = TypeVar("T")


def run(name: str, act: Callable[[], Awaitable[T]]) -> T:
    """Run `act` on an event loop in the namespace. What goes wrong behind its back fails the test too."""
    complaints: list[dict[str, Any]] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        done = await asyncio.wait_for(act(), RUN_LIMIT_S)
        gc.collect()
        await asyncio.sleep(0)
        return done

    done = inside(name, lambda: asyncio.run(watched()))
    assert not complaints
    return done


class Mosquitto:
    """A broker that keeps retained messages in memory only. `settings` are further lines of its configuration."""

    def __init__(self, name: str, folder: Path, *settings: str) -> None:
        self.namespace = name
        self.file = folder / "mosquitto.conf"
        said = any(line.startswith(("password_file", "allow_anonymous")) for line in settings)
        anonymous = () if said else ("allow_anonymous true",)
        lines = (
            f"listener {PORT} {ADDRESS}",
            "persistence false",
            "log_dest stderr",
            "user root",
            *anonymous,
            *settings,
        )
        self.file.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Return when it listens."""
        command = ["ip", "netns", "exec", self.namespace, "/usr/sbin/mosquitto", "-c", str(self.file)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        watchdog = threading.Timer(START_LIMIT_S, self._process.kill)
        watchdog.start()
        try:
            said = []
            for line in self._process.stderr:
                said.append(line)
                if line.rstrip().endswith("running"):
                    return
            raise AssertionError(f"mosquitto did not start: {''.join(said)}")
        finally:
            watchdog.cancel()

    def stop(self) -> None:
        """Kill it; every connection breaks, and what it retained is forgotten."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=10)
            self._process = None


@contextlib.contextmanager
def running(name: str, folder: Path, *settings: str) -> Iterator[Mosquitto]:
    """Yield a broker that runs; it is stopped afterwards."""
    broker = Mosquitto(name, folder, *settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
