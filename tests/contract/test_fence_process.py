"""External fence_* programs: Debian's fence_dummy, our own rack_power run as a program, and programs that lie."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from power_switch import Manner, PowerSwitch

from aoeha.agents.fence_process import FenceProcess
from aoeha.agents.interface import AgentError
from aoeha.agents.parameters import ParameterError
from aoeha.core.model.task import PlugState
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

RACK_POWER = Path(__file__).parents[2] / "fencing" / "rack_power.py"

needs_fence_agents = pytest.mark.skipif(shutil.which("fence_dummy") is None, reason="needs Debian's fence-agents")


def fence(program: str | Path, **table: Any) -> FenceProcess:
    return FenceProcess("device", str(program), table, ProcessHost(Place("gw", "beta")))


def program(folder: Path, body: str) -> Path:
    """Write a fence program in shell; `$options` holds what came on standard input."""
    path = folder / "fence_test"
    path.write_text(f"#!/bin/sh\noptions=$(cat)\ntest $# = 0 || exit 99\n{body}\n")
    path.chmod(0o755)
    return path


def status(agent: FenceProcess, plug: str = "alpha") -> tuple[PlugState, str]:
    return asyncio.run(agent.status(plug)), agent.fault


def order(switch: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(switch("alpha"))


@needs_fence_agents
def test_debians_fence_dummy_is_switched_and_read(tmp_path: Path) -> None:
    state = tmp_path / "state"
    agent = fence("fence_dummy", status_file=str(state))
    order(agent.power_on)
    assert state.read_text() == "on"
    assert status(agent) == (PlugState.ON, "")
    order(agent.power_off)
    assert state.read_text() == "off"
    assert status(agent) == (PlugState.OFF, "")
    asyncio.run(agent.monitor())
    asyncio.run(agent.validate("alpha"))


@needs_fence_agents
def test_fence_dummy_without_its_state_file_shows_what_no_caller_can_detect(tmp_path: Path) -> None:
    """It reads off though nothing was ever switched off, and takes the order as already done.

    So a reading alone is worth nothing, and even both together are wrong here. The device shows itself only while its
    node is known to live: the reading before any order says OFF, where ON must stand.
    """
    agent = fence("fence_dummy", status_file=str(tmp_path / "missing"))
    assert status(agent)[0] is PlugState.OFF
    order(agent.power_off)
    assert not (tmp_path / "missing").exists()
    assert status(agent)[0] is PlugState.OFF


@needs_fence_agents
def test_fence_dummy_that_fails_to_switch_off_is_no_proof(tmp_path: Path) -> None:
    agent = fence("fence_dummy", type="fail", power_timeout=1)
    with pytest.raises(AgentError, match=r"cannot off plug alpha: .*Timed out waiting to power OFF"):
        order(agent.power_off)
    assert status(agent)[0] is PlugState.ON
    unwritable = fence("fence_dummy", status_file=str(tmp_path))
    with pytest.raises(AgentError, match="cannot on plug alpha"):
        order(unwritable.power_on)


@needs_fence_agents
def test_misspelt_option_that_the_program_ignores_is_found_by_validate(tmp_path: Path) -> None:
    agent = fence("fence_dummy", status_fiel=str(tmp_path / "state"))
    with pytest.raises(AgentError, match="status_fiel: fence_dummy has no such option and would ignore it"):
        asyncio.run(agent.validate("alpha"))


@needs_fence_agents
def test_program_that_has_no_off_is_refused_by_validate() -> None:
    agent = fence("fence_rcd_serial", serial_port="/dev/null")
    with pytest.raises(AgentError, match="it has no action on, off"):
        asyncio.run(agent.validate("alpha"))


def test_our_own_agent_run_as_a_program_is_switched_and_read(tmp_path: Path) -> None:
    wrapper = tmp_path / "fence_rack_power"
    wrapper.write_text(f"#!{sys.executable}\nimport runpy\nrunpy.run_path({str(RACK_POWER)!r}, run_name='__main__')\n")
    wrapper.chmod(0o755)
    switch = PowerSwitch({"alpha": "on"})

    async def act() -> list[PlugState]:
        async with switch.serving() as port:
            agent = fence(wrapper, ip="127.0.0.1", ipport=port, deadline="1s")
            await agent.validate("alpha")
            await agent.monitor()
            seen = [await agent.status("alpha")]
            await agent.power_off("alpha")
            seen.append(await agent.status("alpha"))
            await agent.power_on("alpha")
            seen.append(await agent.status("alpha"))
            switch.manner = Manner.DEAD
            seen.append(await agent.status("alpha"))
            with pytest.raises(AgentError, match="no answer within 1000 ms"):
                await agent.power_off("alpha")
            return seen

    assert asyncio.run(act()) == [PlugState.ON, PlugState.OFF, PlugState.ON, PlugState.UNKNOWN]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("echo Status: OFF; exit 2", PlugState.OFF),
        ("echo Status: ON; exit 0", PlugState.ON),
        ("echo 'status: off '; exit 2", PlugState.OFF),
        ("exit 2", PlugState.UNKNOWN),
        ("echo usage: fence_test; exit 2", PlugState.UNKNOWN),
        ("echo Status: OFF >&2; exit 2", PlugState.UNKNOWN),
        ("echo Status: OFF; exit 0", PlugState.UNKNOWN),
        ("echo Status: OFF; exit 1", PlugState.UNKNOWN),
        ("echo Status: ON; exit 2", PlugState.UNKNOWN),
        ("echo Status: ON; exit 1", PlugState.UNKNOWN),
        ("echo Status: ON; echo Status: OFF; exit 2", PlugState.UNKNOWN),
        ("echo Status: OFFLINE; exit 2", PlugState.UNKNOWN),
        ("echo not Status: OFF; exit 2", PlugState.UNKNOWN),
        ("echo Status: OFF; kill -9 $$", PlugState.UNKNOWN),
        ("exit 0", PlugState.UNKNOWN),
    ],
)
def test_only_code_and_printed_word_together_are_a_state(tmp_path: Path, body: str, expected: PlugState) -> None:
    state, fault = status(fence(program(tmp_path, body)))
    assert state is expected
    assert bool(fault) == (expected is PlugState.UNKNOWN)


@pytest.mark.parametrize("code", [1, 2, 3, 127])
def test_order_counts_as_taken_only_with_code_0(tmp_path: Path, code: int) -> None:
    agent = fence(program(tmp_path, f"echo Success: Powered OFF; exit {code}"))
    with pytest.raises(AgentError, match="cannot off plug alpha"):
        order(agent.power_off)


def test_missing_program_is_unknown_and_takes_no_orders() -> None:
    agent = fence("fence_that_nobody_installed")
    state, fault = status(agent)
    assert state is PlugState.UNKNOWN
    assert "there is no program fence_that_nobody_installed" in fault
    with pytest.raises(AgentError, match="there is no program"):
        order(agent.power_off)


def test_hanging_program_is_killed_with_its_children_when_the_caller_gives_up(tmp_path: Path) -> None:
    """The program and its child hold the writing end of a pipe: when that reads as ended, both are dead."""
    os.mkfifo(tmp_path / "alive")
    agent = fence(program(tmp_path, f"exec 3> {tmp_path}/alive; echo started >&3; sleep 600"))

    async def give_up() -> str:
        asking = asyncio.create_task(agent.power_off("alpha"))
        with await asyncio.to_thread((tmp_path / "alive").open) as alive:
            assert await asyncio.to_thread(alive.readline) == "started\n"
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            return await asyncio.wait_for(asyncio.to_thread(alive.read), 20)

    assert asyncio.run(give_up()) == ""


def test_options_go_by_standard_input_and_nowhere_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cr=t word\n")
    secret.chmod(0o600)
    body = f'echo "$options" > {tmp_path}/in; tr "\\0" "\\n" < /proc/$$/cmdline > {tmp_path}/argv; env > {tmp_path}/env'
    agent = fence(program(tmp_path, body), passwd={"file": str(secret)}, ssl=True, snmp_version=2, ip="10.0.0.1")
    order(agent.power_off)
    assert (tmp_path / "in").read_text().splitlines() == [
        "action=off",
        "plug=alpha",
        "port=alpha",
        "passwd=s3cr=t word",
        "ssl=1",
        "snmp_version=2",
        "ip=10.0.0.1",
    ]
    assert "s3cr" not in (tmp_path / "argv").read_text() + (tmp_path / "env").read_text()


def test_secret_that_the_program_prints_is_not_repeated(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(0o600)
    agent = fence(program(tmp_path, 'echo "failed with: $options" >&2; exit 1'), passwd={"file": str(secret)})
    with pytest.raises(AgentError) as failed:
        order(agent.power_off)
    assert "hunter2" not in str(failed.value)
    assert "passwd=***" in str(failed.value)
    _state, fault = status(agent)
    assert "hunter2" not in fault


def test_secret_is_read_once_so_that_fencing_needs_no_disk(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(0o600)
    agent = fence(program(tmp_path, "echo Status: ON"), passwd={"file": str(secret)})
    assert status(agent)[0] is PlugState.ON
    secret.unlink()
    assert status(agent)[0] is PlugState.ON


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(mode)
    state, fault = status(fence(program(tmp_path, "echo Status: ON"), passwd={"file": str(secret)}))
    assert state is PlugState.UNKNOWN
    assert "cannot trust" in fault
    assert "chmod 600" in fault


@pytest.mark.parametrize("content", [b"", b"\n", b"one\naction=on\n", b"x" * 5000, b"\xff\xfe"])
def test_secret_that_is_not_one_line_is_refused(tmp_path: Path, content: bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    secret.chmod(0o600)
    state, fault = status(fence(program(tmp_path, "echo Status: ON"), passwd={"file": str(secret)}))
    assert state is PlugState.UNKNOWN
    assert "expected one line" in fault


def test_secret_that_is_a_pipe_or_missing_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    before = time.monotonic()
    for name, why in (("pipe", "no plain file"), ("missing", "No such file")):
        _state, fault = status(fence(program(tmp_path, "echo Status: ON"), passwd={"file": str(tmp_path / name)}))
        assert why in fault
    assert time.monotonic() - before < 1.5


@pytest.mark.parametrize(
    ("table", "finding"),
    [
        ({"action": "on"}, "action: "),
        ({"plug": "beta"}, "plug: "),
        ({"ip\naction": "on"}, "expected a name"),
        ({"ip": "10.0.0.1\naction=on"}, "ip: expected one line"),
        ({"ip": ["10.0.0.1"]}, "ip: expected text"),
        ({"passwd": {"fil": "/x"}}, "passwd: expected text"),
        ({"passwd": "hunter2"}, "passwd: a secret may not stand here"),
        ({"community": "hunter2"}, "community: a secret may not stand here"),
    ],
)
def test_options_that_could_change_the_order_are_refused(table: dict[str, Any], finding: str) -> None:
    with pytest.raises(ParameterError, match=finding):
        FenceProcess("device", "fence_dummy", table, ProcessHost(Place("gw", "beta")))


def test_plug_name_can_not_become_another_option(tmp_path: Path) -> None:
    agent = fence(program(tmp_path, "echo Status: OFF; exit 2"))
    state, fault = status(agent, "alpha\naction=on")
    assert state is PlugState.UNKNOWN
    assert "one line" in fault


def test_port_in_the_options_is_left_to_them(tmp_path: Path) -> None:
    agent = fence(program(tmp_path, f'echo "$options" > {tmp_path}/in'), port=23)
    order(agent.power_off)
    assert (tmp_path / "in").read_text().splitlines() == ["action=off", "plug=alpha", "port=23"]
