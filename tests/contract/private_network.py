"""A network namespace of a test's own, without a name: it is gone when the test's thread is."""

import asyncio
import ctypes
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

CLONE_NEWNET = 0x40000000

T = TypeVar("T")


def in_private_network(scene: Callable[[], Awaitable[T]]) -> T:
    """Run a scene, and every program that it starts, where there is nothing but a loopback interface. Needs root."""
    results: list[T] = []
    errors: list[BaseException] = []

    async def played() -> T:
        return await scene()

    def stage() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
            results.append(asyncio.run(played()))
        except BaseException as error:  # noqa: BLE001 (raised again in the test's own thread)
            errors.append(error)

    thread = threading.Thread(target=stage)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
