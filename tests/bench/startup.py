"""How long `aoeha status` takes from exec to exit, against a server that answers at once. The goal is 60 ms."""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "tests" / "cli" / "healthy.json"
RUNS = 15
GOAL_MS = 60


def serve(listener: socket.socket, answer: bytes) -> None:
    """Answer until the listener is shut."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as reader:
            reader.readline()
            connection.sendall(answer)


def measure(command: list[str]) -> list[float]:
    """Return the milliseconds of each run, after one that warms the caches."""
    durations = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        # Captured, because run() then waits for the end of the output; without, it polls in growing steps, up to 50 ms.
        subprocess.run(command, capture_output=True, check=True, timeout=60)
        durations.append((time.perf_counter() - began) * 1_000)
    return durations[1:]


def main() -> int:
    """Print median and minimum; 1 when the median misses the goal."""
    beside = Path(sys.executable).with_name("aoeha")
    command = [str(beside)] if os.access(beside, os.X_OK) else [sys.executable, "-m", "aoeha.cli.main"]
    done = {
        "kind": "done",
        "exit_code": 0,
        "code": "command.done",
        "sentence": "",
        "document": json.loads(DOCUMENT.read_text()),
    }
    folder = tempfile.mkdtemp(prefix="aoeha-startup-")
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            path = f"{folder}/control.sock"
            listener.bind(path)
            listener.listen(4)
            server = threading.Thread(target=serve, args=(listener, json.dumps(done).encode() + b"\n"))
            server.start()
            durations = measure([*command, "status", "--socket", path])
            listener.shutdown(socket.SHUT_RDWR)
            server.join(10)
        finally:
            shutil.rmtree(folder)
    bare = statistics.median(measure([sys.executable, "-c", ""]))
    median = statistics.median(durations)
    print(
        f"aoeha status: median {median:.1f} ms, minimum {min(durations):.1f} ms of {RUNS} runs "
        f"(bare Python {bare:.1f} ms, goal {GOAL_MS} ms)"
    )
    return 0 if median <= GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
