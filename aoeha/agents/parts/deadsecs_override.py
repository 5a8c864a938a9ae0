"""A temporary override of `aoe_deadsecs`: for a moment the AoE driver does not wait long for silent paths.

Facts about the Linux driver (rexmit_timer in drivers/block/aoe/aoecmd.c; measured, docs/fencing.md). On each timer
tick, 0.1 s, it checks how long each frame has waited, in whole seconds, against `aoe_deadsecs` as it is then. A frame
that has waited longer than min(deadsecs / addresses of its leg, 10) on one path makes the driver leave that path until
something is answered there again. A frame that has waited longer than deadsecs altogether costs the whole leg. With an
hour, as R5 needs, a path is left after 11 s. With 9, it is left after 5 s with two addresses, after 4 s with three,
after 3 s with four, and a leg is given up after 10 s.

The override must be called in a thread of its own, so that no delay of the daemon's loop can keep it from restoring the
previous value.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from aoeha.agents.interface import AgentError
from aoeha.agents.parts.aoe_driver import progress_of, write_control
from aoeha.core.model.config import PathTiming
from aoeha.core.model.task import PathFailover
from aoeha.io import clock

__all__ = ["LOWERED_S", "PATH_TIMING", "override_deadsecs"]

LOWERED_S = 9
"""What `aoe_deadsecs` is for that moment."""
PATH_TIMING = PathTiming(
    left_after_ms=tuple((LOWERED_S // addresses + 1) * 1_000 for addresses in range(2, LOWERED_S + 2)),
    leg_lost_after_ms=(LOWERED_S + 1) * 1_000,
    override_ms=700,
    read_ms=500,
    unaided_ms=11_000,
)

LOOKS = 4
LOOK_EVERY_S = 0.03
"""A disk that works ends something within a few looks."""
RESTORE_TRIES = 3


def override_deadsecs(
    setting: Path,
    usual: str,
    failover: PathFailover,
    others: tuple[str, ...],
    over: threading.Event,
    *,
    now_ms: Callable[[], int] = clock.now_ms,
) -> None:
    """Set `LOWERED_S`, wait until its time is up or `over` is set, and put the usual one back.

    AgentError, with nothing written, when it is too late, or when one of the `others`, which are in no need of this,
    has I/O under way that does not end: the driver would give that target up too. AgentError also when the usual value
    does not stand afterwards. OSError from the file.
    """
    if stuck := _stuck(others):
        raise AgentError(f"{', '.join(stuck)} has I/O under way that does not end, and would be given up")
    late_ms = now_ms() - failover.begin_by_ms
    if late_ms > 0:
        raise AgentError(f"it is too late by {late_ms} ms: legs could be given up too")
    try:
        write_control(setting, str(LOWERED_S))
        left_ms = min(failover.begin_by_ms + failover.for_ms - now_ms(), failover.for_ms)
        over.wait(max(left_ms, 0) / 1_000)
    finally:
        _restore(setting, usual)


def _stuck(targets: tuple[str, ...]) -> list[str]:
    """The targets that have something under way and end nothing for a few looks."""
    first = {target: progress_of(target) for target in targets}
    suspects = [target for target, (under_way, _) in first.items() if under_way]
    for _ in range(LOOKS):
        if not suspects:
            break
        time.sleep(LOOK_EVERY_S)
        now = {target: progress_of(target) for target in suspects}
        suspects = [target for target in suspects if now[target][0] and now[target][1] == first[target][1]]
    return suspects


def _restore(setting: Path, usual: str) -> None:
    for tries_left in reversed(range(RESTORE_TRIES)):
        try:
            write_control(setting, usual)
        except OSError:
            if not tries_left:
                raise
            continue
        if (shown := setting.read_text().strip()) == usual:
            return
    raise AgentError(f"the aoe driver keeps {setting.name} at {shown} instead of {usual}; write {usual} to {setting}")
