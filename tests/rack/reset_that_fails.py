"""Run by test_watchdog.py as a process of its own: a rack takes that process into namespaces.

A shelf's kernel says that it is being reset and runs on, as user-mode-linux rarely does when its abort fails.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from aoeha.rack.machines.evidence_folder import Evidence
from aoeha.rack.machines.guest_link import GuestLink
from aoeha.rack.machines.rack import Rack, RackOptions

PATIENCE_S = 60


async def boots_again(evidence: Path) -> None:
    """Wait until the shelf has booted by itself. TimeoutError if it does not."""
    again = asyncio.Event()

    async def booted(_name: str, _link: GuestLink, *, by_itself: bool) -> None:
        if by_itself:
            again.set()

    async with Rack(Evidence(evidence), RackOptions()) as rack:
        rack.on_boot(booted)
        await rack.boot("shelf1")
        with (rack.folder / "console-shelf1.txt").open("ab") as console:
            console.write(b"softdog: Initiating system reboot\n")
        await asyncio.wait_for(again.wait(), PATIENCE_S)


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(boots_again(Path(folder)))
sys.stdout.write("booted again\n")
