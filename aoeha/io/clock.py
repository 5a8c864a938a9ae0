"""The machine's clock and its boot id. The daemon reads both only here."""

import time
from pathlib import Path

__all__ = ["boot_id", "now_ms", "wall_ms"]

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def now_ms() -> int:
    """Return milliseconds of CLOCK_BOOTTIME, which includes the time of a suspend (clock_gettime(2))."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def wall_ms() -> int:
    """Return milliseconds since 1970, for display only. No decision depends on it."""
    return time.time_ns() // 1_000_000


def boot_id() -> str:
    """Return the running kernel's boot id as 32 hex digits. Raises OSError when /proc is missing."""
    return BOOT_ID_FILE.read_text(encoding="ascii").strip().replace("-", "").lower()
