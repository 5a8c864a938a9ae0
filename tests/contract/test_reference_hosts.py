"""Reference hosts on the kernel's own ICMP, in network namespaces: one that answers, a silent one, no way."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import pytest
from namespaces import inside
from test_agent_address import HERE, THERE, can_be_found, ip, pytestmark, wire

from aoeha.core.model.events import TaskDone
from aoeha.core.model.task import HostsHeard, HostsTask, TaskResult
from aoeha.daemon.performers import Agents
from aoeha.daemon.tasks import TaskRunner
from aoeha.io.reference_hosts import answering

__all__ = ["pytestmark", "wire"]

PATIENCE_MS = 1_000


async def through_a_task(hosts: tuple[str, ...]) -> TaskDone:
    """What the core is told, by the same road as in the daemon."""
    arrived: asyncio.Queue[TaskDone] = asyncio.Queue()
    runner = TaskRunner(Agents({}, {}, reference_hosts=hosts), arrived.put_nowait)
    runner.start(HostsTask(7, PATIENCE_MS, "a test"))
    async with asyncio.timeout(2 * PATIENCE_MS / 1_000):
        return await arrived.get()


@pytest.fixture
def addresses(wire: None) -> None:  # noqa: ARG001  it needs the cable
    for namespace, port, last in ((HERE, "near0", 1), (THERE, "far0", 2)):
        ip("-n", namespace, "address", "add", f"10.9.8.{last}/24", "dev", port)
        ip("-n", namespace, "address", "add", f"fd00:9::{last}/64", "dev", port, "nodad")
        can_be_found(namespace, port, f"ff02::1:ff00:{last}")


def asked(*hosts: str) -> int:
    work: Callable[[], int] = partial(asyncio.run, answering(hosts, PATIENCE_MS))
    return inside(HERE, work)


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize("hosts", [["10.9.8.2"], ["fd00:9::2"], ["10.9.8.2", "fd00:9::2"]])
def test_those_that_answer_are_counted_and_nobody_is_waited_for_who_has_answered(hosts: list[str]) -> None:
    begun = time.monotonic()
    assert asked(*hosts) == len(hosts)
    assert time.monotonic() - begun < PATIENCE_MS / 2_000
    assert asked("10.9.8.77", *hosts) == len(hosts)


@pytest.mark.usefixtures("addresses")
def test_a_host_that_is_silent_is_given_up_in_time() -> None:
    begun = time.monotonic()
    assert not asked("10.9.8.77", "fd00:9::77")
    assert time.monotonic() - begun < PATIENCE_MS / 1_000


@pytest.mark.usefixtures("addresses")
def test_the_core_is_told_how_many_answer() -> None:
    for hosts, told in ((("10.9.8.77", "10.9.8.2"), 1), (("10.9.8.77",), 0)):
        done = inside(HERE, partial(asyncio.run, through_a_task(hosts)))
        assert (done.task_id, done.result, done.outcome) == (7, TaskResult.OK, HostsHeard(told))


@pytest.mark.usefixtures("wire")
def test_a_host_to_which_no_way_leads_does_not_answer() -> None:
    assert not asked("192.0.2.1", "2001:db8::1")


@pytest.mark.usefixtures("addresses")
def test_an_answer_of_somebody_else_does_not_count() -> None:
    """The one that is asked is silent; the other one answers another process at the same time."""

    async def both() -> tuple[int, int]:
        silent, heard = await asyncio.gather(
            answering(["10.9.8.77"], PATIENCE_MS), answering(["10.9.8.2"], PATIENCE_MS)
        )
        return silent, heard

    assert inside(HERE, lambda: asyncio.run(both())) == (0, 1)
