"""The plug of another machine, in every family of fence devices: each reads it off, and the test of plugs finds it.

Two cores on a virtual clock, whose power tasks are carried out by the family's own agent at its emulated device. The
clock stands still meanwhile. Beta hangs on the outlet that is configured as its own only when the cord was mended.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mosquitto
import pytest
from bmc import PASSWORD, USER, Bmc
from fence_agents import agent
from mqtt_plugs import PLUGS
from namespaces import in_private_network
from power_strip import COMMUNITY, PowerStrip
from power_switch import PowerSwitch
from pty_line import cabled
from serial_switches import Rps10Emulator, SmartUpsEmulator
from wti_switch import WtiEmulator

from aoeha.agents.interface import AgentError
from aoeha.core.model.actions import Answer
from aoeha.core.model.conditions import Code
from aoeha.core.model.events import TaskDone
from aoeha.core.model.task import PlugRead, PlugState, PowerTask, TaskKind, TaskResult
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.machine import Machine

SETTLED_MS, SWITCHED_MS = 60_000, 150
ORDER_LIMIT_S = 30
ONLY = "ups"
"""The one outlet of a device that has one; only a UPS wants a name for it."""


@dataclass(frozen=True)
class Bench:
    """A family's agent with its device behind it, the outlet that is configured as beta's, and whether it is on."""

    agent: Any
    plug: str
    is_on: Callable[[], bool]


Benches = Callable[[Path], contextlib.AbstractAsyncContextManager[Bench]]


@contextlib.asynccontextmanager
async def rack_power(_: Path) -> AsyncIterator[Bench]:
    switch = PowerSwitch({"alpha": "on", "printer": "on"})
    async with switch.serving() as port:
        table = {"address": "127.0.0.1", "port": port}
        yield Bench(agent("rack_power", table), "printer", lambda: switch.plugs["printer"] == "on")


@contextlib.asynccontextmanager
async def snmp_pdu(folder: Path) -> AsyncIterator[Bench]:
    credentials = folder / "snmp.conf"
    credentials.write_text(f"defVersion 2c\ndefCommunity {COMMUNITY}\n")
    credentials.chmod(0o600)
    with PowerStrip(folder).serving() as strip:
        table = {"address": "127.0.0.1", "port": strip.port, "family": "apc_rpdu", "credentials": str(credentials)}
        yield Bench(agent("snmp_pdu", table), "2", lambda: strip.is_on(2))


@contextlib.asynccontextmanager
async def wti(_: Path) -> AsyncIterator[Bench]:
    device = WtiEmulator(plugs={"1": ["alpha", "ON"], "2": ["printer", "ON"]}, password="")
    async with cabled(device) as path:
        yield Bench(agent("wti", {"device": path}), "2", lambda: device.plugs["2"][1] == "ON")


@contextlib.asynccontextmanager
async def rps10(_: Path) -> AsyncIterator[Bench]:
    device = Rps10Emulator()
    async with cabled(device) as path:
        table = {"device": path, "protocol": "rps10"}
        yield Bench(agent("serial_switch", table), "1", lambda: device.plugs["1"] == "On")


@contextlib.asynccontextmanager
async def apcsmart(_: Path) -> AsyncIterator[Bench]:
    device = SmartUpsEmulator()
    async with cabled(device) as path:
        yield Bench(agent("serial_switch", {"device": path, "protocol": "apcsmart"}), ONLY, lambda: device.on)


def mqtt_plug(family: str) -> Benches:
    @contextlib.asynccontextmanager
    async def bench(folder: Path) -> AsyncIterator[Bench]:
        plug = PLUGS[family]()
        (folder / "mosquitto.conf").write_text(f"listener {mosquitto.PORT} {mosquitto.ADDRESS}\nallow_anonymous true\n")
        broker = await asyncio.create_subprocess_exec(
            "mosquitto", "-c", str(folder / "mosquitto.conf"), stderr=asyncio.subprocess.PIPE
        )
        try:
            assert broker.stderr is not None
            while not (await broker.stderr.readline()).rstrip().endswith(b"running"):
                assert broker.returncode is None
            table = {"address": mosquitto.ADDRESS, "family": family, "second_look": "100ms"}
            async with plug.plugged_in():
                yield Bench(agent("mqtt_plug", table), plug.name, lambda: plug.draws)
        finally:
            broker.kill()
            await broker.wait()

    return bench


@contextlib.asynccontextmanager
async def fence_ipmilan(folder: Path) -> AsyncIterator[Bench]:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    with Bmc(folder).serving() as bmc:
        table = {"ip": "127.0.0.1", "ipport": bmc.port, "username": USER, "password": {"file": str(secret)}}
        table |= {"lanplus": True, "cipher": "3", "power_wait": 0}
        yield Bench(agent("external:fence_ipmilan", table), ONLY, bmc.is_on)


@contextlib.asynccontextmanager
async def fence_dummy(folder: Path) -> AsyncIterator[Bench]:
    state = folder / "state"
    state.write_text("on")
    table = {"status_file": str(state)}
    yield Bench(agent("external:fence_dummy", table), ONLY, lambda: state.read_text() == "on")


class CordedPair:
    """A simulated pair whose orders to beta's plug are given to `carry_out`. `is_corded`: beta hangs on that plug."""

    def __init__(self, bench: Bench, carry_out: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.bench = bench
        self.is_corded = False
        self.world = Settings().world()
        self._carry_out = carry_out
        self._sound = self.world.power.perform
        self._answers: list[Answer] = []
        self.world.power.perform = self._perform  # type: ignore[method-assign]
        self.world.answered = lambda _node, answer: self._answers.append(answer)  # type: ignore[method-assign]

    def _perform(self, task: PowerTask, orderer: Gateway, report: Callable[[TaskDone], None]) -> None:
        if task.node != "beta":
            self._sound(task, orderer, report)
            return
        result, plug = self._switch(task)
        told = PlugRead(plug) if plug is not None else None
        self.world.timeline.after(SWITCHED_MS, report, TaskDone(0, task.id, result, outcome=told))

    def _switch(self, task: PowerTask) -> tuple[TaskResult, PlugState | None]:
        device, plug = self.bench.agent, self.bench.plug
        try:
            match task.kind:
                case TaskKind.POWER_STATUS:
                    return TaskResult.OK, self._carry_out(device.status(plug))
                case TaskKind.POWER_OFF:
                    self._carry_out(device.power_off(plug))
                case _:
                    self._carry_out(device.power_on(plug))
        except AgentError:
            return TaskResult.FAILED, None
        if self.is_corded:
            self.beta.mains = self.bench.is_on()
            self.beta.power_changed()
        return TaskResult.OK, None

    @property
    def beta(self) -> Machine:
        """The gateway whose plug is tried."""
        return self.world.machines["beta"]

    def verify(self) -> Answer:
        """Have alpha verify beta's plug; return its answer."""
        do(self.world, "ask alpha: fence-verify node=beta")
        self.world.run(SETTLED_MS)
        return self._answers[-1]

    def serves(self) -> bool:
        """Whether alpha does."""
        return self.world.machines["alpha"].serves("storage")

    def unprotected(self) -> str:
        """What alpha's status says of its protection, empty while it is protected."""
        return next(told.unprotected for machine, told in self.world.told() if machine.name == "alpha")


def play(bench: Benches, folder: Path, story: Callable[[CordedPair], None]) -> None:
    """Let the story happen to a pair whose device is of this bench, in a network of its own."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()

        def carry_out(work: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result(ORDER_LIMIT_S)

        async with bench(folder) as made:
            await asyncio.to_thread(story, CordedPair(made, carry_out))

    in_private_network(scene)


FAMILIES: dict[str, tuple[Benches, tuple[str, ...]]] = {
    "rack_power": (rack_power, ()),
    "snmp_pdu": (snmp_pdu, ("snmpd", "snmpget")),
    "wti": (wti, ()),
    "rps10": (rps10, ()),
    "apcsmart": (apcsmart, ()),
    **{family: (mqtt_plug(family), ("mosquitto",)) for family in sorted(PLUGS)},
    "fence_ipmilan": (fence_ipmilan, ("ipmi_sim", "ipmitool", "fence_ipmilan")),
    "fence_dummy": (fence_dummy, ("fence_dummy",)),
}


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_plug_reads_off_and_is_found_and_the_right_one_passes(family: str, tmp_path: Path) -> None:
    bench, programs = FAMILIES[family]
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"needs {', '.join(missing)}")

    def first_something_elses_plug_then_betas(pair: CordedPair) -> None:
        do(pair.world, "boot alpha beta")
        pair.world.run(20_000)
        do(pair.world, "ask beta: standby")
        pair.world.run(1_000)
        assert pair.unprotected() == ""
        assert pair.serves()

        answer = pair.verify()
        assert answer.code is Code.ORDER_FAILED, answer.sentence
        assert "aoeha fence verify beta" in pair.unprotected()
        assert (pair.beta.boots, pair.beta.alive) == (1, True)
        assert pair.bench.is_on(), "what lost its power by mistake has it back"
        assert pair.serves()
        assert not pair.beta.active

        pair.is_corded = True
        answer = pair.verify()
        assert answer.code is Code.ORDER_DONE, answer.sentence
        assert pair.unprotected() == ""
        assert (pair.beta.boots, pair.beta.alive) == (2, True)
        assert pair.serves()

    play(bench, tmp_path, first_something_elses_plug_then_betas)
