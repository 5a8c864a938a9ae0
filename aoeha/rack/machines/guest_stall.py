"""What the host knows of a guest that gives no sign of life: whether it ran, waited for a processor, or slept."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

__all__ = ["LOOK_MS", "watched"]

LOOK_MS = 300


class Account(NamedTuple):
    """A process's state (proc(5): R, S, D, t), and how many nanoseconds it has run and has waited for a processor."""

    state: str
    ran_ns: int
    waited_ns: int


async def watched(pids: Iterable[int]) -> list[str]:
    """Look at processes for `LOOK_MS`; one sentence for each that is there at the end."""
    before = {pid: account for pid in pids if (account := _account(pid)) is not None}
    await asyncio.sleep(LOOK_MS / 1_000)
    return [_told(pid, account, now) for pid, account in before.items() if (now := _account(pid)) is not None]


def _told(pid: int, before: Account, now: Account) -> str:
    ran_ms, waited_ms = (now.ran_ns - before.ran_ns) // 1_000_000, (now.waited_ns - before.waited_ns) // 1_000_000
    return f"process {pid} is in {now.state}: in {LOOK_MS} ms it ran {ran_ms} and waited {waited_ms} for a processor"


def _account(pid: int) -> Account | None:
    """Read /proc/PID/stat and schedstat (proc(5), Documentation/scheduler/sched-stats.rst); None when it has ended."""
    try:
        ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
        return Account(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0], int(ran), int(waited))
    except (OSError, ValueError):
        return None
