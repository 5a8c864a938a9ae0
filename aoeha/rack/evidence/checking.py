"""What is read after a drill, as bare facts: by the client, from the mirror, and from each leg alone.

The legs are copied while nothing can write to them, and a fresh guest that was no part of the drill looks at the
copies: each leg by itself, its journal replayed on the copy, as if the other had burnt.
"""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from aoeha.rack.machines.guest_link import GuestLink
from aoeha.rack.machines.host import RackError
from aoeha.rack.machines.rack import CHECKER, CLIENT, GATEWAYS, LEG_BYTES, SHELVES, Rack, guest_of

__all__ = [
    "MOUNTED",
    "RECORDS",
    "boot_checker",
    "mirror_name",
    "mirror_state",
    "read_back",
    "read_legs",
    "read_mismatches",
    "show_what_hangs",
]

MOUNTED = "/mnt"
RECORDS = "records"
SETTLE_S = 60
SLOW_SHELVES = "6s"
"""So long shelves are waited for that did not answer at once."""
LOGGED_S = 0.5
RESYNCS_MAX = 3
CHECKED = ("idle", "frozen")
"""What md/sync_action reads after a check; a daemon that holds copies back freezes the mirror as soon as it is idle."""


async def mirror_name(link: GuestLink) -> str:
    """The kernel's name of the one mirror that a gateway has, or an empty string."""
    try:
        lines = (await link.read("/proc/mdstat")).splitlines()
    except RackError:
        return ""
    return next((line.split()[0] for line in lines if line.startswith("md") and " raid1 " in line), "")


async def mirror_state(link: GuestLink) -> tuple[bool, str]:
    """Whether the one mirror of a gateway has both legs in sync, and what mdstat says of it."""
    text = await link.read("/proc/mdstat")
    lines = [line.strip() for line in text.splitlines() if line[:1] == " "]
    busy = any(word in text for word in ("recovery", "resync", "PENDING", "DELAYED"))
    return "[UU]" in text and not busy, " ".join(lines)


async def read_back(rack: Rack) -> dict[str, Any]:
    """Read all records as the client sees them, past its cache."""
    link = rack.link(CLIENT)
    await link.ask("write", path="/proc/sys/vm/drop_caches", text="3")
    result: dict[str, Any] = await link.ask("read_records", path=f"{MOUNTED}/{RECORDS}", deadline_ms=60_000)
    return result


async def read_mismatches(link: GuestLink) -> int:
    """Have md compare both legs; returns mismatch_cnt.

    A write that was under way to both legs when its gateway was fenced may stand on one of them only. Nobody was told
    that it is safe, and the resync makes the legs equal. An owner holds that resync back while a fenced kernel lives:
    where one is due, it is made before the legs are compared for good.
    """
    folder = f"/sys/block/{await mirror_name(link)}/md"
    await link.must("sync")
    for _ in range(RESYNCS_MAX):
        is_due = (await link.read(f"{folder}/resync_start")).strip() != "none"
        await _act(link, f"{folder}/sync_action", "check")
        found = int(await link.read(f"{folder}/mismatch_cnt"))
        if not (found and is_due):
            return found
        await _act(link, f"{folder}/sync_action", "resync")
    return found


async def _act(link: GuestLink, sync_action: str, action: str) -> None:
    """Have md check or resync, and wait for the end of that."""
    await _begin(link, sync_action, action)
    for _ in range(SETTLE_S * 20):
        await asyncio.sleep(0.05)
        if (await link.read(sync_action)).strip() in CHECKED:
            return
    raise RackError(f"the mirror's {action} did not end within {SETTLE_S} s")


async def _begin(link: GuestLink, sync_action: str, action: str) -> None:
    """Ask for it; md refuses with EBUSY while a resync begins or ends."""
    for _ in range(SETTLE_S * 20):
        try:
            await link.ask("write", path=sync_action, text=action)
        except RackError as error:
            if os.strerror(errno.EBUSY) not in str(error):
                raise
            await asyncio.sleep(0.05)
        else:
            return
    raise RackError(f"the mirror was busy for {SETTLE_S} s, and could not be checked")


async def read_reservations(rack: Rack, node: str) -> dict[str, list[str]]:
    """For whom each target address says that it is reserved, asked from a gateway but not through its daemon."""
    interfaces = [word for card, _ in rack.storage for word in ("-i", f"eth{card}")]
    argv = (str(Path(sys.prefix) / "bin" / "aoeha"), "aoe", "stat", *interfaces, "-o", "json")
    try:
        told = await rack.link(node).must(*argv, deadline_ms=20_000)
    except RackError:
        told = await rack.link(node).must(*argv, "--wait", SLOW_SHELVES, deadline_ms=60_000)
    targets = json.loads(told)["targets"]
    return {
        f"{target['device']} at {target['address']}": sorted({guest_of(each) for each in target["reserved_for"] or ()})
        for target in targets
    }


async def show_what_hangs(rack: Rack) -> None:
    """Have every guest's kernel log the tasks that are blocked, and tell what its interfaces have seen."""
    for name in rack.guests:
        with contextlib.suppress(RackError):
            await rack.link(name).ask("write", path="/proc/sysrq-trigger", text="w", deadline_ms=1_000)
            for path in ("/proc/net/dev", "/proc/interrupts"):
                text = await rack.link(name).ask("read", path=path, deadline_ms=1_000)
                rack.evidence.note(name, "counters", path=path, text=text)
    await asyncio.sleep(LOGGED_S)


async def boot_checker(rack: Rack) -> None:
    """Boot the guest that was no part of the drill. Its disks hold nothing until the legs are copied there."""
    for number in (1, 2):
        with rack.copy(number).open("wb") as file:
            file.truncate(LEG_BYTES)
    await rack.boot(CHECKER)


async def count_processes(rack: Rack) -> dict[str, int]:
    """How many processes each running gateway has started since it booted. Asking starts none."""
    counts = {}
    for gateway in GATEWAYS:
        with contextlib.suppress(RackError):
            text = await rack.link(gateway).read("/proc/stat")
            counts[gateway] = int(next(line for line in text.splitlines() if line.startswith("processes")).split()[1])
    return counts


async def read_legs(rack: Rack, booting: Awaitable[None]) -> dict[str, Any]:
    """Power everything off but the checker, copy the legs, and read each copy alone there."""
    for name in (*GATEWAYS, CLIENT, *SHELVES):
        await rack.power_off(name)
    for number in (1, 2):
        await asyncio.to_thread(shutil.copyfile, rack.leg(number), rack.copy(number))
    await booting
    link = rack.link(CHECKER)
    # Nothing may be left of what its disks held when it looked for partitions.
    await link.ask("write", path="/proc/sys/vm/drop_caches", text="3")
    for module in ("md-mod", "raid1"):
        await link.run("modprobe", module)
    legs = {f"leg{number}": await _read_leg(link, device) for number, device in ((1, "/dev/ubda"), (2, "/dev/ubdb"))}
    return {"legs": legs}


async def _read_leg(link: GuestLink, device: str) -> dict[str, Any]:
    """Start the mirror from one leg, replay and read the volume, and check the file system."""
    array = "/dev/md9"
    await link.must("mdadm", "--assemble", "--run", array, device)
    try:
        await link.must("mount", "-t", "ext4", array, MOUNTED)
        try:
            records: dict[str, Any] = await link.ask("read_records", path=f"{MOUNTED}/export/{RECORDS}")
        finally:
            await link.must("umount", MOUNTED)
        checked = await link.run("e2fsck", "-f", "-n", array)
    finally:
        await link.must("mdadm", "--stop", array)
    return {"records": records, "e2fsck_code": checked.code, "e2fsck": (checked.out + checked.err)[-2000:]}
