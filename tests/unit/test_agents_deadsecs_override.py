"""A driver is impatient for a moment, and as patient as ever afterwards, whatever happens meanwhile."""

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from aoeha.agents.interface import AgentError
from aoeha.agents.parts import aoe_driver
from aoeha.agents.parts.deadsecs_override import LOWERED_S, override_deadsecs
from aoeha.agents.registry import load_resource_agent
from aoeha.core.model.task import PathFailover, ResourceStatus
from aoeha.io import clock
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

USUAL = "3600"
LOWERED = str(LOWERED_S)
IDLE = "40 0 320 9 25 0 200 8 0 12 17\n"
BUSY = "40 0 320 9 25 0 200 8 2 12 17\n"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like /sys, in which the driver is loaded and two targets do nothing."""
    monkeypatch.setattr(aoe_driver, "_BLOCK", tmp_path / "block")
    for target in ("e1.0", "e2.0"):
        (tmp_path / "block" / f"etherd!{target}").mkdir(parents=True)
        (tmp_path / "block" / f"etherd!{target}" / "stat").write_text(IDLE)
    setting(tmp_path).parent.mkdir(parents=True)
    setting(tmp_path).write_text(f"{USUAL}\n")
    return tmp_path


def setting(kernel: Path) -> Path:
    return kernel / "module" / "aoe" / "parameters" / "aoe_deadsecs"


def agent_in(kernel: Path, monkeypatch: pytest.MonkeyPatch, deadsecs: str = USUAL) -> Any:
    kind = load_resource_agent("aoe")
    module = sys.modules[kind.__module__]
    monkeypatch.setattr(module, "MODULE", kernel / "module" / "aoe")
    monkeypatch.setattr(module, "SETTINGS", kernel / "module" / "aoe" / "parameters")
    parameters = kind.typed({"interfaces": ["eth1"], "targets": ["e1.0", "e2.0"], "deadsecs": int(deadsecs)})
    return kind("shelves", parameters, ProcessHost(Place("gw", "alpha")))


def soon(for_ms: int = 30) -> PathFailover:
    return PathFailover(for_ms, 0, clock.now_ms() + 60_000)


def wait_until_it_shows(file: Path, text: str) -> None:
    """Look again and again: a file of the kernel tells nobody when it changes."""
    while file.read_text().strip() != text:
        time.sleep(0.001)


def test_the_driver_is_impatient_and_then_as_before(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_in(kernel, monkeypatch)

    async def hurry() -> None:
        under_way = asyncio.create_task(agent.fail_over(("e1.0",), soon(300)))
        await asyncio.to_thread(wait_until_it_shows, setting(kernel), LOWERED)
        assert (await agent.monitor()).status is ResourceStatus.FAILED
        assert setting(kernel).read_text() == LOWERED, "its own monitor does not put an end to it"
        await under_way

    asyncio.run(hurry())
    assert setting(kernel).read_text() == USUAL


def test_one_that_is_cancelled_ends_at_once(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_in(kernel, monkeypatch)

    async def hurry() -> None:
        under_way = asyncio.create_task(agent.fail_over(("e1.0",), soon(60_000)))
        await asyncio.to_thread(wait_until_it_shows, setting(kernel), LOWERED)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        assert setting(kernel).read_text() == USUAL

    asyncio.run(hurry())


def test_a_driver_that_was_left_in_a_hurry_gets_its_patience_back(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting(kernel).write_text(f"{LOWERED}\n")
    asyncio.run(agent_in(kernel, monkeypatch).monitor())
    assert setting(kernel).read_text() == USUAL


def test_one_that_is_impatient_always_is_left_alone(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = setting(kernel).stat().st_mtime_ns
    asyncio.run(agent_in(kernel, monkeypatch, LOWERED).fail_over(("e1.0",), soon()))
    assert setting(kernel).stat().st_mtime_ns == before


def test_without_a_driver_nobody_hurries(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_in(kernel, monkeypatch)
    setting(kernel).unlink()
    setting(kernel).parent.rmdir()
    (kernel / "module" / "aoe").rmdir()
    with pytest.raises(AgentError, match="is not loaded"):
        asyncio.run(agent.fail_over(("e1.0",), soon()))


def test_too_late_is_not_at_all(kernel: Path) -> None:
    late = PathFailover(30, 0, clock.now_ms() - 1)
    setting(kernel).chmod(0o400)
    written = setting(kernel).stat().st_mtime_ns
    with pytest.raises(AgentError, match="it is too late by"):
        override_deadsecs(setting(kernel), USUAL, late, (), threading.Event())
    assert setting(kernel).stat().st_mtime_ns == written


def test_one_that_was_held_up_before_it_wrote_ends_at_once(kernel: Path) -> None:
    times = iter((1_000, 1_600))
    override_deadsecs(
        setting(kernel), USUAL, PathFailover(600, 0, 1_000), (), NeverOver(0.0), now_ms=lambda: next(times)
    )
    assert setting(kernel).read_text() == USUAL


class NeverOver(threading.Event):
    """An event that nobody sets, and that must be waited for so long."""

    def __init__(self, expected_s: float) -> None:
        super().__init__()
        self.expected_s = expected_s

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == self.expected_s
        return False


def test_what_is_under_way_and_ends_on_another_leg_forbids_it(kernel: Path) -> None:
    busy = kernel / "block" / "etherd!e2.0" / "stat"
    busy.write_text(BUSY)
    written = setting(kernel).stat().st_mtime_ns
    with pytest.raises(AgentError, match=r"e2\.0 has I/O under way that does not end"):
        override_deadsecs(setting(kernel), USUAL, soon(), ("e2.0",), threading.Event())
    assert setting(kernel).stat().st_mtime_ns == written
    override_deadsecs(setting(kernel), USUAL, soon(), ("e1.0",), threading.Event())
    assert setting(kernel).stat().st_mtime_ns != written


def test_a_leg_that_works_forbids_nothing(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = kernel / "block" / "etherd!e2.0" / "stat"
    busy.write_text(BUSY)
    monkeypatch.setattr(time, "sleep", lambda _seconds: busy.write_text(BUSY.replace("25", "26")))
    override_deadsecs(setting(kernel), USUAL, soon(), ("e2.0",), threading.Event())
    assert setting(kernel).read_text() == USUAL
