"""`aoeha check --fences` against a switch that listens: what is asked, what is printed, the exit code."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from power_switch import Manner, PowerSwitch

from aoeha.cli.fence_checklist import checklist

ROOT = Path(__file__).parents[2]
HERE = socket.gethostname().partition(".")[0]


def check(directory: Path, switch: PowerSwitch) -> subprocess.CompletedProcess[str]:
    """Run the command beside the switch; the pair is this machine and another one."""

    def run(port: int) -> subprocess.CompletedProcess[str]:
        text = (ROOT / "etc" / "aoeha.toml").read_text().replace("alpha", HERE).replace("port = 7700", f"port = {port}")
        file = directory / "aoeha.toml"
        file.write_text(text.replace('address = "10.77.1.1"', 'address = "127.0.0.1"'))
        return subprocess.run(
            [sys.executable, "-m", "aoeha.cli.main", "check", "--fences", str(file)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        )

    async def beside() -> subprocess.CompletedProcess[str]:
        async with switch.serving() as port:
            return await asyncio.to_thread(run, port)

    return asyncio.run(beside())


def test_every_plug_is_read_and_nothing_is_switched(tmp_path: Path) -> None:
    switch = PowerSwitch({HERE: "on", "beta": "off"})
    ran = check(tmp_path, switch)
    assert ran.returncode == 0, ran.stderr
    assert f"fence power-switch: plug {HERE} of {HERE}: reads on" in ran.stdout
    assert "fence power-switch: plug beta of beta: reads off" in ran.stdout
    assert "verify by hand, switched power strip:" in ran.stdout
    assert switch.plugs == {HERE: "on", "beta": "off"}


@pytest.mark.parametrize(
    ("plugs", "manner", "words"),
    [
        ({HERE: "off", "beta": "on"}, Manner.HONEST, "reads off, and"),
        ({HERE: "on"}, Manner.HONEST, "plug beta of beta: "),
        ({HERE: "on", "beta": "on"}, Manner.DEAD, "plug beta of beta: "),
    ],
)
def test_a_device_that_proves_nothing_is_a_failure(
    tmp_path: Path, plugs: dict[str, str], manner: Manner, words: str
) -> None:
    ran = check(tmp_path, PowerSwitch(plugs, manner))
    assert ran.returncode == 1
    assert words in ran.stderr


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("external:fence_ipmilan", "management controller"),
        ("mqtt_plug", "MQTT plug"),
        ("external:fence_apc_snmp", "switched power strip"),
        ("external:fence_apc", "switched power strip"),
        ("wti", "switch on a serial line"),
        ("external:fence_dummy", "other device"),
    ],
)
def test_each_kind_has_its_list(kind: str, family: str) -> None:
    found, entries = checklist(kind)
    assert found == family
    assert any("aoeha fence verify" in entry for entry in entries)
