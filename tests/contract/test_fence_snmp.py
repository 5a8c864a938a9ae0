"""Rack PDUs over SNMP: ours and Debian's fence_apc_snmp, both asking net-snmp's snmpd with outlets behind it."""

import asyncio
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fence_sequences import REBOOTS, SEQUENCES, play
from power_strip import COMMUNITY, FAMILIES, PASSPHRASE, PRIVACY, USER, Manner, PowerStrip

from aoeha.agents.fence_process import FenceProcess
from aoeha.agents.interface import AgentError, FenceAgent
from aoeha.agents.parameters import ParameterError
from aoeha.agents.registry import load_fence_agent
from aoeha.core.model.task import PlugState
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

PROGRAM = Path(__file__).parents[2] / "fencing" / "snmp_pdu.py"
HOST = ProcessHost(Place("gw", "beta"))
SNMP_PDU = load_fence_agent("snmp_pdu")
VERSIONS = {
    "1": f"defVersion 1\ndefCommunity {COMMUNITY}\n",
    "2c": f"defVersion 2c\ndefCommunity {COMMUNITY}\n",
    "3": f"defVersion 3\ndefSecurityName {USER}\ndefSecurityLevel authPriv\ndefAuthType SHA\n"
    f"defAuthPassphrase {PASSPHRASE}\ndefPrivType AES\ndefPrivPassphrase {PRIVACY}\n",
}

pytestmark = pytest.mark.skipif(
    shutil.which("snmpd") is None or shutil.which("snmpget") is None, reason="needs Debian's snmpd and snmp"
)
needs_fence_agents = pytest.mark.skipif(shutil.which("fence_apc_snmp") is None, reason="needs Debian's fence-agents")


@pytest.fixture
def strip(tmp_path: Path) -> Iterator[PowerStrip]:
    with PowerStrip(tmp_path).serving() as serving:
        yield serving


def ours(strip: PowerStrip, credentials: str = VERSIONS["2c"], **table: Any) -> FenceAgent[Any]:
    folder = strip.folder / "credentials"
    folder.mkdir(exist_ok=True)
    (folder / "snmp.conf").write_text(credentials)
    (folder / "snmp.conf").chmod(0o600)
    table = {
        "address": "127.0.0.1",
        "port": strip.port,
        "family": "apc_rpdu",
        "credentials": str(folder / "snmp.conf"),
        "deadline": "2s",
    } | table
    return SNMP_PDU("strip", SNMP_PDU.typed(table), HOST)


def debians(strip: PowerStrip, **table: Any) -> FenceProcess:
    secret = strip.folder / "community"
    secret.write_text(f"{COMMUNITY}\n")
    secret.chmod(0o600)
    options = {"ip": "127.0.0.1", "ipport": strip.port, "snmp_version": "2c", "community": {"file": str(secret)}}
    return FenceProcess("strip", "fence_apc_snmp", options | table, HOST)


def state(agent: Any, plug: str = "1") -> tuple[PlugState, str]:
    return asyncio.run(agent.status(plug)), agent.fault


def switch(agent: Any, verb: str, plug: str = "1") -> None:
    asyncio.run(agent.power_off(plug) if verb == "off" else agent.power_on(plug))


@pytest.mark.parametrize("version", VERSIONS)
def test_outlet_is_switched_and_read_in_each_version_of_snmp(strip: PowerStrip, version: str) -> None:
    agent = ours(strip, VERSIONS[version])
    assert state(agent) == (PlugState.ON, "")
    switch(agent, "off")
    assert not strip.is_on(1)
    assert state(agent) == (PlugState.OFF, "")
    switch(agent, "on")
    assert state(agent) == (PlugState.ON, "")
    assert strip.is_on(2)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_switched_by_its_own_numbers(tmp_path: Path, family: str) -> None:
    with PowerStrip(tmp_path, family).serving() as strip:
        agent = ours(strip, family=family)
        assert asyncio.run(agent.plugs()) == {"1": "node1", "2": "node2"}  # type: ignore[attr-defined]
        switch(agent, "off", "2")
        assert (strip.is_on(1), strip.is_on(2)) == (True, False)
        assert (state(agent, "1")[0], state(agent, "2")[0]) == (PlugState.ON, PlugState.OFF)
        switch(agent, "on", "2")
        assert state(agent, "2")[0] is PlugState.ON


@pytest.mark.parametrize("version", VERSIONS)
def test_outlet_that_does_not_exist_is_neither_on_nor_off_and_takes_no_orders(strip: PowerStrip, version: str) -> None:
    agent = ours(strip, VERSIONS[version])
    read, fault = state(agent, "9")
    assert read is PlugState.UNKNOWN
    assert fault.startswith("cannot read plug 9: ")
    with pytest.raises(AgentError, match="cannot switch plug 9 off"):
        switch(agent, "off", "9")


@pytest.mark.parametrize("manner", [Manner.EMPTY, Manner.VAGUE])
def test_strip_that_does_not_say_on_or_off_is_unknown(strip: PowerStrip, manner: Manner) -> None:
    strip.behave(manner)
    read, fault = state(ours(strip))
    assert read is PlugState.UNKNOWN
    assert "answered" in fault


def test_strip_that_tells_no_outlets_is_no_working_device(strip: PowerStrip) -> None:
    asyncio.run(ours(strip).monitor())  # type: ignore[attr-defined]
    strip.behave(Manner.EMPTY)
    with pytest.raises(AgentError, match="tells none"):
        asyncio.run(ours(strip).monitor())  # type: ignore[attr-defined]


def test_order_that_was_taken_and_not_done_is_no_proof(strip: PowerStrip) -> None:
    strip.behave(Manner.LIAR)
    switch(ours(strip), "off")
    assert strip.orders()
    assert state(ours(strip))[0] is PlugState.ON


def test_late_answer_is_none_and_is_not_taken_for_a_later_one(strip: PowerStrip) -> None:
    strip.switch(1, on=False)
    strip.behave(Manner.LATE)
    assert state(ours(strip, deadline="1s"))[0] is PlugState.UNKNOWN
    with pytest.raises(AgentError, match="alive, cabled"):
        switch(ours(strip, deadline="1s"), "off", "2")
    strip.switch(1, on=True)
    strip.behave(Manner.HONEST)
    assert state(ours(strip, deadline="20s"))[0] is PlugState.ON


def test_dead_strip_is_unknown_within_its_deadline(strip: PowerStrip) -> None:
    strip.freeze()
    agent = ours(strip)
    begun_s = time.monotonic()
    read, fault = state(agent)
    assert read is PlugState.UNKNOWN
    assert "Timeout" in fault
    with pytest.raises(AgentError, match="alive, cabled"):
        switch(agent, "off")
    with pytest.raises(AgentError, match="alive, cabled"):
        asyncio.run(agent.monitor())  # type: ignore[attr-defined]
    assert time.monotonic() - begun_s < 12


@pytest.mark.parametrize(
    "credentials", ["defVersion 2c\ndefCommunity hunter2\n", VERSIONS["3"].replace(PASSPHRASE, "hunter2hunter2")]
)
def test_wrong_password_is_unknown_takes_no_orders_and_is_not_shown(strip: PowerStrip, credentials: str) -> None:
    agent = ours(strip, credentials)
    read, fault = state(agent)
    assert read is PlugState.UNKNOWN
    with pytest.raises(AgentError, match="the right password") as refused:
        switch(agent, "off")
    assert strip.orders() == []
    assert strip.is_on(1)
    assert "hunter2" not in fault + str(refused.value)


def test_credentials_that_others_may_read_are_refused(strip: PowerStrip) -> None:
    agent = ours(strip)
    asyncio.run(agent.validate("1"))  # type: ignore[attr-defined]
    (strip.folder / "credentials" / "snmp.conf").chmod(0o644)
    read, fault = state(agent)
    assert read is PlugState.UNKNOWN
    assert "cannot trust" in fault
    with pytest.raises(AgentError, match="cannot use plug 1: cannot trust"):
        asyncio.run(agent.validate("1"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("plug", ["", "node1", "1 .1.3.6", "1;2", "-1", "1.1"])
def test_plug_is_a_number_and_nothing_else(strip: PowerStrip, plug: str) -> None:
    with pytest.raises(AgentError, match="plugs of this strip are numbers"):
        switch(ours(strip), "off", plug)
    if plug:
        with pytest.raises(AgentError, match="plugs of this strip are numbers"):
            asyncio.run(ours(strip).validate(plug))  # type: ignore[attr-defined]
    assert strip.orders() == []


@pytest.mark.parametrize(
    "change", [{"address": "strip.example"}, {"family": "apc"}, {"credentials": "/etc/snmp/strip"}, {"port": 0}]
)
def test_parameters_that_cannot_work_are_refused(change: dict[str, Any]) -> None:
    good = {"address": "192.0.2.7", "family": "apc_rpdu", "credentials": "/etc/aoeha/strip/snmp.conf"}
    SNMP_PDU.typed(good)
    with pytest.raises(ParameterError, match=next(iter(change))):
        SNMP_PDU.typed(good | change)


@pytest.mark.parametrize("name", [*SEQUENCES, *REBOOTS])
def test_program_plays_the_prescribed_sequences(strip: PowerStrip, name: str) -> None:
    credentials = ours(strip).parameters.credentials
    options = f"plug=1\nip=127.0.0.1\nipport={strip.port}\nfamily=apc_rpdu\ncredentials={credentials}\n"

    async def run(action: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(PROGRAM)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(f"action={action}\n{options}".encode()), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    assert asyncio.run(play((SEQUENCES | REBOOTS)[name], run)) == []


@needs_fence_agents
def test_debians_agent_switches_and_reads_the_same_strip(strip: PowerStrip) -> None:
    agent = debians(strip)
    assert state(agent) == (PlugState.ON, "")
    switch(agent, "off")
    assert not strip.is_on(1)
    assert state(agent) == (PlugState.OFF, "")
    strip.behave(Manner.LIAR)
    with pytest.raises(AgentError, match="Timed out waiting to power ON"):
        switch(debians(strip, power_timeout=1), "on")


@needs_fence_agents
@pytest.mark.parametrize(("plug", "manner"), [("9", Manner.HONEST), ("1", Manner.EMPTY), ("1", Manner.VAGUE)])
def test_debians_agent_takes_no_answer_for_off_which_is_why_there_is_ours(
    strip: PowerStrip, plug: str, manner: Manner
) -> None:
    """A gateway that runs on would count as dead: status says OFF, and the order "off" was "already" carried out."""
    strip.behave(manner)
    agent = debians(strip)
    assert state(agent, plug) == (PlugState.OFF, "")
    switch(agent, "off", plug)
    assert strip.orders() == []
    assert strip.is_on(1)
    assert strip.is_on(2)
