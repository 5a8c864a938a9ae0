"""Network namespaces for tests: made with a loopback interface, entered by a thread, gone afterwards. Needs root."""

import asyncio
import contextlib
import ctypes
import itertools
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

__all__ = ["in_private_network", "inside", "namespace"]

CLONE_NEWNET = 0x40000000
T = TypeVar("T")
numbers = itertools.count()


@contextlib.contextmanager
def namespace(word: str) -> Iterator[str]:
    """Make one whose name begins with `message`; yields its name."""
    name = f"{word}{os.getpid()}x{next(numbers)}"
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=10)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True, timeout=10)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, timeout=10)


def inside(name: str, work: Callable[[], T]) -> T:
    """Run `work` in a thread that lives in the namespace, with what it starts; the rest of this process stays."""

    def enter() -> None:
        with Path("/run/netns", name).open() as file:
            _must(ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET))

    return _in_a_thread(enter, work)


def in_private_network(scene: Callable[[], Awaitable[T]]) -> T:
    """Run a scene, and every program that it starts, in a namespace without a name, which ends with it."""

    def enter() -> None:
        _must(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)

    async def played() -> T:
        return await scene()

    return _in_a_thread(enter, lambda: asyncio.run(played()))


def _in_a_thread(enter: Callable[[], None], work: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            enter()
            results.append(work())
        except BaseException as error:  # noqa: BLE001 (raised again in the test's own thread)
            errors.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _must(result: int) -> None:
    assert result == 0, os.strerror(ctypes.get_errno())
