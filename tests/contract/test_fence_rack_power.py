"""The rack's fence agent against a power switch that is honest, dead, late, babbling or lying."""

import asyncio
import importlib.util
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import pytest
from power_switch import Manner, PowerSwitch

from aoeha.agents.interface import AgentError, FenceAgent
from aoeha.agents.parameters import ParameterError
from aoeha.core.model.task import PlugState
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

PROGRAM = Path(__file__).parents[2] / "fencing" / "rack_power.py"
T = TypeVar("T")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rack_power_under_test", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RACK_POWER: type[FenceAgent[Any]] = load().RackPower


def agent_at(port: int, deadline: str) -> Any:
    table = {"address": "127.0.0.1", "port": port, "deadline": deadline}
    return RACK_POWER("power-switch", RACK_POWER.typed(table), ProcessHost(Place("gw", "beta")))


def with_switch(switch: PowerSwitch, act: Callable[[Any], Awaitable[T]], *, deadline: str = "3s") -> T:
    async def both() -> T:
        async with switch.serving() as port:
            return await act(agent_at(port, deadline))

    return asyncio.run(both())


def test_order_is_carried_out_and_read_back() -> None:
    switch = PowerSwitch({"alpha": "on", "beta": "on"})

    async def act(agent: Any) -> tuple[PlugState, PlugState, PlugState]:
        before = await agent.status("alpha")
        await agent.power_off("alpha")
        between = await agent.status("alpha")
        await agent.power_on("alpha")
        return before, between, await agent.status("alpha")

    assert with_switch(switch, act) == (PlugState.ON, PlugState.OFF, PlugState.ON)
    assert switch.requests == ["status alpha", "off alpha", "status alpha", "on alpha", "status alpha"]
    assert switch.plugs["beta"] == "on"


def test_ok_without_doing_anything_is_no_proof() -> None:
    switch = PowerSwitch({"alpha": "on"}, Manner.LIAR)

    async def act(agent: Any) -> PlugState:
        await agent.power_off("alpha")
        return await agent.status("alpha")  # type: ignore[no-any-return]

    assert with_switch(switch, act) is PlugState.ON


@pytest.mark.parametrize("manner", [Manner.DEAD, Manner.HANGING_UP, Manner.GARBAGE, Manner.ENDLESS])
def test_switch_that_does_not_say_on_or_off_is_unknown_and_takes_no_orders(manner: Manner) -> None:
    switch = PowerSwitch({"alpha": "off"}, manner)

    async def act(agent: Any) -> tuple[PlugState, str]:
        with pytest.raises(AgentError, match=r"cannot (off|switch) plug alpha"):
            await agent.power_off("alpha")
        return await agent.status("alpha"), agent.fault

    before = time.monotonic()
    state, fault = with_switch(switch, act, deadline="300ms")
    assert state is PlugState.UNKNOWN
    assert "plug alpha" in fault
    assert time.monotonic() - before < 5


def test_late_answer_is_no_answer_and_is_not_taken_for_a_later_one() -> None:
    switch = PowerSwitch({"alpha": "off", "beta": "on"}, Manner.LATE, delay_s=1.5)

    async def act(agent: Any) -> tuple[PlugState, PlugState]:
        first = await agent.status("alpha")
        switch.manner = Manner.HONEST
        return first, await agent.status("beta")

    assert with_switch(switch, act, deadline="1s") == (PlugState.UNKNOWN, PlugState.ON)


def test_unknown_plug_is_unknown_with_the_switchs_own_word() -> None:
    async def act(agent: Any) -> tuple[PlugState, str]:
        return await agent.status("gamma"), agent.fault

    state, fault = with_switch(PowerSwitch({"alpha": "off"}), act)
    assert state is PlugState.UNKNOWN
    assert "error no such request or plug" in fault


def test_nobody_listening_is_unknown() -> None:
    async def act() -> tuple[PlugState, str]:
        switch = PowerSwitch({})
        async with switch.serving() as port:
            pass
        agent = agent_at(port, "3s")
        return await agent.status("alpha"), agent.fault

    state, fault = asyncio.run(act())
    assert state is PlugState.UNKNOWN
    assert "is the switch alive" in fault


@pytest.mark.parametrize("plug", ["", "alpha\noff beta", "a b", "x" * 65, "é"])
def test_plug_name_can_not_become_a_second_request(plug: str) -> None:
    switch = PowerSwitch({"alpha": "on", "beta": "on"})

    async def act(agent: Any) -> None:
        with pytest.raises(AgentError, match="a plug's name"):
            await agent.power_off(plug)

    with_switch(switch, act)
    assert switch.requests == []


@pytest.mark.parametrize(
    "table", [{}, {"address": "switch.example"}, {"address": "10.0.0.1", "port": 0}, {"adress": "1"}]
)
def test_bad_parameters_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"address|port"):
        RACK_POWER.typed(table)


async def run_program(stdin: str, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def run_against(switch: PowerSwitch, stdin: str, *, deadline: str = "2s") -> tuple[int, str, str]:
    async def both() -> tuple[int, str, str]:
        async with switch.serving() as port:
            return await run_program(f"{stdin}\nip=127.0.0.1\nipport={port}\ndeadline={deadline}\nnodename=whoever\n")

    return asyncio.run(both())


@pytest.mark.parametrize(
    ("action", "before", "expected"),
    [
        ("status", "on", (0, "Status: ON\n", "on")),
        ("status", "off", (2, "Status: OFF\n", "off")),
        ("off", "on", (0, "Success: Powered OFF\n", "off")),
        ("off", "off", (0, "Success: Powered OFF\n", "off")),
        ("on", "off", (0, "Success: Powered ON\n", "on")),
        ("reboot", "on", (0, "Success: Powered OFF\nSuccess: Powered ON\n", "on")),
        ("monitor", "off", (0, "", "off")),
        ("validate-all", "on", (0, "", "on")),
    ],
)
@pytest.mark.parametrize("plug", ["plug", "port"])
def test_program_speaks_the_fence_interface(
    plug: str, action: str, before: str, expected: tuple[int, str, str]
) -> None:
    switch = PowerSwitch({"alpha": before})
    code, said, _fault = run_against(switch, f"action={action}\n{plug}=alpha")
    assert (code, said, switch.plugs["alpha"]) == expected


@pytest.mark.parametrize("manner", [Manner.DEAD, Manner.GARBAGE, Manner.HANGING_UP])
@pytest.mark.parametrize("action", ["status", "off", "on", "monitor"])
def test_program_ends_with_1_when_the_switch_does_not_answer(action: str, manner: Manner) -> None:
    switch = PowerSwitch({"alpha": "off"}, manner)
    code, said, fault = run_against(switch, f"action={action}\nplug=alpha", deadline="300ms")
    assert (code, said) == (1, "")
    assert "cannot" in fault


def test_program_ends_with_1_when_off_was_taken_but_not_done() -> None:
    code, said, fault = run_against(PowerSwitch({"alpha": "on"}, Manner.LIAR), "action=off\nplug=alpha")
    assert (code, said) == (1, "")
    assert "does not read so" in fault


@pytest.mark.parametrize(
    "stdin",
    [
        "",
        "plug=alpha\nip=127.0.0.1",
        "action=explode\nplug=alpha\nip=127.0.0.1",
        "action=status\nip=127.0.0.1",
        "action=status\nplug=alpha",
        "action=off\nplug=alpha\nip=127.0.0.1\nipport=many",
    ],
)
def test_program_never_ends_with_2_for_a_mistake(stdin: str) -> None:
    code, said, fault = asyncio.run(run_program(stdin))
    assert (code, said) == (1, "")
    assert fault.startswith("fence_rack_power: ")
    assert "Traceback" not in fault


def test_metadata_names_all_options_and_actions() -> None:
    code, said, _fault = asyncio.run(run_program("action=metadata\n"))
    assert code == 0
    root = ET.fromstring(said)
    assert {item.attrib["name"] for item in root.iter("parameter")} == {"action", "plug", "ip", "ipport", "deadline"}
    assert {item.attrib["name"] for item in root.iter("action")} >= {"on", "off", "status", "monitor", "metadata"}
    required = {item.attrib["name"] for item in root.iter("parameter") if item.attrib["required"] == "1"}
    assert required == {"action", "ip"}


def test_program_takes_its_options_as_words_too() -> None:
    async def both() -> tuple[int, str, str]:
        async with PowerSwitch({"alpha": "off"}).serving() as port:
            return await run_program("", "-o", "status", "--plug=alpha", "-a", "127.0.0.1", "--ipport", str(port))

    assert asyncio.run(both())[:2] == (2, "Status: OFF\n")


def test_program_imports_neither_netlink_nor_templates() -> None:
    code = f"import sys, runpy; runpy.run_path({str(PROGRAM)!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert not {"pyroute2", "jinja2", "serial"} & set(loaded.stdout.split())
