"""Every wait of the core: what is waited for, how long at most, and what follows.

Rules. A wait for what could only excuse the peer has a bound. When it ends, the rule goes on with a complete proof that
it has, or an alarm tells a human what to do. The end of a wait is never a proof: a leg that does not answer is not
fenced, a claim that nobody answers is not granted, and a plug that cannot be read is not off.

The table tells and does not decide: each wait is ended by its function. A test holds that each function exists, that
each bound is finite for every configuration, and that the book of rules has the same table.

What this file does not know: whether anything is waited for now.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aoeha.core import unserved
from aoeha.core.fencing import fence_race, power_fence, power_restore
from aoeha.core.mirror import leg_rest
from aoeha.core.model import shelf_patience
from aoeha.core.model.config import PairConfig
from aoeha.core.ownership import group_beat
from aoeha.core.peer import disk_heartbeat, membership
from aoeha.core.resources import address_conflict, failures, lifecycle
from aoeha.core.storage import leg_ledger, storage_fence

Bound = Callable[[PairConfig], int]


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait: what for, its bound in milliseconds, what follows, and the function that ends it."""

    what: str
    bound_ms: Bound
    longest: str
    follows: str
    ends_in: str


WAITS: tuple[Wait, ...] = (
    Wait(
        "a beat of a peer that was heard",
        lambda c: c.deadtime_ms,
        "`deadtime`",
        "the peer is silent",
        "core/peer/membership.py:silence_due_ms",
    ),
    Wait(
        "a first beat, after a boot",
        lambda c: c.initdead_ms,
        "`initdead`",
        "the peer counts as never seen",
        "core/peer/membership.py:silence_due_ms",
    ),
    Wait(
        "a daemon that announced its restart",
        lambda c: membership.BACK_WITHIN_MAX_MS + c.deadtime_ms,
        "30 s and `deadtime`",
        "the peer is silent",
        "core/peer/membership.py:silence_due_ms",
    ),
    Wait(
        "what the shelves say of a silent peer",
        disk_heartbeat.question_patience_ms,
        "3 x `deadtime` without a sign of life",
        "the peer is silent",
        "core/peer/membership.py:_was_asked_for_long",
    ),
    Wait(
        "a shelf that is slow",
        lambda c: shelf_patience.longest_ms(c, renewing=False),
        "5 s, or the lifetime of an address that it renews",
        "the address counts as silent, and everything goes on without it",
        "core/model/shelf_patience.py:longest_ms",
    ),
    Wait(
        "a slow shelf that is reserved",
        shelf_patience.change_max_ms,
        "15 s",
        "the address counts as silent",
        "core/model/shelf_patience.py:change_max_ms",
    ),
    Wait(
        "our turn in a fence race",
        lambda c: 2 * (fence_race.DELAY_MS + c.keepalive_ms),
        "2 x (2 s and `keepalive`)",
        "the fence begins, if its reason still stands",
        "core/fencing/power_fence.py:_is_our_turn",
    ),
    Wait(
        "the first leg as the arbiter of a fence",
        storage_fence.patience_ms,
        "3 x `deadtime`",
        "power is asked for",
        "core/fencing/power_fence.py:_is_our_turn",
    ),
    Wait(
        "legs that no node holds",
        lambda c: max(c.deadtime_ms, storage_fence.FREE_PERIODS * c.hold_every_ms),
        "`deadtime`, or three hold checks",
        "the legs count as free and are taken without force",
        "core/storage/storage_fence.py:_is_free",
    ),
    Wait(
        "a peer that took a leg back",
        lambda c: c.deadtime_ms,
        "`deadtime`",
        "the peer may be fenced again",
        "core/storage/storage_fence.py:peer_yielded_to",
    ),
    Wait(
        "an answer of a peer that gave a group away and whose name is on a leg",
        lambda c: c.deadtime_ms,
        "`deadtime`",
        "the leg is preempted",
        "core/storage/reservations.py:_may_be_an_old_grant",
    ),
    Wait(
        "the silence of a peer whose plugs read off",
        lambda c: max((fence.settle_ms for fence in c.fences), default=0) + c.deadtime_ms,
        "`settle` and `deadtime`",
        "a proof, or the plug is a wrong one",
        "core/fencing/power_proof.py:awaits_silence",
    ),
    Wait(
        "a fence device",
        lambda c: max((fence.timeout_ms for fence in c.fences), default=0),
        "`timeout` of the device",
        "the next level, at last the alarm fence.failed",
        "core/fencing/power_fence.py:_level_failed",
    ),
    Wait(
        "the next try of a fence that failed",
        lambda _: power_fence.BACK_OFF_MAX_MS,
        "30 s",
        "it is tried again, under the alarm fence.failed",
        "core/fencing/power_fence.py:_level_failed",
    ),
    Wait(
        "an owner that may have fenced us, after an unclean boot",
        lambda c: c.boot_patience_ms,
        "`boot_patience`",
        "the peer is fenced",
        "core/fencing/power_on.py:unclean_boot_lately",
    ),
    Wait(
        "a peer that was switched on again",
        lambda c: c.boot_patience_ms * 3 // 4,
        "three quarters of `boot_patience`",
        "it is kept off, under the alarm peer.kept-off",
        "core/fencing/power_on.py:overdue",
    ),
    Wait(
        "power that a fence which was given up has not restored",
        lambda _: power_restore.PATIENCE_MS,
        "30 s",
        "it is restored, or the alarm device.power-not-restored stands",
        "core/fencing/power_restore.py:decide",
    ),
    Wait(
        "the peer's acknowledgement of a ledger",
        leg_ledger.patience_ms,
        "1.1 x `ledger_lease`",
        "the leg leaves or returns",
        "core/storage/leg_ledger.py:gate_is_open",
    ),
    Wait(
        "a leg that is lost, and without which the mirror may not continue",
        lambda c: 3 * c.hold_every_ms,
        "three hold checks",
        "the alarm mirror.writes-wait stands, and where the peer could serve, this node asks to be fenced",
        "core/mirror/leg_membership.py:_warn_of_waiting_writes",
    ),
    Wait(
        "a leg whose disk reports errors",
        lambda _: leg_rest.REST_MAX_MS,
        "1 h, under the alarm mirror.leg-failing",
        "it is tried again",
        "core/mirror/leg_rest.py:rest",
    ),
    Wait(
        "the peer's answer after a stall of this node",
        lambda c: c.deadtime_ms,
        "`deadtime`",
        "this node reboots, or the alarm ownership.unconfirmed stands",
        "core/ownership/own_stall.py:_remain_unanswered",
    ),
    Wait(
        "a peer that shall claim a group that was handed over",
        lambda _: group_beat.HOLD_BACK_MS,
        "15 s",
        "this node may claim it again",
        "core/ownership/group_beat.py:group_beat",
    ),
    Wait(
        "a network that cannot be asked for a service address, or in which a machine answers for it",
        address_conflict.patience_ms,
        "twice the lifetime of an address",
        "the address is added, under the alarm address.not-probed or address.conflict",
        "core/resources/address_conflict.py:why_not_yet",
    ),
    Wait(
        "the next try of a group that failed too often",
        lambda c: max((failures.RETRY_PAUSE_MS, *(group.failure_window_ms for group in c.groups))),
        "30 s, or `restart_window` where the peer serves it",
        "it is tried again, under the alarm group.failing",
        "core/resources/failures.py:count",
    ),
    Wait(
        "to be fenced, with a group that can be neither served nor stopped",
        lambda _: lifecycle.BLOCKED_PATIENCE_MS,
        "30 s",
        "this node reboots, or tries to stop it again",
        "core/resources/lifecycle.py:_escalate",
    ),
    Wait(
        "somebody who serves a group",
        unserved.patience_ms,
        "`initdead` and 60 s",
        "the alarm group.unserved",
        "core/unserved.py:decide",
    ),
    Wait(
        "a task: an agent, a device, a shelf, the network",
        lambda c: (
            max((max(r.start_ms, r.stop_ms, r.monitor_ms) for g in c.groups for r in g.resources), default=0)
            + shelf_patience.ACT_EXTRA_MAX_MS
        ),
        "its deadline, which slow legs prolong by 5 min at most",
        "it counts as failed, and all that it started is killed",
        "core/step.py:_task_done",
    ),
)
"""Every wait, in the order of a takeover."""
