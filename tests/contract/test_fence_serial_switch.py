"""fence_serial_switch against an emulated RPS-10 and an emulated Smart-UPS on ptys, on good and on bad days.

The emulators are held to a client that is not ours: cluster-glue's plugins rps10 and apcsmart.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from device_manners import Manner
from fence_agents import agent, run, run_agent, together
from pty_line import LOOK_MS, PtyLine, SerialDevice, cabled
from serial_switches import Rps10Emulator, SmartUpsEmulator

from aoeha.agents.interface import AgentError
from aoeha.agents.parameters import ParameterError
from aoeha.core.model.task import PlugState

T = TypeVar("T")


@dataclass
class Family:
    """A protocol, its emulator, and the plug that is switched in the tests."""

    protocol: str
    device: Rps10Emulator | SmartUpsEmulator
    plug: str

    def is_on(self) -> bool:
        return self.device.plugs["1"] == "On" if isinstance(self.device, Rps10Emulator) else self.device.on

    def set(self, *, on: bool) -> None:
        if isinstance(self.device, Rps10Emulator):
            self.device.plugs["1"] = "On" if on else "Off"
        else:
            self.device.on = on


def family(protocol: str, **settings: Any) -> Family:
    if protocol == "rps10":
        return Family(protocol, Rps10Emulator(**settings), "1")
    return Family(protocol, SmartUpsEmulator(**settings), "ups")


def switch_at(path: str, protocol: str, **parameters: Any) -> Any:
    return agent("serial_switch", {"device": path, "protocol": protocol, **parameters})


def on_a_cable(device: SerialDevice, act: Callable[[str], Awaitable[T]]) -> T:
    async def scene() -> T:
        async with cabled(device) as path:
            return await act(path)

    return asyncio.run(scene())


BOTH = pytest.mark.parametrize("protocol", ["rps10", "apcsmart"])


@BOTH
def test_order_is_carried_out_and_read_back(protocol: str) -> None:
    tested = family(protocol)

    async def act(path: str) -> list[PlugState]:
        switch = switch_at(path, protocol)
        await switch.monitor()
        states = [await switch.status(tested.plug)]
        await switch.power_off(tested.plug)
        assert not tested.is_on()
        states.append(await switch.status(tested.plug))
        await switch.power_on(tested.plug)
        return [*states, await switch.status(tested.plug)]

    assert on_a_cable(tested.device, act) == [PlugState.ON, PlugState.OFF, PlugState.ON]
    assert tested.device.orders == (["1 Off", "1 On"] if protocol == "rps10" else ["off", "on"])


@BOTH
def test_complete_is_no_proof_when_nothing_was_switched(protocol: str) -> None:
    tested = family(protocol, manner=Manner.LIAR)

    async def act(path: str) -> PlugState:
        switch = switch_at(path, protocol)
        await switch.power_off(tested.plug)
        return await switch.status(tested.plug)  # type: ignore[no-any-return]

    assert on_a_cable(tested.device, act) is PlugState.ON
    assert len(tested.device.orders) == 1


@BOTH
@pytest.mark.parametrize("manner", [Manner.DEAD, Manner.GARBAGE, Manner.CUT, Manner.ENDLESS])
def test_switch_without_a_clear_answer_is_unknown_and_takes_no_order(protocol: str, manner: Manner) -> None:
    tested = family(protocol, manner=manner)
    tested.set(on=False)

    async def act(path: str) -> tuple[PlugState, str]:
        switch = switch_at(path, protocol, deadline="1200ms")
        with pytest.raises(AgentError, match=f"cannot switch plug {tested.plug} off: the {protocol} switch at {path}"):
            await switch.power_off(tested.plug)
        with pytest.raises(AgentError, match="cannot read the plugs"):
            await switch.monitor()
        return await switch.status(tested.plug), switch.fault

    state, fault = on_a_cable(tested.device, act)
    assert state is PlugState.UNKNOWN
    assert fault.startswith(f"cannot read plug {tested.plug}: the {protocol} switch at")


@BOTH
def test_line_that_garbles_some_answers_is_a_normal_day(protocol: str) -> None:
    # A reading takes one answer of the RPS-10, and two of a UPS; two readings in a row must be clear.
    tested = family(protocol, manner=Manner.NOISY, noise_every=3 if protocol == "rps10" else 5)

    async def act(path: str) -> list[PlugState]:
        switch = switch_at(path, protocol, deadline="20s")
        return [await switch.status(tested.plug) for _ in range(2)]

    assert on_a_cable(tested.device, act) == [PlugState.ON] * 2


@BOTH
def test_late_answer_is_none_and_is_not_taken_for_a_later_one(protocol: str) -> None:
    tested = family(protocol)
    quiet_s = 0.5 if protocol == "rps10" else 0.3

    async def act(path: str) -> tuple[PlugState, PlugState, str]:
        hasty = switch_at(path, protocol, deadline=f"{int(quiet_s * 1000) + 400}ms")
        patient = switch_at(path, protocol, deadline="20s")
        await patient.monitor()
        tested.set(on=False)
        tested.device.delay_s = quiet_s + 0.7
        first = await hasty.status(tested.plug)
        tested.set(on=True)
        # The answer that is still due comes after the next question, and before that one's own answer.
        tested.device.delay_s = 0.6
        return first, await patient.status(tested.plug), hasty.fault

    first, second, fault = on_a_cable(tested.device, act)
    assert (first, second) == (PlugState.UNKNOWN, PlugState.ON)
    assert "within" in fault


@BOTH
@pytest.mark.parametrize("plug", ["alpha", "11", "*", "", "1\r", "0?", "ups-", "ups-a b"])
def test_plug_that_there_can_not_be_is_refused_without_asking(protocol: str, plug: str) -> None:
    tested = family(protocol)

    async def act(path: str) -> tuple[PlugState, str]:
        switch = switch_at(path, protocol)
        for refused in (switch.power_off, switch.power_on):
            with pytest.raises(AgentError, match=f"plugs of {protocol} are"):
                await refused(plug)
        return await switch.status(plug), switch.fault

    state, fault = on_a_cable(tested.device, act)
    assert state is PlugState.UNKNOWN
    assert f"plugs of {protocol} are" in fault
    assert (tested.device.questions, tested.device.orders) == (0, [])


def test_module_that_is_not_there_is_unknown_and_not_listed() -> None:
    device = Rps10Emulator(plugs={"0": "On", "3": "Off"})

    async def act(path: str) -> tuple[PlugState, dict[str, str]]:
        switch = switch_at(path, "rps10", deadline="1500ms")
        with pytest.raises(AgentError, match=r"cannot switch plug 7 off: .* no answer within 1500 ms"):
            await switch.power_off("7")
        return await switch.status("7"), await switch.plugs()

    assert on_a_cable(device, act) == (PlugState.UNKNOWN, {"0": "", "3": ""})
    assert device.orders == []


@pytest.mark.parametrize("told", ["Plug 0 Off\r\n", "Plug 0 Off\r\nPlug 1 Off\r\n", "", "Plug 1 Off\r\nPlug 1 On\r\n"])
def test_answer_about_another_plug_is_no_answer(told: str) -> None:
    class Crossed(Rps10Emulator):
        def _told(self, plugs: list[str]) -> str:
            del plugs
            return f"{told}Complete\r\n"

    async def act(path: str) -> PlugState:
        switch = switch_at(path, "rps10", deadline="1500ms")
        return await switch.status("1")  # type: ignore[no-any-return]

    assert on_a_cable(Crossed(), act) is PlugState.UNKNOWN


def test_order_that_is_answered_for_another_plug_has_failed() -> None:
    class Crossed(Rps10Emulator):
        def _switch(self, plugs: list[str], state: str) -> str:
            del plugs
            return super()._switch(["0"], state)

    async def act(path: str) -> None:
        with pytest.raises(AgentError, match="told to switch plug 1 off it tells of plug 0 off"):
            await switch_at(path, "rps10").power_off("1")

    on_a_cable(Crossed(), act)


def test_switch_that_wakes_up_when_the_port_opens_is_asked_when_it_says_ready_and_not_woken_again() -> None:
    device = Rps10Emulator(ready_s=1.5)

    async def act(path: str) -> list[PlugState]:
        switch = switch_at(path, "rps10")
        await switch.power_off("0")
        states = []
        for _ in range(2):
            await asyncio.sleep(5 * LOOK_MS / 1000)  # in which the switch could see DTR fall
            states.append(await switch.status("0"))
        return states

    assert on_a_cable(device, act) == [PlugState.OFF] * 2
    assert (device.greetings, device.orders) == (1, ["0 Off"])


def test_alerts_between_the_answers_of_a_ups_are_skipped() -> None:
    device = SmartUpsEmulator(alerts="!\r\n?%$+", on=False)

    async def act(path: str) -> PlugState:
        return await switch_at(path, "apcsmart").status("ups")  # type: ignore[no-any-return]

    assert on_a_cable(device, act) is PlugState.OFF


def test_ups_is_off_only_when_it_stays_off_until_it_is_told() -> None:
    on = dict.fromkeys(("00", "08"), PlugState.ON)
    off = dict.fromkeys(("40", "C0"), PlugState.OFF)
    unclear = dict.fromkeys(("80", "48", "01", "41", "4", "0040"), PlugState.UNKNOWN)

    async def read(register: str) -> PlugState:
        async with cabled(SmartUpsEmulator(register_1=register)) as path:
            return await switch_at(path, "apcsmart", deadline="2s").status("ups")  # type: ignore[no-any-return]

    wanted = on | off | unclear
    assert asyncio.run(together({register: read(register) for register in wanted})) == wanted


def test_each_ups_of_a_pair_may_have_a_name() -> None:
    device = SmartUpsEmulator()

    async def act(path: str) -> PlugState:
        switch = switch_at(path, "apcsmart")
        await switch.power_off("ups-beta")
        return await switch.status("ups-beta")  # type: ignore[no-any-return]

    assert on_a_cable(device, act) is PlugState.OFF


def test_ups_that_does_not_tell_of_its_output_fails_its_monitor() -> None:
    async def act(path: str) -> PlugState:
        switch = switch_at(path, "apcsmart")
        with pytest.raises(AgentError, match="does not tell whether its output is on"):
            await switch.monitor()
        return await switch.status("ups")  # type: ignore[no-any-return]

    assert on_a_cable(SmartUpsEmulator(register_1="NA"), act) is PlugState.UNKNOWN


@BOTH
def test_wrong_protocol_is_unknown(protocol: str) -> None:
    other = family("apcsmart" if protocol == "rps10" else "rps10")
    plug = family(protocol).plug

    async def act(path: str) -> PlugState:
        return await switch_at(path, protocol, deadline="1200ms").status(plug)  # type: ignore[no-any-return]

    assert on_a_cable(other.device, act) is PlugState.UNKNOWN
    assert other.device.orders == []


@BOTH
def test_two_callers_at_once_are_served_one_after_the_other(protocol: str) -> None:
    tested = family(protocol)

    async def act(path: str) -> tuple[PlugState, tuple[int, str, str]]:
        one, other = switch_at(path, protocol, deadline="15s"), switch_at(path, protocol, deadline="15s")
        await asyncio.gather(one.power_off(tested.plug), other.monitor())
        words = {"action": "status", "plug": tested.plug, "device": path, "protocol": protocol}
        state, program = await asyncio.gather(one.status(tested.plug), run_agent("serial_switch", **words))
        return state, program

    state, program = on_a_cable(tested.device, act)
    assert (state, program[:2]) == (PlugState.OFF, (2, "Status: OFF\n"))
    # An answer that a busy machine delivers late has the same order given again.
    assert len(set(tested.device.orders)) == 1


def test_port_that_another_program_has_is_busy() -> None:
    async def act(path: str) -> str:
        quick, slow = switch_at(path, "rps10", deadline="400ms"), switch_at(path, "rps10")
        other = asyncio.create_task(slow.status("0"))
        await asyncio.sleep(0.05)
        assert await quick.status("0") is PlugState.UNKNOWN
        assert await other is PlugState.ON
        return str(quick.fault)

    assert "busy for 400 ms: another program has it open" in on_a_cable(Rps10Emulator(), act)


def test_cable_that_is_pulled_while_it_is_asked_is_unknown_at_once() -> None:
    async def scene() -> tuple[PlugState, str]:
        line = PtyLine()
        serving = asyncio.create_task(line.serve(Rps10Emulator(manner=Manner.DEAD)))
        switch = switch_at(line.path, "rps10", deadline="30s")
        asking = asyncio.create_task(switch.status("0"))
        await asyncio.sleep(0.7)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        line.close()
        async with asyncio.timeout(5):
            return await asking, switch.fault

    state, fault = asyncio.run(scene())
    assert state is PlugState.UNKNOWN
    assert "the port" in fault


def test_port_that_is_not_there_is_told() -> None:
    switch = switch_at("/dev/no-such-port", "rps10")
    assert asyncio.run(switch.status("0")) is PlugState.UNKNOWN
    assert "No such file or directory; is it alive and cabled?" in switch.fault


def test_loop_goes_on_while_the_switch_is_dead_and_a_cancelled_caller_frees_the_port() -> None:
    device = Rps10Emulator(manner=Manner.DEAD)

    async def act(path: str) -> int:
        switch = switch_at(path, "rps10")
        before = open_files()
        asking = asyncio.create_task(switch.status("0"))
        turns = 0
        async with asyncio.timeout(2):
            while turns < 20:
                await asyncio.sleep(0.01)
                turns += 1
        assert open_files() > before
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert open_files() == before
        device.manner = Manner.HONEST
        assert await switch.status("0") is PlugState.ON
        return turns

    assert on_a_cable(device, act) == 20


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"device": "/dev/ttyS0"},
        {"device": "ttyS0", "protocol": "rps10"},
        {"device": "/dev/ttyS0", "protocol": "x10"},
        {"device": "/dev/ttyS0", "protocol": "rps10", "deadline": 8},
    ],
)
def test_bad_parameters_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"device|protocol|deadline"):
        agent("serial_switch", table)


@BOTH
def test_program_speaks_the_fence_interface(protocol: str) -> None:
    wanted = {
        ("status", True): (0, "Status: ON\n", True),
        ("status", False): (2, "Status: OFF\n", False),
        ("off", True): (0, "Success: Powered OFF\n", False),
        ("on", False): (0, "Success: Powered ON\n", True),
        ("reboot", True): (0, "Success: Powered OFF\nSuccess: Powered ON\n", True),
        ("monitor", False): (0, "", False),
        ("validate-all", True): (0, "", True),
    }

    async def perform(action: str, before: bool) -> tuple[int, str, bool]:
        tested = family(protocol)
        tested.set(on=before)
        async with cabled(tested.device) as path:
            words = {"action": action, "plug": tested.plug, "device": path, "protocol": protocol}
            code, said, _ = await run_agent("serial_switch", **words)
        return code, said, tested.is_on()

    assert asyncio.run(together({case: perform(*case) for case in wanted})) == wanted


@BOTH
def test_program_lists_its_plugs(protocol: str) -> None:
    tested = family(protocol)

    async def act(path: str) -> tuple[int, str, str]:
        return await run_agent("serial_switch", action="list", device=path, protocol=protocol)

    assert on_a_cable(tested.device, act)[:2] == (0, "0,\n1,\n" if protocol == "rps10" else "ups,\n")


@BOTH
def test_program_ends_with_1_when_the_switch_is_dead(protocol: str) -> None:
    async def perform(action: str) -> tuple[int, str, str]:
        tested = family(protocol, manner=Manner.DEAD)
        words = {"action": action, "plug": tested.plug, "protocol": protocol, "deadline": "700ms"}
        async with cabled(tested.device) as path:
            return await run_agent("serial_switch", device=path, **words)

    actions = ("off", "on", "reboot", "status", "monitor", "list")
    ends = asyncio.run(together({action: perform(action) for action in actions}))
    assert {(code, said) for code, said, _ in ends.values()} == {(1, "")}
    assert all(fault.startswith("fence_serial_switch: cannot ") for _, _, fault in ends.values())


def needs_stonith(test: Callable[..., None]) -> Callable[..., None]:
    there = shutil.which("stonith", path="/usr/sbin:/usr/bin:/sbin:/bin")
    return pytest.mark.skipif(there is None, reason="needs cluster-glue's program stonith")(test)


STONITH = partial(run, "", "/usr/sbin/stonith")


@needs_stonith
def test_emulator_is_an_rps10_to_cluster_glue() -> None:
    device = Rps10Emulator(ready_s=0.3)

    async def act(path: str) -> list[tuple[int, str]]:
        ask = partial(STONITH, "-t", "rps10", "-p", f"{path} alpha 0 beta 1")
        answers = [await ask(*words) for words in (("-S",), ("-l",))]
        answers += [await ask("-T", order, "beta") for order in ("off", "on")]
        answers.append(await ask("-T", "reset", "alpha"))
        return [(code, said) for code, said, _ in answers]

    assert on_a_cable(device, act) == [(0, ""), (0, "alpha\nbeta\n"), (0, ""), (0, ""), (0, "")]
    assert device.orders == ["1 Off", "1 On", "0 Off", "0 On"]


@needs_stonith
def test_emulator_is_a_smart_ups_to_cluster_glue() -> None:
    device = SmartUpsEmulator()

    async def act(path: str) -> list[tuple[int, str]]:
        ask = partial(STONITH, "-t", "apcsmart", f"ttydev={path}", "hostlist=beta")
        answers = [await ask(*words) for words in (("-S",), ("-l",))]
        answers += [await ask("-T", order, "beta") for order in ("off", "on", "reset")]
        return [(code, said) for code, said, _ in answers]

    assert on_a_cable(device, act) == [(0, ""), (0, "beta\n"), (0, ""), (0, ""), (0, "")]
    assert device.orders == ["off", "on", "off"]


@needs_stonith
def test_cluster_glue_is_told_that_the_emulated_ups_did_nothing() -> None:
    async def act(path: str) -> int:
        code, _, _ = await STONITH("-t", "apcsmart", f"ttydev={path}", "hostlist=beta", "-T", "off", "beta")
        return code

    assert on_a_cable(SmartUpsEmulator(manner=Manner.LIAR), act) != 0
