"""fence_wti of ours against an emulated WTI switch, by telnet and at its console, on good and on bad days.

The emulator is held to two clients that are not ours: Debian's fence_wti and cluster-glue's wti_nps.
"""

import asyncio
import contextlib
import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from device_manners import Manner
from fence_agents import agent, run, run_agent, together
from namespaces import in_private_network
from pty_line import LOOK_MS, cabled
from wti_switch import WtiEmulator

from aoeha.agents.fence_dialogue import UnclearError
from aoeha.agents.interface import AgentError
from aoeha.agents.parameters import ParameterError
from aoeha.agents.registry import load_fence_agent
from aoeha.core.model.task import PlugState

T = TypeVar("T")
NEEDS_ROOT = (
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace"),
)
BOTH_WAYS = pytest.mark.parametrize("way", [pytest.param("telnet", marks=NEEDS_ROOT), "console"])
SECRET = "correct horse 7%"


def password_file(folder: Path, password: str = SECRET) -> str:
    path = folder / "password"
    path.write_text(f"{password}\n")
    path.chmod(0o600)
    return str(path)


def switch(**settings: Any) -> WtiEmulator:
    return WtiEmulator(**{"password": SECRET, **settings})


def with_switch(
    way: str, device: WtiEmulator, act: Callable[[dict[str, Any]], Awaitable[T]], *, paced: bool = False
) -> T:
    """Play a scene with the switch reached that way; the scene is given the parameters that say where it is."""

    async def by_telnet() -> T:
        async with device.listening() as port:
            return await act({"address": "127.0.0.1", "port": port})

    async def at_the_console() -> T:
        async with cabled(device, paced=paced) as path:
            return await act({"device": path})

    return in_private_network(by_telnet) if way == "telnet" else asyncio.run(at_the_console())


@BOTH_WAYS
def test_order_is_carried_out_and_read_back(way: str, tmp_path: Path) -> None:
    device = switch()

    async def act(place: dict[str, Any]) -> list[PlugState]:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        await wti.monitor()
        states = [await wti.status("alpha")]
        await wti.power_off("Alpha")
        states.append(await wti.status("1"))
        await wti.power_on("1")
        states += [await wti.status("alpha"), await wti.status("3")]
        assert await wti.plugs() == {"1": "alpha", "2": "beta", "3": "(undefined)"}
        return states

    assert with_switch(way, device, act) == [PlugState.ON, PlugState.OFF, PlugState.ON, PlugState.OFF]
    assert device.orders == ["1 OFF", "1 ON"]
    assert device.plugs["2"] == ["beta", "ON"]


@BOTH_WAYS
def test_processing_please_wait_is_no_proof_when_nothing_was_switched(way: str, tmp_path: Path) -> None:
    device = switch(manner=Manner.LIAR)

    async def act(place: dict[str, Any]) -> PlugState:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        await wti.power_off("alpha")
        return await wti.status("alpha")  # type: ignore[no-any-return]

    assert with_switch(way, device, act) is PlugState.ON
    assert device.orders == ["1 OFF"]


@BOTH_WAYS
@pytest.mark.parametrize("manner", [Manner.DEAD, Manner.GARBAGE, Manner.CUT, Manner.ENDLESS])
def test_switch_without_a_clear_answer_is_unknown_and_takes_no_order(way: str, manner: Manner, tmp_path: Path) -> None:
    device = switch(manner=manner, plugs={"1": ["alpha", "OFF"], "2": ["beta", "OFF"]})

    async def act(place: dict[str, Any]) -> tuple[PlugState, str]:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}, "deadline": "700ms"})
        with pytest.raises(AgentError, match="cannot switch plug alpha off: the WTI switch at"):
            await wti.power_off("alpha")
        return await wti.status("alpha"), wti.fault

    state, fault = with_switch(way, device, act)
    assert state is PlugState.UNKNOWN
    assert fault.startswith("cannot read plug alpha: the WTI switch at")
    assert SECRET not in fault
    assert device.orders == []


@pytest.mark.parametrize("column", ["number", "name", "status"])
def test_table_garbled_in_one_cell_is_asked_for_again_and_never_believed(column: str, tmp_path: Path) -> None:
    spoilt = {"number": ("2", ["beta", "ON"]), "name": ("1", ["gamma", "OFF"]), "status": ("1", ["alpha", "O~F"])}

    class Noisy(WtiEmulator):
        def table(self) -> str:
            before, whole = self.tables, super().table()
            if before % 3 != 0:
                return whole
            number, (name, state) = spoilt[column]
            first = whole.index(" 1   |")
            return f"{whole[:first]} {number:<3} | {name:<16} | (undefined) |  {state:<5}{whole[first + 45 :]}"

    device = Noisy(password=SECRET)

    async def act(place: dict[str, Any]) -> PlugState:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        return await wti.status("alpha")  # type: ignore[no-any-return]

    assert with_switch("console", device, act) is PlugState.ON
    assert device.tables == 3


HEADING = "Plug | Name | Status |"
ALPHA, BETA = " 1 | alpha | ON |", " 2 | beta | OFF |"


@pytest.mark.parametrize(
    "screen",
    [
        [],
        [ALPHA, BETA],
        [HEADING],
        [HEADING, ALPHA, " 1 | beta | OFF |"],
        [HEADING, ALPHA, " 2 | beta | O"],
        [HEADING, ALPHA, " 2 | beta | OFF"],
        [HEADING, ALPHA, " 2 | beta OFF |"],
        [HEADING, " | alpha | OFF |", BETA],
        ["Plug | Name | St~tus |", ALPHA, BETA],
    ],
)
def test_table_with_anything_odd_in_it_tells_nothing(screen: list[str]) -> None:
    wti = load_fence_agent("wti")
    with pytest.raises(UnclearError):
        sys.modules[wti.__module__].outlets_in("\r\n".join(screen))


def test_line_that_garbles_some_answers_is_a_normal_day(tmp_path: Path) -> None:
    device = switch(manner=Manner.NOISY)

    async def act(place: dict[str, Any]) -> list[PlugState]:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        return [await wti.status("alpha"), await wti.status("3")]

    assert with_switch("console", device, act) == [PlugState.ON, PlugState.OFF]


@BOTH_WAYS
def test_late_answer_is_none_and_is_not_taken_for_a_later_one(way: str, tmp_path: Path) -> None:
    device = switch(plugs={"1": ["alpha", "OFF"], "2": ["beta", "ON"]}, delay_s=0.6)

    async def act(place: dict[str, Any]) -> tuple[PlugState, PlugState, str]:
        place["password"] = {"file": password_file(tmp_path)}
        hasty, patient = agent("wti", {**place, "deadline": "1500ms"}), agent("wti", {**place, "deadline": "20s"})
        first = await hasty.status("alpha")
        device.plugs["1"][1], device.delay_s = "ON", 0.1
        return first, await patient.status("alpha"), hasty.fault

    first, second, fault = with_switch(way, device, act)
    assert (first, second) == (PlugState.UNKNOWN, PlugState.ON)
    assert "within 1500 ms" in fault


@BOTH_WAYS
def test_unknown_plug_is_refused_with_the_plugs_that_there_are(way: str, tmp_path: Path) -> None:
    device = switch()

    async def act(place: dict[str, Any]) -> tuple[PlugState, str]:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        with pytest.raises(AgentError, match="there is no such plug; it has 1 alpha, 2 beta, 3"):
            await wti.power_off("gamma")
        return await wti.status("gamma"), wti.fault

    state, fault = with_switch(way, device, act)
    assert state is PlugState.UNKNOWN
    assert "there is no such plug" in fault
    assert (device.orders, device.logins) == ([], 2)


def test_name_of_two_plugs_is_refused(tmp_path: Path) -> None:
    device = switch(plugs={"1": ["alpha", "ON"], "2": ["alpha", "OFF"]})

    async def act(place: dict[str, Any]) -> PlugState:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        with pytest.raises(AgentError, match="2 plugs are called so; use a number"):
            await wti.power_off("alpha")
        return await wti.status("alpha")  # type: ignore[no-any-return]

    assert with_switch("console", device, act) is PlugState.UNKNOWN
    assert device.orders == []


@pytest.mark.parametrize("plug", ["1,Y\r/OFF 2", "1 2", "*", ""])
def test_plug_name_can_not_become_a_second_command(plug: str, tmp_path: Path) -> None:
    device = switch(plugs={"1": ["alpha", "ON"], "2": ["", "ON"]})

    async def act(place: dict[str, Any]) -> None:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        with pytest.raises(AgentError, match="there is no such plug"):
            await wti.power_off(plug)

    with_switch("console", device, act)
    assert device.orders == []


@BOTH_WAYS
def test_wrong_password_is_told_without_telling_it(way: str, tmp_path: Path) -> None:
    device = switch()

    async def act(place: dict[str, Any]) -> tuple[PlugState, str]:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path, "wrong guess")}})
        with pytest.raises(AgentError, match=r"cannot switch plug alpha off: .* refuses the password"):
            await wti.power_off("alpha")
        return await wti.status("alpha"), wti.fault

    state, fault = with_switch(way, device, act)
    assert state is PlugState.UNKNOWN
    assert "refuses the password" in fault
    assert "guess" not in fault
    assert device.orders == []


def test_program_finds_the_open_password_before_the_night_on_which_it_is_needed(tmp_path: Path) -> None:
    path = password_file(tmp_path)
    Path(path).chmod(0o644)

    async def act() -> tuple[int, str, str]:
        return await run_agent("wti", action="validate-all", plug="alpha", device="/dev/ttyS0", password_file=path)

    code, said, fault = asyncio.run(act())
    assert (code, said) == (1, "")
    assert "others may read or write it" in fault


def test_password_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    device = switch()
    path = password_file(tmp_path)
    Path(path).chmod(0o640)

    async def act(place: dict[str, Any]) -> tuple[PlugState, str]:
        wti = agent("wti", {**place, "password": {"file": path}})
        with pytest.raises(AgentError, match="others may read or write it"):
            await wti.validate("alpha")
        return await wti.status("alpha"), wti.fault

    state, fault = with_switch("console", device, act)
    assert state is PlugState.UNKNOWN
    assert "others may read or write it" in fault
    assert device.tables == 0


@pytest.mark.parametrize(("settings", "missing"), [({}, "set `password`"), ({"user": "ops"}, "set `user`")])
def test_switch_that_asks_for_what_is_not_set_names_the_parameter(settings: dict[str, Any], missing: str) -> None:
    async def act(place: dict[str, Any]) -> str:
        wti = agent("wti", place)
        await wti.status("alpha")
        return str(wti.fault)

    assert missing in with_switch("console", switch(**settings), act)


@BOTH_WAYS
@pytest.mark.parametrize("settings", [{"password": ""}, {"user": "ops"}, {"asks": True}, {"asks": True, "user": "ops"}])
def test_every_way_in_which_the_switch_can_be_set_up(way: str, settings: dict[str, Any], tmp_path: Path) -> None:
    device = switch(**settings)

    async def act(place: dict[str, Any]) -> PlugState:
        wti = agent("wti", {**place, "user": "ops", "password": {"file": password_file(tmp_path)}})
        await wti.power_off("beta")
        return await wti.status("beta")  # type: ignore[no-any-return]

    assert with_switch(way, device, act) is PlugState.OFF
    assert device.orders == ["2 OFF"]


def test_plug_that_is_being_switched_is_read_when_that_is_over(tmp_path: Path) -> None:
    device = switch(busy_s=0.8)

    async def act(place: dict[str, Any]) -> tuple[PlugState, PlugState, str]:
        place["password"] = {"file": password_file(tmp_path)}
        hasty, patient = agent("wti", {**place, "deadline": "700ms"}), agent("wti", place)
        await patient.power_off("alpha")
        return await hasty.status("alpha"), await patient.status("alpha"), hasty.fault

    first, second, fault = with_switch("console", device, act)
    assert (first, second) == (PlugState.UNKNOWN, PlugState.OFF)
    assert "being switched" in fault


def test_plug_that_is_being_switched_hides_no_other_one(tmp_path: Path) -> None:
    device = switch(plugs={"1": ["alpha", "ON *"], "2": ["beta", "OFF"]})

    async def act(place: dict[str, Any]) -> PlugState:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        await wti.monitor()
        return await wti.status("beta")  # type: ignore[no-any-return]

    assert with_switch("console", device, act) is PlugState.OFF


@BOTH_WAYS
def test_two_callers_at_once_are_served_one_after_the_other(way: str, tmp_path: Path) -> None:
    device = switch(delay_s=0.05)

    async def act(place: dict[str, Any]) -> list[PlugState]:
        place["password"] = {"file": password_file(tmp_path)}
        one, other = agent("wti", place), agent("wti", place)
        await asyncio.gather(one.power_off("alpha"), other.power_off("beta"))
        return await asyncio.gather(one.status("alpha"), other.status("beta"), one.status("3"))

    assert with_switch(way, device, act) == [PlugState.OFF] * 3
    assert sorted(device.orders) == ["1 OFF", "2 OFF"]
    assert device.logins == 5
    assert way == "console" or device.refused > 0


@BOTH_WAYS
def test_switch_that_others_keep_busy_is_unknown_and_says_so(way: str, tmp_path: Path) -> None:
    device = switch()

    async def act(place: dict[str, Any]) -> str:
        place["password"] = {"file": password_file(tmp_path)}
        patient, hasty = agent("wti", place), agent("wti", {**place, "deadline": "600ms"})
        device.manner = Manner.DEAD
        other = asyncio.create_task(patient.status("alpha"))
        await asyncio.sleep(0.1)
        assert await hasty.status("alpha") is PlugState.UNKNOWN
        other.cancel()
        device.manner = Manner.HONEST
        assert await patient.status("alpha") is PlugState.ON
        return str(hasty.fault)

    assert "busy for 600 ms" in with_switch(way, device, act)


def test_console_that_somebody_left_in_the_middle_is_taken_over(tmp_path: Path) -> None:
    secret = password_file(tmp_path)
    lefts = ("/OFF 2", "guess\r", f"{SECRET}\r/S", f"{SECRET}\r/OFF 2\r", f"{SECRET}\r")

    async def take_over(left: str, user: str) -> tuple[PlugState, list[str]]:
        device = switch(asks=True, user=user)
        async with cabled(device) as path:
            port = os.open(path, os.O_RDWR | os.O_NOCTTY)
            os.write(port, f"{user}\r{left}".encode() if user else left.encode())
            await asyncio.sleep(5 * LOOK_MS / 1000)
            os.close(port)
            wti = agent("wti", {"device": path, "user": user, "password": {"file": secret}})
            return await wti.status("beta"), device.orders

    scenes = {(left, user): take_over(left, user) for left in lefts for user in ("", "ops")}
    assert asyncio.run(together(scenes)) == dict.fromkeys(scenes, (PlugState.ON, []))


def test_console_at_its_own_speed_proves_within_the_usual_deadline(tmp_path: Path) -> None:
    device = switch(plugs={str(number): [f"node-{number}", "ON"] for number in range(1, 9)})

    async def act(place: dict[str, Any]) -> PlugState:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        await wti.power_off("node-8")
        return await wti.status("node-8")  # type: ignore[no-any-return]

    assert with_switch("console", device, act, paced=True) is PlugState.OFF


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
def test_nobody_listening_is_unknown() -> None:
    async def act() -> tuple[PlugState, str]:
        wti = agent("wti", {"address": "127.0.0.1", "port": 23, "deadline": "500ms"})
        return await wti.status("alpha"), wti.fault

    state, fault = in_private_network(act)
    assert state is PlugState.UNKNOWN
    assert "it refuses connections; is it alive and cabled?" in fault


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
@pytest.mark.parametrize("flood", [b"\xff\xfd\x18" * 400_000, b"\xff\xfa" + b"x" * 90_000, b"a" * 90_000])
def test_flood_of_telnet_commands_ends_the_session_and_not_the_loop(flood: bytes) -> None:
    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(flood)
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass

    async def act() -> str:
        server = await asyncio.start_server(guest, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        wti = agent("wti", {"address": "127.0.0.1", "port": port})
        assert await wti.status("alpha") is PlugState.UNKNOWN
        server.close()
        return str(wti.fault)

    assert re.search(r"without (an )?end", in_private_network(act))


def test_loop_goes_on_while_the_switch_is_dead_and_a_cancelled_caller_frees_the_port(tmp_path: Path) -> None:
    device = switch(manner=Manner.DEAD)

    async def act(place: dict[str, Any]) -> int:
        wti = agent("wti", {**place, "password": {"file": password_file(tmp_path)}})
        asking = asyncio.create_task(wti.status("alpha"))
        turns = 0
        async with asyncio.timeout(2):
            while turns < 20:
                await asyncio.sleep(0.01)
                turns += 1
        descriptors = open_files()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        device.manner = Manner.HONEST
        assert open_files() < descriptors
        assert await wti.status("alpha") is PlugState.ON
        return turns

    assert with_switch("console", device, act) == 20


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"address": "10.0.0.1", "device": "/dev/ttyS0"},
        {"address": "switch.example"},
        {"device": "ttyS0"},
        {"address": "10.0.0.1", "port": 0},
        {"address": "10.0.0.1", "password": "in the open"},
        {"device": "/dev/ttyS0", "user": "a\rb"},
    ],
)
def test_bad_parameters_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"address|port|device|password|user"):
        agent("wti", table)


def test_program_speaks_the_fence_interface(tmp_path: Path) -> None:
    secret = password_file(tmp_path)
    wanted = {
        ("status", "ON"): (0, "Status: ON\n", "ON"),
        ("status", "OFF"): (2, "Status: OFF\n", "OFF"),
        ("off", "ON"): (0, "Success: Powered OFF\n", "OFF"),
        ("on", "OFF"): (0, "Success: Powered ON\n", "ON"),
        ("reboot", "ON"): (0, "Success: Powered OFF\nSuccess: Powered ON\n", "ON"),
        ("monitor", "OFF"): (0, "", "OFF"),
        ("validate-all", "ON"): (0, "", "ON"),
        ("list", "ON"): (0, "1,alpha\n2,beta\n", "ON"),
    }

    async def perform(action: str, before: str) -> tuple[int, str, str]:
        device = switch(plugs={"1": ["alpha", before], "2": ["beta", "ON"]})
        async with cabled(device) as path:
            code, said, fault = await run_agent("wti", action=action, plug="alpha", device=path, password_file=secret)
        assert SECRET not in said + fault
        return code, said, device.plugs["1"][1]

    assert asyncio.run(together({case: perform(*case) for case in wanted})) == wanted


def test_program_ends_with_1_when_the_switch_is_dead(tmp_path: Path) -> None:
    secret = password_file(tmp_path)

    async def perform(action: str) -> tuple[int, str, str]:
        words = {"action": action, "plug": "1", "password_file": secret, "deadline": "500ms"}
        async with cabled(switch(manner=Manner.DEAD)) as path:
            return await run_agent("wti", device=path, **words)

    actions = ("off", "on", "reboot", "status", "monitor", "list")
    ends = asyncio.run(together({action: perform(action) for action in actions}))
    assert {(code, said) for code, said, _ in ends.values()} == {(1, "")}
    assert all(fault.startswith("fence_aoeha_wti: cannot ") for _, _, fault in ends.values())
    assert SECRET not in "".join(fault for _, _, fault in ends.values())


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
def test_program_ends_with_1_when_the_switch_says_yes_and_does_nothing(tmp_path: Path) -> None:
    device = switch(manner=Manner.LIAR)

    async def act(place: dict[str, Any]) -> tuple[int, str, str]:
        named = {"ip": place["address"], "ipport": place["port"], "password_file": password_file(tmp_path)}
        return await run_agent("wti", action="off", plug="1", **named)

    code, said, fault = with_switch("telnet", device, act)
    assert (code, said) == (1, "")
    assert "does not read so" in fault


def needs(program: str) -> pytest.MarkDecorator:
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return pytest.mark.skipif(shutil.which(program, path=path) is None, reason=f"needs the program {program}")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
@needs("fence_wti")
@needs("telnet")
def test_emulator_is_a_wti_switch_to_debians_fence_wti() -> None:
    device = WtiEmulator()

    async def act() -> list[tuple[int, str]]:
        results = []
        async with device.listening() as port:
            options = f"ipaddr=127.0.0.1\nipport={port}\npasswd=wti\nplug=1\n"
            for action in ("status", "off", "status", "on", "list", "monitor"):
                code, said, _ = await run(f"{options}action={action}\n", "/usr/sbin/fence_wti")
                results.append((code, said))
        return results

    assert in_private_network(act) == [
        (0, "Status: ON\n"),
        (0, "Success: Powered OFF\n"),
        (2, "Status: OFF\n"),
        (0, "Success: Powered ON\n"),
        (0, "1,alpha\n2,beta\n3,(undefined)\n"),
        (0, ""),
    ]
    assert device.orders == ["1 OFF", "1 ON"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
@needs("stonith")
@needs("telnet")
@pytest.mark.parametrize("asks", [False, True])
def test_emulator_is_a_wti_switch_to_cluster_glue(asks: bool) -> None:
    device = WtiEmulator(asks=asks)

    async def act() -> list[tuple[int, str]]:
        results = []
        async with device.listening(23):
            ask = partial(run, "", "/usr/sbin/stonith", "-t", "wti_nps", "-p", "127.0.0.1 wti")
            for words in (("-S",), ("-l",), ("-T", "off", "beta"), ("-T", "on", "beta")):
                code, said, _ = await ask(*words)
                results.append((code, said))
        return results

    assert [code for code, _ in in_private_network(act)] == [0, 0, 0, 0]
    assert device.orders == ["2 OFF", "2 ON"]
