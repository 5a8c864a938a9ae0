"""`aoeha check --fences` from both gateways of a running pair, each by its own network."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_pair import Gateway, Pair, pair, wait_for
from namespaces import inside
from power_switch import PowerSwitch

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
    pytest.mark.skipif(shutil.which("fence_dummy") is None, reason="needs Debian's fence-agents"),
]

ROOT = Path(__file__).parents[2]
DEVICE = """
[[fence]]
name = "{name}"
type = "{type}"
plug = {{ alpha = "alpha", beta = "beta" }}
level = 2
[fence.parameters]
{parameters}
"""
RECORDER = """#!/bin/sh
# Debian's fence_dummy, which knows validate-all, and a line about who asked it for what, and from which network.
lines=$(cat)
action=$(echo "$lines" | sed -n 's/^action=//p')
echo "$(readlink /proc/self/ns/net) $action" >> {log}
case $action in
metadata) fence_dummy -o metadata | sed 's|</actions>|<action name="validate-all" /></actions>|';;
validate-all) ;;
*) echo "$lines" | exec fence_dummy;;
esac
"""


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made


def add_device(gateways: Pair, name: str, kind: str, parameters: str) -> None:
    with (gateways.root / "aoeha.toml").open("a") as file:
        file.write(DEVICE.format(name=name, type=kind, parameters=parameters))


def start(gateways: Pair) -> None:
    for gateway in (gateways.alpha, gateways.beta):
        gateway.start()
    wait_for(lambda: gateways.alpha.phase() == "running", "alpha serves")
    wait_for(lambda: gateways.beta.phase() == "stopped", "beta stands by")


def door(gateway: Gateway) -> str:
    """A command that runs a program on that gateway, as ssh would."""
    script = gateway.home / "enter"
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = [*gateway.inside(), "env", f"PATH={programs}"]
    quoted = " ".join(f"'{word}'" for word in words)
    script.write_text(f'#!/bin/sh\nexec {quoted} "$@"\n')
    script.chmod(0o755)
    return str(script)


def check(gateway: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    file = str(gateway.root / "aoeha.toml")
    return subprocess.run(
        [door(gateway), "aoeha", "check", "--fences", "--node", gateway.node, *words, file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def network(gateway: Gateway) -> str:
    found = subprocess.run(
        ["ip", "netns", "exec", gateway.namespace, "readlink", "/proc/self/ns/net"],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return found.stdout.strip()


def test_metadata_settings_monitor_and_status_of_every_device_are_asked_from_both_gateways(gateways: Pair) -> None:
    log, program, state = (gateways.root / name for name in ("asked", "fence_recorder", "plugs"))
    program.write_text(RECORDER.format(log=log))
    program.chmod(0o755)
    state.write_text("on")
    add_device(gateways, "recorder", f"external:{program}", f'status_file = "{state}"')
    start(gateways)
    log.unlink(missing_ok=True)
    ran = check(gateways.alpha, "--over", door(gateways.beta))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    asked: dict[str, set[str]] = defaultdict(set)
    for line in log.read_text().splitlines():
        where, action = line.split()
        asked[where].add(action)
    questions = {"metadata", "validate-all", "monitor", "status"}
    assert asked[network(gateways.alpha)] >= questions
    assert asked[network(gateways.beta)] >= questions
    assert not {"on", "off", "reboot"} & set().union(*asked.values())
    lines = ran.stdout.splitlines()
    for start_of_line in ("", "beta: "):
        for device, asked_of_it in (("power-switch", "metadata: good"), ("recorder", "monitor: good")):
            assert [line for line in lines if line.startswith(f"{start_of_line}fence {device}: {asked_of_it}, ")]
        for device in ("power-switch", "recorder"):
            for node in ("alpha", "beta"):
                assert f"{start_of_line}fence {device}: plug {node} of {node}: reports on" in lines
    assert lines.count("verify by hand, other device:") == 1
    assert lines[-1] == "fences: every device answers from both gateways"
    assert not [line for line in gateways.switch.asked if not line.startswith("status")]


def test_device_that_only_one_gateway_reaches_is_found(gateways: Pair) -> None:
    async def serve(switch: PowerSwitch, ended: asyncio.Event) -> None:
        async with switch.serving():
            await ended.wait()

    async def scene() -> tuple[list[subprocess.CompletedProcess[str]], list[str]]:
        """The switch listens in alpha's namespace, on an address that beta has too, and where nobody listens."""
        switch, ended = PowerSwitch({"alpha": "on", "beta": "on"}), asyncio.Event()
        serving = asyncio.create_task(serve(switch, ended))
        while not switch.port:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        add_device(gateways, "strip", "rack_power", f'address = "127.0.0.1"\nport = {switch.port}')
        alone = await asyncio.to_thread(check, gateways.alpha)
        there = await asyncio.to_thread(check, gateways.beta)
        both = await asyncio.to_thread(check, gateways.alpha, "--over", door(gateways.beta))
        ended.set()
        await serving
        return [alone, there, both], switch.requests

    for gateway in (gateways.alpha, gateways.beta):
        subprocess.run(["ip", "-n", gateway.namespace, "link", "set", "lo", "up"], check=True, timeout=10)
    (alone, there, both), requests = inside(gateways.alpha.namespace, lambda: asyncio.run(scene()))
    assert alone.returncode == 0, alone.stderr
    assert "fences: every device answers from alpha\n  next, run this on beta" in alone.stdout
    assert there.returncode == 1
    assert "fence strip: plug alpha of alpha: cannot status plug alpha: the power switch at 127.0.0.1" in there.stderr
    assert both.returncode == 1
    assert "beta: fence strip: monitor: cannot " in both.stderr
    assert "not every device answers from beta" in both.stderr
    assert not [request for request in requests if request.startswith(("on ", "off "))]


def test_own_plug_that_reads_off_is_another_machines_seen_from_either_gateway(gateways: Pair) -> None:
    start(gateways)
    gateways.switch._plugs["beta"] = "off"
    from_alpha, from_beta = check(gateways.alpha), check(gateways.beta)
    assert from_alpha.returncode == 0, "beta may be off, for all that alpha can tell by asking the device"
    assert from_beta.returncode == 1
    assert "plug beta of beta: reports off, but beta is this machine" in from_beta.stderr
    assert check(gateways.alpha, "--over", door(gateways.beta)).returncode == 1
