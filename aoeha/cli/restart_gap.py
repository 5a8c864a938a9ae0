"""How long a crashed daemon would be silent on this machine, measured by starting what its first beat needs."""

import statistics
import subprocess
import sys
import time

__all__ = ["measured_restart_gap_ms"]

RESTART_DELAY_MS = 100
"""RestartSec= of the systemd unit."""
RUNS = 5
RUN_SECONDS_MAX = 10.0


def measured_restart_gap_ms() -> int | None:
    """Return the median of five starts plus the delay before a restart; None when nothing could be measured."""
    durations = []
    for _ in range(RUNS):
        began = time.monotonic()
        try:
            subprocess.run(
                [sys.executable, "-c", "import aoeha.daemon.first_beat"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=RUN_SECONDS_MAX,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        durations.append(time.monotonic() - began)
    return round(statistics.median(durations) * 1_000) + RESTART_DELAY_MS
