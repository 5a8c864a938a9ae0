"""`aoeha check --fences` against a switch that listens: what is asked, what is printed, the exit code."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from power_switch import Manner, PowerSwitch

from aoeha.cli.fence.checklist import checklist

ROOT = Path(__file__).parents[2]
HERE = socket.gethostname().partition(".")[0]


def check(directory: Path, switch: PowerSwitch, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command beside the switch; the pair is this machine and another one."""

    def run(port: int) -> subprocess.CompletedProcess[str]:
        text = (ROOT / "etc" / "aoeha.toml").read_text().replace("alpha", HERE).replace("port = 7700", f"port = {port}")
        file = directory / "aoeha.toml"
        file.write_text(text.replace('address = "10.77.1.1"', 'address = "127.0.0.1"'))
        return subprocess.run(
            [sys.executable, "-m", "aoeha.cli.main", "check", "--fences", *words, file.name],
            cwd=directory,
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
    for asked in ("metadata: good", "settings for plug beta of beta: good", "monitor: good"):
        assert f"fence power-switch: {asked}, " in ran.stdout
    assert f"fence power-switch: plug {HERE} of {HERE}: reports on" in ran.stdout
    assert "fence power-switch: plug beta of beta: reports off" in ran.stdout
    assert "verify by hand, switched power strip:" in ran.stdout
    assert f"fences: every device answers from {HERE}\n  next, run this on beta" in ran.stdout
    assert switch.plugs == {HERE: "on", "beta": "off"}


@pytest.mark.parametrize(
    ("plugs", "manner", "words"),
    [
        ({HERE: "off", "beta": "on"}, Manner.HONEST, f"plug {HERE} of {HERE}: reports off"),
        ({HERE: "on"}, Manner.HONEST, "plug beta of beta: cannot read plug beta: the power switch at 127.0.0.1 port "),
        ({HERE: "on", "beta": "on"}, Manner.DEAD, "is the switch alive and cabled?"),
        ({HERE: "on", "beta": "on"}, Manner.GARBAGE, "plug beta of beta: cannot read plug beta: the power switch at "),
    ],
)
def test_a_device_that_proves_nothing_is_a_failure(
    tmp_path: Path, plugs: dict[str, str], manner: Manner, words: str
) -> None:
    ran = check(tmp_path, PowerSwitch(plugs, manner))
    assert ran.returncode == 1
    assert words in ran.stderr


GOOD = "sh -c 'echo fingerprint {tag}; echo fences: every device answers from beta; echo \"  [ ] said here\"'"


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ("no-such-program", "cannot ask from beta: `no-such-program`: "),
        ("sh -c 'exit 3'", "not every device answers from beta, or it was not asked"),
        (GOOD.replace("from beta", "from gamma"), "does not lead to beta"),
        (GOOD.replace("{tag}", "00000000"), "beta has a different configuration"),
        ("sh -c 'echo it broke >&2; exit 1'", "beta: it broke"),
        ("'", "No closing quotation"),
    ],
)
def test_other_gateway_that_was_not_really_asked_is_a_failure(tmp_path: Path, over: str, sentence: str) -> None:
    ran = check(tmp_path, PowerSwitch({HERE: "on", "beta": "on"}), "--over", over)
    assert ran.returncode == 1
    assert sentence in ran.stderr
    assert "\nfences: every device answers" not in ran.stdout


def test_other_gateway_is_told_the_whole_path_for_its_shell_begins_elsewhere(tmp_path: Path) -> None:
    over = tmp_path / "over"
    over.write_text('#!/bin/sh\necho "asked: $@"\n')
    over.chmod(0o755)
    ran = check(tmp_path, PowerSwitch({HERE: "on", "beta": "on"}), "--over", str(over))
    assert f"asked: aoeha check --fences {tmp_path}/aoeha.toml" in ran.stdout


@pytest.mark.parametrize(
    ("kind", "parameters", "family", "entry"),
    [
        ("external:fence_ipmilan", {}, "management controller", "power restore policy"),
        ("mqtt_plug", {"family": "tasmota"}, "MQTT plug (tasmota)", "SetOption21 1"),
        ("mqtt_plug", {"family": "zigbee2mqtt"}, "MQTT plug (zigbee2mqtt)", "availability: true"),
        ("mqtt_plug", {"family": "shelly"}, "MQTT plug (shelly)", "restore_last"),
        ("mqtt_plug", {}, "MQTT plug", "SetOption21 1"),
        ("mqtt_plug", {}, "MQTT plug", "retained command"),
        ("mqtt_plug", {}, "MQTT plug", "on a UPS"),
        ("external:fence_apc_snmp", {}, "switched power strip", "as they were"),
        ("external:fence_apc", {}, "switched power strip", "A UPS"),
        ("snmp_pdu", {}, "switched power strip", "as they were"),
        ("wti", {"device": "/dev/ttyS1"}, "switch on a serial line", "by-path"),
        ("wti", {"address": "10.77.1.5"}, "switched power strip", "as they were"),
        ("serial_switch", {"protocol": "rps10"}, "switch on a serial line", "After a mains failure"),
        ("serial_switch", {"protocol": "apcsmart"}, "UPS on a serial line", "940-0024C"),
        ("external:fence_dummy", {}, "other device", "No UPS is between"),
    ],
)
def test_each_kind_has_its_list(kind: str, parameters: dict[str, str], family: str, entry: str) -> None:
    found, entries = checklist(kind, parameters)
    assert found == family
    assert any(entry in line for line in entries)
    assert any("aoeha fence verify" in line for line in entries)


def test_list_of_one_firmware_names_no_other_one() -> None:
    _, entries = checklist("mqtt_plug", {"family": "shelly"})
    assert not [entry for entry in entries if "Tasmota" in entry or "Zigbee2MQTT" in entry]
