"""Is the machine the node that the file describes? `aoeha check --host` and the daemon compare, in a namespace."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from namespaces import namespace

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
]

ROOT = Path(__file__).parents[2]
OWN = "02:77:01:00:00:11"


@pytest.fixture
def alpha() -> Iterator[str]:
    """A namespace with alpha's ports as the example has them: eth0 with its address on the LAN, eth1 for storage."""
    with namespace("own") as name:
        for words in (
            f"link add eth1 address {OWN} type veth peer name shelf",
            "link add eth0 type veth peer name lan",
            "link set eth0 up",
            "address add 10.77.1.11/24 dev eth0",
        ):
            subprocess.run(["ip", "-n", name, *words.split()], check=True, timeout=10)
        yield name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    keys.write_text(f"1 {'5a' * 32}\n")
    keys.chmod(0o600)
    written = tmp_path / "aoeha.toml"
    written.write_text((ROOT / "etc" / "aoeha.toml").read_text().replace("/etc/aoeha/keys", str(keys)))
    return written


def aoeha(inside: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ip", "netns", "exec", inside, sys.executable, "-m", "aoeha.cli.main", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )


def own_findings(told: str, file: Path) -> list[str]:
    """What is said of the file, without the findings about the host that runs the tests."""
    return [line for line in told.splitlines() if line.startswith(f"{file}:") and "restart takes" not in line]


def test_a_machine_that_is_the_node_has_no_finding(alpha: str, file: Path) -> None:
    assert own_findings(aoeha(alpha, "check", "--host", "--node", "alpha", file).stderr, file) == []
    started = aoeha(alpha, "daemon", "--dry-run", "-c", file, "--node", "alpha")
    assert started.returncode == 0, started.stderr


def test_a_mistyped_hardware_address_of_its_own_keeps_a_gateway_from_starting(alpha: str, file: Path) -> None:
    file.write_text(file.read_text().replace(OWN, "02:77:01:00:00:77"))
    checked = aoeha(alpha, "check", "--host", "--node", "alpha", file)
    assert checked.returncode == 78
    (finding,) = own_findings(checked.stderr, file)[:-1]
    assert f"node[alpha].storage.eth1: expected the hardware address of eth1 on this machine, {OWN}" in finding
    assert aoeha(alpha, "check", file).returncode == 0, "without --host the file may be about another machine"
    started = aoeha(alpha, "daemon", "--dry-run", "-c", file, "--node", "alpha")
    assert started.returncode == 78
    assert "the shelves would reserve the legs for another host" in started.stderr


def test_a_machine_that_is_another_one_is_told_so(alpha: str, file: Path) -> None:
    told = "\n".join(own_findings(aoeha(alpha, "check", "--host", "--node", "gamma", file).stderr, file))
    assert "this machine is called gamma, and the file names alpha and beta" in told
    subprocess.run(["ip", "-n", alpha, "address", "flush", "dev", "eth0"], check=True, timeout=10)
    subprocess.run(["ip", "-n", alpha, "link", "delete", "eth1"], check=True, timeout=10)
    told = "\n".join(own_findings(aoeha(alpha, "check", "--host", "--node", "alpha", file).stderr, file))
    assert 'this machine does not have the address "10.77.1.11"' in told
    assert 'this machine has no Ethernet interface "eth1" now' in told
