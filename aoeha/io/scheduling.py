"""Real-time scheduling: locked memory and a real-time priority, as far as this machine permits."""

import ctypes
import gc
import os
import resource
import threading

__all__ = ["enable_realtime", "freeze_garbage"]

MCL_CURRENT_AND_FUTURE = 3
ROUND_ROBIN_PRIORITY = 10
THREAD_STACK_BYTES = 256 * 1024


def enable_realtime() -> list[str]:
    """Lock memory and take a round-robin real-time priority that children and threads do not inherit.

    Returns one warning sentence for each thing that was not permitted. The daemon works without it, but a machine that
    swaps or is overloaded may look dead to its peer.
    """
    # Locked memory includes every thread's whole stack.
    threading.stack_size(THREAD_STACK_BYTES)
    return [sentence for sentence in (_lock_memory(), _take_priority()) if sentence]


def freeze_garbage() -> None:
    """Exempt all present objects from garbage collection, so that collections stay short."""
    gc.collect()
    gc.freeze()


def _lock_memory() -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        return (
            f"memory is not locked: the limit is {soft} of {hard} bytes; "
            "set LimitMEMLOCK=infinity in the unit, or this node may miss beats while it swaps"
        )
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(MCL_CURRENT_AND_FUTURE) != 0:
        reason = os.strerror(ctypes.get_errno())
        return f"memory is not locked: {reason}; this node may miss beats while it swaps"
    return ""


def _take_priority() -> str:
    policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
    try:
        os.sched_setscheduler(0, policy, os.sched_param(ROUND_ROBIN_PRIORITY))
    except OSError as error:
        return (
            f"no real-time priority: {error.strerror}; "
            "allow CAP_SYS_NICE, or this node may miss beats while it is overloaded"
        )
    return ""
