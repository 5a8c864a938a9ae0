"""BMCs: Debian's fence_ipmilan, run as the daemon runs it, asking OpenIPMI's ipmi_sim. It serves."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bmc import PASSWORD, USER, Bmc, Manner

from aoeha.agents.fence_process import FenceProcess
from aoeha.agents.interface import AgentError
from aoeha.core.model.task import PlugState
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

pytestmark = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("ipmi_sim", "ipmitool", "fence_ipmilan")),
    reason="needs Debian's openipmi, ipmitool and fence-agents",
)


@pytest.fixture
def bmc(tmp_path: Path) -> Iterator[Bmc]:
    with Bmc(tmp_path).serving() as serving:
        yield serving


def fence(bmc: Bmc, password: str = PASSWORD, without: str = "", **table: Any) -> FenceProcess:
    secret = bmc.folder / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    options = {
        "ip": "127.0.0.1",
        "ipport": bmc.port,
        "username": USER,
        "password": {"file": str(secret)},
        "lanplus": True,
        "cipher": "3",
        "power_wait": 0,
    }
    options = {name: value for name, value in (options | table).items() if name != without}
    return FenceProcess("bmc", "fence_ipmilan", options, ProcessHost(Place("gw", "beta")))


def state(agent: FenceProcess) -> tuple[PlugState, str]:
    return asyncio.run(agent.status("")), agent.fault


def test_chassis_is_switched_and_read(bmc: Bmc) -> None:
    agent = fence(bmc)
    asyncio.run(agent.validate(""))
    asyncio.run(agent.monitor())
    assert state(agent) == (PlugState.ON, "")
    asyncio.run(agent.power_off(""))
    assert not bmc.is_on()
    assert state(agent) == (PlugState.OFF, "")
    asyncio.run(agent.power_on(""))
    assert bmc.is_on()
    assert state(agent) == (PlugState.ON, "")


def test_the_recipe_for_a_pair_reaches_the_bmc_that_the_plug_names(bmc: Bmc) -> None:
    agent = fence(bmc, without="ip", port_as_ip=True, shell_timeout=1, login_timeout=1, power_timeout=1)
    asyncio.run(agent.validate("127.0.0.1"))
    assert asyncio.run(agent.status("127.0.0.1")) is PlugState.ON
    assert asyncio.run(agent.status("127.0.0.77")) is PlugState.UNKNOWN
    asyncio.run(agent.power_off("127.0.0.1"))
    assert not bmc.is_on()
    assert asyncio.run(agent.status("127.0.0.1")) is PlugState.OFF


def test_with_ip_the_plug_is_ignored_which_is_why_the_recipe_has_none(bmc: Bmc) -> None:
    agent = fence(bmc)
    asyncio.run(agent.power_off("127.0.0.77"))
    assert not bmc.is_on()
    assert asyncio.run(agent.status("127.0.0.77")) is PlugState.OFF


def test_order_that_was_taken_and_not_done_is_no_proof(bmc: Bmc) -> None:
    bmc.behave(Manner.LIAR)
    agent = fence(bmc, power_timeout=2)
    with pytest.raises(AgentError, match="Timed out waiting to power OFF"):
        asyncio.run(agent.power_off(""))
    assert bmc.orders() == ["0"]
    assert state(agent)[0] is PlugState.ON


def test_late_switching_is_waited_for_and_read(bmc: Bmc) -> None:
    bmc.behave(Manner.LATE)
    agent = fence(bmc)
    begun_s = time.monotonic()
    asyncio.run(agent.power_off(""))
    assert time.monotonic() - begun_s > 2.5
    assert state(agent)[0] is PlugState.OFF


def test_wrong_password_is_unknown_takes_no_orders_and_is_not_shown(bmc: Bmc) -> None:
    agent = fence(bmc, "hunter2")
    read, fault = state(agent)
    assert read is PlugState.UNKNOWN
    with pytest.raises(AgentError) as refused:
        asyncio.run(agent.power_off(""))
    assert bmc.orders() == []
    assert "hunter2" not in fault + str(refused.value)


def test_dead_bmc_is_unknown_takes_no_orders_and_fails_its_monitor(bmc: Bmc) -> None:
    bmc.freeze()
    agent = fence(bmc, shell_timeout=1, login_timeout=1, power_timeout=1)
    assert state(agent)[0] is PlugState.UNKNOWN
    for refused in (agent.power_off(""), agent.monitor()):
        with pytest.raises(AgentError):
            asyncio.run(refused)
    assert bmc.orders() == []
    assert bmc.is_on()


def test_late_answer_is_waited_for_or_is_none(bmc: Bmc) -> None:
    """Each run of ipmitool has a session of its own, so an answer that is due from before belongs to nobody."""
    bmc.power(on=False)
    bmc.freeze()
    hasty = fence(bmc, shell_timeout=1, login_timeout=1, power_timeout=1)
    assert state(hasty)[0] is PlugState.UNKNOWN
    bmc.power(on=True)
    bmc.thaw()
    assert state(fence(bmc)) == (PlugState.ON, "")
    bmc.freeze()

    async def answered_late() -> PlugState:
        agent = fence(bmc)
        reading = asyncio.create_task(agent.status(""))
        await asyncio.sleep(1.5)
        assert not reading.done()
        bmc.thaw()
        return await reading

    assert asyncio.run(answered_late()) is PlugState.ON


def test_bmc_switches_its_own_chassis_whatever_the_plug_is_called(bmc: Bmc, tmp_path: Path) -> None:
    """A BMC has no plugs: whose it is, only its address says, so a wrong one shows by `aoeha fence verify` alone."""
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    with Bmc(other_folder).serving() as other:
        asyncio.run(fence(bmc).power_off("somebody-else"))
        assert (bmc.is_on(), other.is_on()) == (False, True)
        assert asyncio.run(fence(bmc).status("alpha")) is PlugState.OFF
        assert asyncio.run(fence(other).status("alpha")) is PlugState.ON
