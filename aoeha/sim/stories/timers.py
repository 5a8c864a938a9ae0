"""The timers of a seed's pair: such as `aoeha check` accepts, and mostly the product's own.

Beats that tell nothing new are most of the work. So some pairs live more slowly: all timers by which gateways judge
each other and their shelves are longer by one factor, the lease of a ledger too. What others do, a fence device, an
agent, a kernel or a human, takes as long as ever. A few pairs have timers that a user may have chosen, up to the limits
that `aoeha check` sets.

What this file does not know: what is accepted (aoeha.config.lint; a test holds each seed to it).
"""

from random import Random
from typing import TypedDict

from aoeha.core.model.config import PairConfig
from aoeha.core.peer.disk_heartbeat import EVERY_MIN_MS, STAMPS

__all__ = ["Timers", "timers_of"]

STRETCHED = {1: 75, 5: 20, 10: 5}
"""How often the timers are longer by such a factor, in percent."""
CHOSEN_SHARE = 0.1
"""Of all pairs whose timers are not stretched have chosen ones."""
MONITOR_MS = 10_000
RESTARTS_MS = 1_800
"""`aoeha check` warns of a deadtime below three times the restart of a daemon."""


class Timers(TypedDict):
    """The fields of `Settings` that are times of the pair's own."""

    keepalive_ms: int
    warntime_ms: int
    deadtime_ms: int
    initdead_ms: int
    hold_ms: int
    shelf_timeout_ms: int
    lease_ms: int
    monitor_ms: int


def timers_of(random: Random, fence_ms: int, *, slow: bool) -> Timers:
    """Choose the timers of a pair whose first fence level may take `fence_ms`; `slow` ones for one that costs much."""
    factor = random.choices(tuple(STRETCHED), tuple(STRETCHED.values()))[0]
    if slow or factor > 1:
        return _stretched(max(STRETCHED) if slow else factor)
    return _chosen(random, fence_ms) if random.random() < CHOSEN_SHARE else _stretched(1)


def _stretched(factor: int) -> Timers:
    return Timers(
        keepalive_ms=factor * PairConfig.keepalive_ms,
        warntime_ms=factor * PairConfig.warntime_ms,
        deadtime_ms=factor * PairConfig.deadtime_ms,
        initdead_ms=factor * PairConfig.initdead_ms,
        hold_ms=factor * PairConfig.hold_every_ms,
        shelf_timeout_ms=factor * PairConfig.shelf_timeout_ms,
        lease_ms=factor * PairConfig.ledger_lease_ms,
        monitor_ms=factor * MONITOR_MS,
    )


def _chosen(random: Random, fence_ms: int) -> Timers:
    keepalive_ms = random.choice((100, 300, 500, 1_000))
    warntime_ms = keepalive_ms * random.randint(2, 4)
    least_ms = max(RESTARTS_MS, 4 * keepalive_ms, 2 * warntime_ms + STAMPS * EVERY_MIN_MS)
    deadtime_ms = least_ms * random.choice((1, 1, 2))
    shelf_timeout_ms = random.choice((200, 500))
    return Timers(
        keepalive_ms=keepalive_ms,
        warntime_ms=warntime_ms,
        deadtime_ms=deadtime_ms,
        initdead_ms=deadtime_ms * random.randint(1, 4),
        hold_ms=random.choice((600, 1_000, 2_000)),
        shelf_timeout_ms=shelf_timeout_ms,
        lease_ms=deadtime_ms + fence_ms + random.choice((1_000, 10_000)),
        monitor_ms=MONITOR_MS,
    )
