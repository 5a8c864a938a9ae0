"""Planted bugs that no writer and no lost record shows: an act that does not come, or comes before its time."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from planted_bugs import Mutation

from aoeha.core.fencing import heard_after_off, power_fence
from aoeha.core.mirror import leg_membership
from aoeha.core.ownership import claims, own_stall
from aoeha.core.peer import disk_heartbeat, membership
from aoeha.core.resources import address_conflict, lifecycle, storage_loss
from aoeha.core.storage import held_legs, storage_fence


def edited(old: str, new: str) -> Callable[[Any], Any]:
    """The same function with another text in one place of it."""

    def make(original: Any) -> Any:
        source = textwrap.dedent(inspect.getsource(original))
        assert source.count(old) == 1, f"{original.__name__} has other lines by now"
        made: dict[str, Any] = {}
        exec(compile(source.replace(old, new), inspect.getfile(original), "exec"), original.__globals__, made)
        return made[original.__name__]

    return make


def nothing_is_done(_original: Any) -> Any:
    return lambda *_arguments, **_named: None


OLDER = "elif (beat.incarnation, beat.sequence) <= (state.peer.incarnation, state.peer.sequence):"
BESIDE_AN_ORDER = """(state.order is not None and state.order.takes_power)
        or state.fence.tasks
        or state.fence.phase in (FencePhase.SETTLING, FencePhase.CANCELLING)"""


ACTS_IN_STORIES = (
    (
        Mutation("leave a silent shelf in the mirror", leg_membership, "_evict", nothing_is_done, ("I6",)),
        "both-reboot-with-a-stale-leg-back",
    ),
    (
        Mutation(
            "start as soon as one leg is reserved",
            held_legs,
            "reserved",
            edited("if address.holder is not Holder.SILENT and not _is_held(group, address):", "if False:"),
            ("R3",),
        ),
        "cold-start-on-other-paths",
    ),
    (
        Mutation(
            "take a lost leg again", storage_fence, "_go_on", edited("if _lost(step.state, group)", "if False"), ("R7",)
        ),
        "taker-that-was-taken-from",
    ),
    (
        Mutation(
            "take the next leg by an old reading",
            storage_fence,
            "_go_on",
            edited("not _is_read_since(step, group, fence.since_ms)", "False"),
            ("R7",),
        ),
        "dual-homed-shelves",
    ),
    (
        Mutation(
            "stop in the order of the start",
            lifecycle,
            "_stop_next",
            edited("reversed(group.resources[lowest:])", "group.resources[lowest:]"),
            ("R14",),
        ),
        "switchover",
    ),
    (
        Mutation(
            "evict for one silent reading",
            leg_membership,
            "_why_lost",
            edited("< state.config.hold_every_ms", "< 0"),
            ("R5",),
        ),
        "shelf-lost-and-back",
    ),
    (
        Mutation(
            "copy by the bitmap to a target that restarted",
            leg_membership,
            "_return",
            edited("whole = leg.suspect or leg.outdated or", "whole = False and"),
            ("R5",),
        ),
        "target-restarts-and-forgets",
    ),
    (
        Mutation("grant beside an order about power", claims, "_grant", edited(BESIDE_AN_ORDER, "False"), ("R9",)),
        "late-fence-hits-the-next-boot",
    ),
    (
        Mutation(
            "forget a fence that was given up",
            power_fence,
            "_cancel",
            edited("if not step.state.fence.tasks:", "if True:"),
            ("R9",),
        ),
        "late-fence-hits-the-next-boot",
    ),
    (
        Mutation(
            "keep an operator's word after a beat",
            heard_after_off,
            "_lives",
            edited("or fence.confirmed is not None:", "and True:"),
            ("R2",),
        ),
        "word-that-its-node-has-answered",
    ),
    (
        Mutation(
            "ask for an address once",
            address_conflict,
            "may_conflict",
            edited("return unproven and", "return unproven and not term.conflicts and"),
            ("R12",),
        ),
        "zombie-address",
    ),
    (
        Mutation("believe what an older beat says", membership, "hear", edited(OLDER, "elif False:"), ("R1",)),
        "reordered-beats",
    ),
    (
        Mutation(
            "call a record silent after warntime",
            disk_heartbeat,
            "_patience_ms",
            edited("config.deadtime_ms - (config.warntime_ms if link.heard_ms is None else 0)", "config.warntime_ms"),
            ("R6",),
        ),
        "dead-peer-all-links-cut",
    ),
    (
        Mutation(
            "ask to be fenced at once",
            storage_loss,
            "_is_blind",
            edited("silent_since_ms + state.config.deadtime_ms and not may_be_slow", "silent_since_ms"),
            ("R13",),
        ),
        "owner-loses-sight-of-its-shelves",
    ),
    (
        Mutation(
            "reboot again and again",
            own_stall,
            "rationed",
            edited("state.panicked_before and", "False and"),
            ("R10",),
        ),
        "stalls-again-soon-after-its-reboot",
    ),
)
"""Each with the story in which a judge names it."""
