"""Runs in a gateway whose storage is made: a group starts and stops on slow shelves, and the loop goes on.

Each frame to the shelves takes a second. What waits for one is a program; the loop, which carries the beats, stands
still for nothing. Half of that second is more than a machine without time for us, and less than one wait for a shelf.
"""

# ruff: noqa: ASYNC221, ASYNC240  # before its loop is measured
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from aoeha.agents.registry import load_resource_agent
from aoeha.agents.time_left import ending_in
from aoeha.core.model.task import MirrorLimits
from aoeha.io.host import Place
from aoeha.io.mirror_watch import MirrorWatch
from aoeha.io.processes import ProcessHost, leaving_services

TABLES: dict[str, dict[str, Any]] = {
    "aoe": {"interfaces": ["eth1"], "targets": ["e1.0", "e2.0"], "deadsecs": 3_600},
    "raid": {
        "device": "/dev/md/aoeha",
        "uuid": "a0e4a000:00000000:00000000:00000001",
        "legs": ["/dev/etherd/e1.0", "/dev/etherd/e2.0"],
        "hold_resync": "1s",
    },
    "filesystem": {"device": "/dev/md/aoeha", "directory": "/srv/aoeha", "kind": "ext4"},
    "nfs": {
        "state_directory": "/srv/aoeha/.nfs",
        "scope": "gw",
        "export": [{"directory": "/srv/aoeha/export", "clients": "10.77.1.0/24", "fsid": 0}],
    },
}
FRAME_S = 1.0
OPERATION_MS = 320_000
"""What the core gives to a start at 2 s an answer."""


class Lag:
    """How long the loop stood still at most, since it was asked last."""

    def __init__(self) -> None:
        self._longest_s = 0.0
        self._task = asyncio.create_task(self._measure())

    async def _measure(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self._longest_s = max(self._longest_s, time.monotonic() - before)

    def taken(self) -> float:
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def timed(lag: Lag, about: str, work: Awaitable[Any]) -> None:
    began = time.monotonic()
    with ending_in(OPERATION_MS):
        await work
    stood_s = lag.taken()
    say(f"{about}: {time.monotonic() - began:.1f} s, the loop stood still for {stood_s:.2f} s")
    assert stood_s < FRAME_S / 2, "the loop waits for a shelf"


async def main() -> None:
    Path("/run/aoeha").mkdir(exist_ok=True)
    host = ProcessHost(Place("gw", "alpha"))
    agents = {}
    for kind, table in TABLES.items():
        made = load_resource_agent(kind)
        agents[kind] = made(kind, made.typed(table), host)
    shelves, mirror, volume, exports = agents.values()
    await mirror.validate()
    changes: list[float] = []
    watch = MirrorWatch(lambda: changes.append(time.monotonic()))
    watch.listen()
    subprocess.run(["tc", "qdisc", "add", "dev", "eth1", "root", "netem", "delay", f"{FRAME_S}s"], check=True)
    lag = Lag()
    await timed(lag, "start of the driver", shelves.start())
    await timed(lag, "superblocks", mirror.read_superblocks((), OPERATION_MS))
    await timed(lag, "start of the mirror", mirror.start_from(("e1.0", "e2.0"), MirrorLimits(), short=False))
    assert changes, "the kernel has told of the mirror"
    await timed(lag, "mount", volume.start())
    with leaving_services("storage.nfs"):
        await timed(lag, "start of the server", exports.start())
    for agent in agents.values():
        seen = await agent.monitor()
        assert seen.status.value == "running", seen
    for kind, agent in reversed(agents.items()):
        await timed(lag, f"stop of {kind}", agent.stop())
        await host.end_service(f"storage.{kind}")
    watch.close()
    say("slow shelves passed")


asyncio.run(main())
