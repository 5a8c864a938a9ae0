"""Relations between the timings of the shelves: what is read must be known before it is needed."""

from collections.abc import Iterator

from aoeha.agents.duration import render_duration
from aoeha.config.findings import KeyFinding
from aoeha.config.schema import Configuration
from aoeha.core.peer.disk_heartbeat import EVERY_MIN_MS, STAMPS

__all__ = ["shelf_timing", "stamps"]

SHELF_TIMEOUT_MIN_MS = 50


def shelf_timing(configuration: Configuration) -> Iterator[KeyFinding]:
    """Judge how often the shelves are asked, how long they are waited for, and how long an address lives by that."""
    timing = configuration.timing
    interval, timeout, lifetime = timing.reservation_interval_ms, timing.shelf_timeout_ms, timing.address_lifetime_ms
    if timeout < SHELF_TIMEOUT_MIN_MS:
        yield KeyFinding(
            ("timing", "shelf_timeout"),
            f'expected at least "{render_duration(SHELF_TIMEOUT_MIN_MS)}", got "{render_duration(timeout)}"; a shelf '
            "that works would be called silent",
        )
    if interval <= timeout:
        yield KeyFinding(
            ("timing", "reservation_interval"),
            f'expected more than shelf_timeout ("{render_duration(timeout)}"), got "{render_duration(interval)}"; '
            "a reading must end before the next one",
        )
    if lifetime < 2 * interval + timeout:
        yield KeyFinding(
            ("timing", "address_lifetime"),
            f"expected at least twice reservation_interval and shelf_timeout "
            f'("{render_duration(2 * interval + timeout)}"), got "{render_duration(lifetime)}"; one reading that fails '
            "would take the address from its clients",
        )


def stamps(configuration: Configuration) -> Iterator[KeyFinding]:
    """A gateway whose links fall silent stamps its legs. The peer must see the stamps before its deadtime ends (R6)."""
    timing = configuration.timing
    needed_ms = 2 * timing.warntime_ms + STAMPS * EVERY_MIN_MS
    stamped = any(group.legs for group in configuration.groups)
    if stamped and timing.warntime_ms < timing.deadtime_ms < needed_ms:
        yield KeyFinding(
            ("timing", "deadtime"),
            f'expected at least "{render_duration(needed_ms)}", twice warntime and time for {STAMPS} stamps on the '
            f'shelves, got "{render_duration(timing.deadtime_ms)}"; a gateway whose links are cut would be fenced',
        )
