"""A pair of servers with BMCs, from the text of aoeha.toml to the chassis: Debian's fence_ipmilan and two ipmi_sim.

fence_ipmilan looks at no plug unless it is told that plugs are addresses. So a file in which two plugs hang on one BMC
switches the survivor off, and reads the victim as off: such a file is refused.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bmc import PASSWORD, USER, Bmc

from aoeha.config.load import load
from aoeha.config.plug_agents import agents_for
from aoeha.config.view import pair_config
from aoeha.core.model.task import PlugState, PowerPurpose, PowerTask, TaskKind
from aoeha.daemon.performers import Agents, Device, Performers
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

pytestmark = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("ipmi_sim", "ipmitool", "fence_ipmilan")),
    reason="needs Debian's openipmi, ipmitool and fence-agents",
)

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "etc" / "aoeha.toml").read_text()
DEVICE = """
[[fence]]
name = "{name}"
type = "external:fence_ipmilan"
plug = {plug}
powered_by = "own"

[fence.parameters]
{address}
username = "{user}"
password = {{ file = "{folder}/password" }}
lanplus = true
cipher = "3"
power_wait = 0
"""

Bmcs = dict[str, Bmc]


@pytest.fixture
def bmcs(tmp_path: Path) -> Iterator[Bmcs]:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "keys").write_text(f"1 {'5a' * 32}\n")
    (tmp_path / "keys").chmod(0o600)
    for name in ("alpha", "beta"):
        (tmp_path / name).mkdir()
    with Bmc(tmp_path / "alpha").serving() as alpha, Bmc(tmp_path / "beta").serving() as beta:
        yield {"alpha": alpha, "beta": beta}


def device(folder: Path, name: str, plug: str, address: str) -> str:
    return DEVICE.format(name=name, plug=plug, address=address, folder=folder, user=USER)


def one_for_each(folder: Path, bmcs: Bmcs) -> str:
    """Two devices, each with the plug of the one gateway whose BMC it is."""
    return "".join(
        device(folder, f"bmc-{node}", f'{{ {node} = "1" }}', f'ip = "127.0.0.1"\nipport = {bmc.port}')
        for node, bmc in bmcs.items()
    )


def one_for_both(folder: Path, bmcs: Bmcs) -> str:
    """One device, with an address for each node."""
    ports = f"ipport = {{ alpha = {bmcs['alpha'].port}, beta = {bmcs['beta'].port} }}"
    address = 'ip = { alpha = "127.0.0.1", beta = "127.0.0.1" }'
    return device(folder, "bmc", '{ alpha = "1", beta = "1" }', f"{address}\n{ports}")


def written(folder: Path, devices: str) -> Path:
    file = folder / "aoeha.toml"
    own = re.sub(r"(?s)\[\[fence\]\].*?(?=\[\[group\]\])", lambda _: f"{devices}\n", EXAMPLE, count=1)
    file.write_text(own.replace("/etc/aoeha/keys", f"{folder}/keys"))
    return file


def check(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aoeha.cli.main", "check", *words, str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )


def fence(file: Path, own: str, kind: TaskKind) -> PlugState | None:
    """Have the parts of a daemon on `own` do one thing with its peer's power, at the only level there is."""
    configuration = load(file)
    pair = pair_config(configuration, own)
    host = ProcessHost(Place("gw", own))
    devices = {device.name: Device(agents_for(device, host), device.plug) for device in configuration.fences}
    (chosen,) = pair.fences
    task = PowerTask(1, 20_000, "test", kind, chosen.name, pair.peer, PowerPurpose.FENCE)
    performed = asyncio.run(Performers(Agents({}, devices)).perform(task))
    return getattr(performed.outcome, "plug", None)


@pytest.mark.parametrize("form", [one_for_each, one_for_both])
def test_each_gateway_switches_the_other_ones_chassis(tmp_path: Path, bmcs: Bmcs, form: object) -> None:
    assert callable(form)
    file = written(tmp_path, form(tmp_path, bmcs))
    valid = check(file)
    assert valid.returncode == 0, valid.stderr
    asked = check(file, "--fences", "--node", "alpha")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert asked.stdout.count("monitor") == 2
    fence(file, "alpha", TaskKind.POWER_OFF)
    assert (bmcs["alpha"].is_on(), bmcs["beta"].is_on()) == (True, False)
    assert fence(file, "alpha", TaskKind.POWER_STATUS) is PlugState.OFF
    assert fence(file, "beta", TaskKind.POWER_STATUS) is PlugState.ON


def test_two_plugs_on_one_bmc_are_refused(tmp_path: Path, bmcs: Bmcs) -> None:
    both = '{ alpha = "1", beta = "2" }'
    address = f'ip = "127.0.0.1"\nipport = {bmcs["alpha"].port}'
    refused = check(written(tmp_path, device(tmp_path, "bmc-alpha", both, address)))
    assert refused.returncode == 78
    assert "plug: expected one node, got alpha and beta: fence_ipmilan switches the machine at `ip`" in refused.stderr
    ignored = check(written(tmp_path, device(tmp_path, "bmc", both, f"port_as_ip = true\n{address}")))
    assert ignored.returncode == 78
    assert "fence_ipmilan ignores the plug where `ip` is set" in ignored.stderr


def test_plugs_that_are_addresses_have_a_monitor_each(tmp_path: Path, bmcs: Bmcs) -> None:
    plug = '{ alpha = "127.0.0.1", beta = "127.0.0.77" }'
    file = written(tmp_path, device(tmp_path, "bmc", plug, f"port_as_ip = true\nipport = {bmcs['alpha'].port}"))
    asked = check(file, "--fences", "--node", "alpha")
    assert "fence bmc: monitor for alpha: good" in asked.stdout, asked.stdout + asked.stderr
    assert "fence bmc: monitor for beta: " in asked.stderr
