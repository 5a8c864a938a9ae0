"""Reference hosts on the kernel's own ICMP, in network namespaces: one that answers, a silent one, no way."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import pytest
from namespaces import inside
from test_agent_address import HERE, THERE, can_be_found, ip, pytestmark, wire

from aoeha.core.model.events import TaskDone
from aoeha.core.model.task import Answered, HostsTask, TaskResult
from aoeha.daemon.performers import Agents
from aoeha.daemon.tasks import TaskRunner
from aoeha.io.reference_hosts import one_answers

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


def asked(*hosts: str) -> bool:
    work: Callable[[], bool] = partial(asyncio.run, one_answers(hosts, PATIENCE_MS))
    return inside(HERE, work)


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize("host", ["10.9.8.2", "fd00:9::2"])
def test_a_host_that_answers_is_heard_at_once(host: str) -> None:
    begun = time.monotonic()
    assert asked("10.9.8.77", host)
    assert time.monotonic() - begun < PATIENCE_MS / 2_000


@pytest.mark.usefixtures("addresses")
def test_a_host_that_is_silent_is_given_up_in_time() -> None:
    begun = time.monotonic()
    assert not asked("10.9.8.77", "fd00:9::77")
    assert time.monotonic() - begun < PATIENCE_MS / 1_000


@pytest.mark.usefixtures("addresses")
def test_the_core_is_told_whether_one_answers() -> None:
    for hosts, told in ((("10.9.8.77", "10.9.8.2"), True), (("10.9.8.77",), False)):
        done = inside(HERE, partial(asyncio.run, through_a_task(hosts)))
        assert (done.task_id, done.result, done.outcome) == (7, TaskResult.OK, Answered(told))


@pytest.mark.usefixtures("wire")
def test_a_host_to_which_no_way_leads_does_not_answer() -> None:
    assert not asked("192.0.2.1", "2001:db8::1")


@pytest.mark.usefixtures("addresses")
def test_an_answer_of_somebody_else_does_not_count() -> None:
    """The one that is asked is silent; the other one answers another process at the same time."""

    async def both() -> tuple[bool, bool]:
        silent, heard = await asyncio.gather(
            one_answers(["10.9.8.77"], PATIENCE_MS), one_answers(["10.9.8.2"], PATIENCE_MS)
        )
        return silent, heard

    assert inside(HERE, lambda: asyncio.run(both())) == (False, True)
