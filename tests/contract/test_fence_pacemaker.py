"""Debian's Pacemaker fences with our agents: its fencer, alone, in a namespace, asked by stonith_admin.

The agents stand where a package would put them, in /usr/sbin, but only as that fencer sees it: a mount of its own.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from patience import PATIENCE_S
from power_strip import COMMUNITY, Manner, PowerStrip
from test_aoe_vblade import San, inside, ip
from test_fence_aoe import Pair

from aoeha.agents.installers import install_fence_wrappers
from aoeha.fabric.aoe.frames import format_mac

FENCER = Path("/usr/lib/pacemaker/pacemaker-fenced")
ITSELF = "localhost"
"""What a fencer without a cluster calls its own node."""

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and mounts"),
    pytest.mark.skipif(
        not FENCER.exists() or any(shutil.which(name) is None for name in ("stonith_admin", "vblade", "snmpd")),
        reason="needs Debian's pacemaker, pacemaker-cli-utils, vblade and snmpd",
    ),
]


class Fencer:
    """Pacemaker's fencer in one network namespace."""

    def __init__(self, room: str, folder: Path) -> None:
        self.room = room
        self.log = folder / "fencer.log"
        wrappers = folder / "wrappers"
        install_fence_wrappers(wrappers)
        over = f"mount -t overlay overlay -o lowerdir={wrappers}:/usr/sbin /usr/sbin"
        start = f"{over} && exec {FENCER} --stand-alone --logfile {self.log}"
        self.process = self._start(["unshare", "--mount", "sh", "-c", start])
        limit = time.monotonic() + PATIENCE_S
        while self.ask("--list-registered")[0]:
            assert self.process.poll() is None, self.log.read_text() if self.log.exists() else "it did not start"
            assert time.monotonic() < limit, "the fencer does not answer"

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        with inside(self.room):
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )

    def ask(self, *words: str) -> tuple[int, str]:
        """Run stonith_admin; its exit code and what it said."""
        process = self._start(["stonith_admin", *words])
        said, _ = process.communicate(timeout=90)
        return process.returncode, said

    def register(self, name: str, agent: str, options: dict[str, str]) -> None:
        words = [word for key, value in options.items() for word in ("--option", f"{key}={value}")]
        code, said = self.ask("--register", name, "--agent", agent, *words)
        assert code == 0, said

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    built = Pair(San(tmp_path))
    try:
        built.build()
        yield built
    finally:
        built.remove()


def shelves_of(pair: Pair, victim: str) -> dict[str, str]:
    return {
        "hosts": f"alpha={format_mac(pair.alpha)} {victim}={format_mac(pair.beta)}",
        "targets": f"e1.0={format_mac(pair.shelf)} e2.0={format_mac(pair.shelf)}",
    }


@pytest.fixture
def on_alpha(pair: Pair, tmp_path: Path) -> Iterator[Fencer]:
    fencer = Fencer(pair.san.gateway, tmp_path)
    try:
        fencer.register("shelves", "fence_aoe", shelves_of(pair, "beta"))
        yield fencer
    finally:
        fencer.stop()


@pytest.mark.parametrize("verb", ["--fence", "--reboot"])
def test_pacemaker_shuts_a_node_out_at_the_shelves(pair: Pair, on_alpha: Fencer, verb: str) -> None:
    """It finds the node by the agent's own list, and asks for off where a reboot was wanted and there is none."""
    assert "shelves" in on_alpha.ask("--list", "beta")[1]
    assert on_alpha.ask("--query", "shelves")[0] == 0
    code, said = on_alpha.ask(verb, "beta", "--timeout", "30")
    assert code == 0, said
    remapped = "Remapping 'reboot' action targeting beta using shelves to 'off'" in on_alpha.log.read_text()
    assert remapped == (verb == "--reboot")
    assert pair.holders() == [{pair.alpha}, {pair.alpha}]


def test_pacemaker_counts_a_silent_shelf_as_a_failed_fence(pair: Pair, on_alpha: Fencer) -> None:
    pair.stop("e2.0")
    on_alpha.ask("--query", "shelves")
    heard = on_alpha.log.read_text()
    assert "cannot reach e2.0" in heard
    assert re.search(r"Operation 'monitor' .* using shelves returned 1 ", heard), heard
    assert on_alpha.ask("--fence", "beta", "--timeout", "30")[0] != 0
    pair.start("e2.0")
    assert pair.holders() == [set(), set()]


def test_pacemaker_lets_a_node_in_again_on_that_node_alone(pair: Pair, on_alpha: Fencer, tmp_path: Path) -> None:
    assert on_alpha.ask("--fence", "beta", "--timeout", "30")[0] == 0
    assert on_alpha.ask("--unfence", "beta", "--timeout", "30")[0] != 0
    assert "shelves is not eligible to fence (on) beta" in on_alpha.log.read_text()
    assert pair.holders() == [{pair.alpha}, {pair.alpha}]
    (tmp_path / "beta").mkdir()
    on_beta = Fencer(pair.beta_room, tmp_path / "beta")
    try:
        on_beta.register("shelves", "fence_aoe", shelves_of(pair, ITSELF))
        code, said = on_beta.ask("--unfence", ITSELF, "--timeout", "30")
    finally:
        on_beta.stop()
    assert code == 0, said
    assert pair.holders() == [{pair.alpha, pair.beta}, {pair.alpha, pair.beta}]


@pytest.fixture
def strip(tmp_path: Path) -> Iterator[tuple[Fencer, PowerStrip]]:
    """A fencer whose power strip feeds alpha by its first outlet and beta by its second."""
    room = f"strip{os.getpid()}"
    with ExitStack() as cleanup:
        ip("netns", "add", room)
        cleanup.callback(ip, "netns", "del", room)
        ip("-n", room, "link", "set", "lo", "up")
        power = PowerStrip(tmp_path)
        with inside(room):
            power.start()
        cleanup.callback(power.stop)
        fencer = Fencer(room, tmp_path)
        cleanup.callback(fencer.stop)
        credentials = power.folder / "snmp.conf"
        credentials.write_text(f"defVersion 2c\ndefCommunity {COMMUNITY}\n")
        credentials.chmod(0o600)
        options = {"ip": "127.0.0.1", "ipport": str(power.port), "family": "apc_rpdu", "credentials": str(credentials)}
        fencer.register("strip", "fence_snmp_pdu", options | {"pcmk_host_map": "alpha:1;beta:2"})
        yield fencer, power


def test_pacemaker_switches_a_rack_pdu_off_and_takes_a_lie_for_a_failure(strip: tuple[Fencer, PowerStrip]) -> None:
    fencer, power = strip
    assert fencer.ask("--fence", "beta", "--timeout", "30")[0] == 0
    assert (power.is_on(1), power.is_on(2)) == (True, False)
    assert fencer.ask("--unfence", "beta", "--timeout", "30")[0] == 0
    assert power.is_on(2)
    power.behave(Manner.LIAR)
    assert fencer.ask("--fence", "beta", "--timeout", "30")[0] != 0
