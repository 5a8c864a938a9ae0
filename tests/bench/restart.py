"""How long the peer hears nothing when the active daemon is killed (kill -9) and started again at once.

Two real daemons in network namespaces, the contract tests' pair. Counted from the kill to the restarted daemon's first
beat as the peer's journal has it; both clocks are CLOCK_BOOTTIME of this machine. deadtime should be three times that.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "contract"))

from daemon_pair import Gateway, Pair, pair, wait_for

from aoeha.core.model.beat import BeatFlag
from aoeha.core.model.events import BeatHeard
from aoeha.journal.records import Step, decode_line

RUNS = 7


def first_beats_ms(peer: Gateway) -> list[int]:
    """When the peer took in a first beat of a restarted daemon, in milliseconds since boot."""
    times: dict[int, int] = {}
    for path in sorted((peer.home / "lib" / "journal").glob("*.jsonl")):
        for line in path.read_bytes().splitlines(keepends=True)[1:]:
            record = decode_line(line) if line.endswith(b"\n") else None
            if isinstance(record, Step) and isinstance(record.event, BeatHeard):
                beat = record.event.beat
                if BeatFlag.RESTARTING in beat.flags:
                    times.setdefault(beat.incarnation, record.event.now_ms)
    return sorted(times.values())


def measure(made: Pair) -> list[int]:
    """Kill and start RUNS times; return each silence in milliseconds."""
    made.alpha.start()
    wait_for(made.alpha.status, "alpha listens")
    made.beta.start()
    wait_for(lambda: made.alpha.phase() == "running", "alpha serves", timeout_s=30)
    killed_ms = []
    for _ in range(RUNS):
        killed_ms.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)
        made.alpha.kill()
        made.alpha.start()
        wait_for(lambda: made.alpha.phase() == "running", "alpha has adopted its resources", timeout_s=30)
        time.sleep(0.5)
    made.beta.terminate()
    heard_ms = first_beats_ms(made.beta)
    return [min(at - killed for at in heard_ms if at >= killed) for killed in killed_ms]


def main() -> int:
    """Print median, minimum and maximum."""
    with tempfile.TemporaryDirectory(prefix="aoeha-restart-") as folder, pair(Path(folder)) as made:
        silences = measure(made)
    print(
        f"kill -9 to the first beat of the restarted daemon: median {statistics.median(silences):.0f} ms, "
        f"min {min(silences)} ms, max {max(silences)} ms ({RUNS} runs; without systemd's RestartSec)"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
