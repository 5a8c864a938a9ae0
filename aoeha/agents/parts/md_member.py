"""How a running mirror continues without a leg whose shelf is silent, and how the leg returns to it.

Measured with aoe v85 and md of Linux 6.1: marking a leg faulty alone leaves md waiting for the frames that the driver
has in flight, up to its deadsecs; taking the target away from the driver ends them at once. md must release a leg that
came back before the driver brings it up again. Two halves that were written apart re-add without complaint, and then
differ silently. So the core is asked first whether the leg may come back.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from aoeha.agents.interface import AgentError, LateError
from aoeha.agents.parts.aoe_driver import CONTROL, is_up, make_node, state_of, write_control
from aoeha.agents.parts.hanging_files import tell_kernel
from aoeha.agents.parts.md_sysfs import ArrayState, array_state, block_name, fail_member, remove_member
from aoeha.agents.parts.superblock import examine
from aoeha.agents.running import must_run, said, try_run
from aoeha.agents.time_left import time_left_ms
from aoeha.core.storage import leg_sentences
from aoeha.core.storage.start_choice import why_not_take_back
from aoeha.io.blocking import bounded_call
from aoeha.io.host import Host

__all__ = ["Leg", "evict_leg", "return_leg"]

FAIL_DEADLINE_MS = 500
FLUSH_DEADLINE_MS = 3_000
CONTROL_DEADLINE_MS = 2_000
ASK_EVERY_TRIES = 5
PAUSE_S = 0.1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leg:
    """A leg of the mirror `array` ("/dev/md/volume", of this UUID): its device, and the AoE target that it lies on."""

    array: str
    uuid: str
    device: str
    target: str


async def evict_leg(leg: Leg, array: ArrayState) -> None:
    """Mark the leg faulty and end its I/O. Raises AgentError, above all where no other leg would be left."""
    member = block_name(leg.device)
    if member not in array.members:
        return
    if not any(other != member for other in array.working):
        raise AgentError(
            f"cannot let {leg.array} go on without {leg.target}: no other leg works; bring a shelf back, or let the "
            "group move"
        )
    if member not in array.failed:
        await _fail(leg, array, member)
    if state_of(leg.target):
        await _bounded(leg, "go on without", partial(write_control, CONTROL / "flush", leg.target), FLUSH_DEADLINE_MS)


async def _fail(leg: Leg, array: ArrayState, member: str) -> None:
    """Mark it faulty. If the ioctl hangs, the flush ends the I/O on which it hangs."""
    try:
        await bounded_call(
            f"marking of {leg.target} as faulty", partial(fail_member, array.name, member), deadline_ms=FAIL_DEADLINE_MS
        )
    except TimeoutError:
        return
    except (OSError, ValueError) as error:
        raise AgentError(f"cannot let {leg.array} go on without {leg.target}: md refused ({error})") from None


async def return_leg(host: Host, leg: Leg, array: ArrayState, *, whole: bool, outdated: bool) -> None:
    """Have md copy onto the leg what it lacks, or everything. Returns when that has begun, or AgentError.

    mdadm and md read and write many times, and wait for slow legs each time. LateError where that is not done in the
    operation's time: the leg is slow, or hangs, and nobody has found it to be at fault.
    """
    member = block_name(leg.device)
    if member in array.working or array.is_rebuilding(member):
        return
    if member in array.members:
        await _let_go(host, leg, array.name, member)
    await _wait_until_up(leg)
    await _judge(host, leg, array, outdated=outdated)
    if whole or not await _re_add(host, leg):
        await _add_whole(host, leg)
    await _wait_until_joined(leg, array.name, member)


async def _let_go(host: Host, leg: Leg, name: str, member: str) -> None:
    """Remove the faulty leg from the mirror: the driver calls it up again only after its last close."""
    failure = ""
    for _ in _tries():
        try:
            await tell_kernel(host, *remove_member(name, member), deadline_ms=time_left_ms() // 2)
        except AgentError as error:
            failure = str(error)
        state = array_state(name)
        if state is not None and member not in state.members:
            return
        await asyncio.sleep(PAUSE_S)
    raise LateError(f"cannot take {leg.target} back into {leg.array}: md does not let go of it ({failure})")


async def _wait_until_up(leg: Leg) -> None:
    """Ask the shelf until the driver can use the target; one that was given up while open needs revalidate."""
    for attempt in _tries():
        if is_up(leg.target):
            await _bounded(leg, "take back", partial(make_node, leg.device), CONTROL_DEADLINE_MS)
            return
        if attempt % ASK_EVERY_TRIES == 0:
            known = state_of(leg.target)
            order = (CONTROL / "revalidate", leg.target) if known else (CONTROL / "discover", "1")
            await _bounded(leg, "take back", partial(write_control, *order), CONTROL_DEADLINE_MS)
        await asyncio.sleep(PAUSE_S)
    raise LateError(
        f"cannot take {leg.target} back into {leg.array}: the aoe driver says that it is "
        f"{state_of(leg.target) or 'absent'}; see `aoeha aoe discover` whether its shelf answers"
    )


async def _judge(host: Host, leg: Leg, array: ArrayState, *, outdated: bool) -> None:
    """Refuse a disk that is no half of this mirror, and one that was written apart from it."""
    working = tuple(f"/dev/{member.replace('!', '/')}" for member in array.working)
    read = await asyncio.gather(*(examine(host, device) for device in (leg.device, *working)))
    records = {name: record for one in read for name, record in one.items()}
    if refusal := why_not_take_back(leg.uuid, leg.device, working, records, outdated=outdated):
        why = leg_sentences.why_not_take_back(leg.array, leg.uuid, refusal)
        raise AgentError(f"cannot take {leg.device} back into {leg.array}: {why}")


async def _re_add(host: Host, leg: Leg) -> bool:
    """Let the bitmap tell what is to be copied. False when md knows too little for that."""
    completed = await try_run(host, "mdadm", leg.array, "--re-add", leg.device, to=f"re-add {leg.target}")
    return completed.returncode == 0


async def _add_whole(host: Host, leg: Leg) -> None:
    """Copy everything. Without its superblock first: `--add` re-adds a leg that still has one, by the bitmap."""
    to = f"take {leg.target} back into {leg.array} by a full copy"
    await must_run(host, "mdadm", "--zero-superblock", leg.device, to=to)
    added = await try_run(host, "mdadm", leg.array, "--add", leg.device, to=to)
    if added.returncode != 0:
        raise AgentError(f"cannot {to}: {said(added)}; run `mdadm {leg.array} --add {leg.device}`")


async def _wait_until_joined(leg: Leg, name: str, member: str) -> None:
    for _ in _tries():
        state = array_state(name)
        if state is not None and (member in state.working or (state.is_rebuilding(member) and state.action != "idle")):
            return
        await asyncio.sleep(PAUSE_S)
    raise LateError(f"cannot take {leg.target} back into {leg.array}: md took it and copies nothing; see /proc/mdstat")


def _tries() -> Iterator[int]:
    """Count tries, at least one, for half of what is left of the operation's time: what comes next needs some too."""
    least_ms, attempt = time_left_ms() // 2, 0
    while attempt == 0 or time_left_ms() > least_ms:
        yield attempt
        attempt += 1


async def _bounded(leg: Leg, purpose: str, call: Callable[[], T], deadline_ms: int) -> T:
    """Write to the driver's control files or to /dev, within a time."""
    try:
        return await bounded_call(f"order to the aoe driver about {leg.target}", call, deadline_ms=deadline_ms)
    except TimeoutError as error:
        raise LateError(f"cannot {purpose} {leg.target} ({leg.array}): {error}") from None
    except OSError as error:
        raise AgentError(f"cannot {purpose} {leg.target} ({leg.array}): {error}; see `dmesg`") from None
