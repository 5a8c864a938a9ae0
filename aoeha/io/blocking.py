"""System calls that may hang, each made in a thread of its own. The caller waits no longer than the deadline.

For calls that need no process, and wait for the host itself: its own files, its devices, the table of its processes.
Nothing that may wait for a shelf is called so: a thread that hangs in the kernel cannot be killed, and this process
could be neither ended nor replaced before it returns (aoeha.agents.parts.hanging_files). At most one call per key is
outstanding; a second one is refused until the first returns.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["bounded_call", "shared_call"]

T = TypeVar("T")

_outstanding: set[str] = set()
_shared: dict[str, "asyncio.Task[Any]"] = {}


async def bounded_call(key: str, function: Callable[[], T], *, deadline_ms: int) -> T:
    """Return what `function` returns or raise what it raises.

    Raises TimeoutError when it takes too long or when an earlier call with this key still hangs.
    """
    if key in _outstanding:
        raise TimeoutError(f"an earlier {key} still hangs")
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: BaseException | None) -> None:
        _outstanding.discard(key)
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]  # no error: it is a T

    def work() -> None:
        result, caught = None, None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001  # handed over to the caller, whatever it is
            caught = error
        try:
            loop.call_soon_threadsafe(deliver, result, caught)
        except RuntimeError:  # The loop was closed meanwhile: no caller waits any more.
            _outstanding.discard(key)

    _outstanding.add(key)
    # A daemon thread: an executor's threads are joined at exit, which would hang with them.
    try:
        threading.Thread(target=work, name=key, daemon=True).start()
    except RuntimeError:  # No thread is available now; the next call may get one.
        _outstanding.discard(key)
        raise
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            return await outcome
    except TimeoutError:
        raise TimeoutError(f"{key} did not return within {deadline_ms} ms") from None


async def shared_call(key: str, function: Callable[[], T], *, deadline_ms: int) -> T:
    """Do as `bounded_call`. A caller that comes while a call with this key runs gets the result of that call.

    For reads: a power-off must not fail because a status poll of the same device reads the same secret just then.
    """
    loop, task = asyncio.get_running_loop(), _shared.get(key)
    if task is None or task.done() or task.get_loop() is not loop:
        task = loop.create_task(bounded_call(key, function, deadline_ms=deadline_ms))
        _shared[key] = task
        task.add_done_callback(lambda ended: _forget(key, ended))
    result: T = await asyncio.shield(task)
    return result


def _forget(key: str, ended: "asyncio.Task[Any]") -> None:
    if _shared.get(key) is ended:
        del _shared[key]
    if not ended.cancelled():
        ended.exception()  # Retrieve the exception, in case no caller waits for it any more.
