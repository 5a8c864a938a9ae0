"""`aoeha aoe reserve|release|paths` before they reach the storage network: what they refuse, and with which code."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from daemon_double import ROOT, DaemonDouble, aoeha, done
from goldens import document

DOCUMENT = document("healthy")
CHANGES = [
    ("reserve", "e1.0", "--for", "beta"),
    ("release", "e1.0"),
    ("reserve", "e1.0", "--hosts", "02:00:00:00:00:09"),
]
NOWHERE = ("-i", "nowhere0")
"""No such interface: what gets as far as the network ends there, without a frame."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def here(path: Path) -> tuple[str, ...]:
    file = str(ROOT / "etc" / "aoeha.toml")
    return ("-c", file, "--node", "alpha", "--socket", str(path), "--yes", *NOWHERE)


def owned_by(owner: str) -> dict[str, Any]:
    return DOCUMENT | {"groups": [DOCUMENT["groups"][0] | {"owner": owner}]}


def reached_the_network(ran: subprocess.CompletedProcess[str]) -> bool:
    return ran.returncode in (1, 4) and "nowhere0" in ran.stderr


@pytest.mark.parametrize("words", CHANGES)
@pytest.mark.parametrize(("owner", "whose"), [("alpha", "this gateway"), ("beta", "the other gateway")])
def test_a_leg_of_a_group_that_is_owned_is_not_changed(
    path: Path, words: tuple[str, ...], owner: str, whose: str
) -> None:
    with DaemonDouble(path, done(0, "", owned_by(owner))) as daemon:
        ran = aoeha("aoe", *words, *here(path))
    assert ran.returncode == 107
    assert f"it is a leg of storage, which {owner} owns" in ran.stderr
    assert whose in ran.stderr
    assert daemon.requests == [{"verb": "status", "arguments": {}}]


@pytest.mark.parametrize("words", CHANGES)
@pytest.mark.parametrize("owner", ["alpha", "beta", "unknown"])
def test_force_goes_on_all_the_same(path: Path, words: tuple[str, ...], owner: str) -> None:
    with DaemonDouble(path, done(0, "", owned_by(owner))):
        ran = aoeha("aoe", *words, "--force", *here(path))
    assert reached_the_network(ran), ran.stderr


@pytest.mark.parametrize("document", [owned_by("unknown"), DOCUMENT | {"groups": []}, None])
def test_a_daemon_that_cannot_tell_is_no_permission(path: Path, document: dict[str, Any] | None) -> None:
    with DaemonDouble(path, done(0, "", document)):
        ran = aoeha("aoe", "release", "e1.0", *here(path))
    assert ran.returncode == 112
    assert "does not know who owns it" in ran.stderr


def test_a_daemon_that_goes_away_is_no_permission(path: Path) -> None:
    with DaemonDouble(path):
        ran = aoeha("aoe", "release", "e1.0", *here(path))
    assert ran.returncode == 112
    assert "cannot tell whether storage is in use" in ran.stderr


def test_a_daemon_that_is_silent_is_no_permission(path: Path) -> None:
    with DaemonDouble(path, answers=False):
        ran = aoeha("aoe", "release", "e1.0", *here(path))
    assert ran.returncode == 124


@pytest.mark.parametrize("words", CHANGES)
def test_a_group_that_nobody_owns_may_be_changed(path: Path, words: tuple[str, ...]) -> None:
    with DaemonDouble(path, done(0, "", owned_by("nobody"))):
        ran = aoeha("aoe", *words, *here(path))
    assert reached_the_network(ran), ran.stderr


def test_without_a_daemon_it_may_be_changed(path: Path) -> None:
    assert reached_the_network(aoeha("aoe", "release", "e1.0", *here(path)))


def test_a_target_that_is_no_leg_is_nobodys_business(path: Path) -> None:
    with DaemonDouble(path, done(0, "", owned_by("alpha"))) as daemon:
        ran = aoeha("aoe", "release", "e7.1", *here(path))
    assert reached_the_network(ran), ran.stderr
    assert daemon.requests == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["reserve", "e1.0"], "--for"),
        (["reserve", "e1.0", "--for", "beta", "--hosts", "02:00:00:00:00:09"], "not allowed with"),
        (["reserve", "e1.0", "--hosts", "02:00:00:00:00"], "hardware addresses"),
        (["reserve", "e1.0", "--hosts", "ff:ff:ff:ff:ff:ff"], "single hosts"),
        (["reserve", "1.0", "--for", "beta"], "e1.0"),
        (
            ["reserve", "e1.0", "--for", "gamma", "-c", str(ROOT / "etc/aoeha.toml"), "--node", "alpha"],
            "alpha and beta",
        ),
        (["paths", "-c", str(ROOT / "etc/aoeha.toml"), "--node", "gamma"], "--node NAME"),
        (["lock"], "TARGET"),
    ],
)
def test_usage_errors_are_64(words: list[str], hint: str) -> None:
    ran = aoeha("aoe", *words)
    assert ran.returncode == 64, ran.stderr
    assert hint in ran.stderr


@pytest.mark.parametrize("verb", [["paths"], ["release", "e1.0"], ["reserve", "e1.0", "--hosts", "02:00:00:00:00:09"]])
def test_a_broken_configuration_is_78_and_no_permission(tmp_path: Path, verb: list[str]) -> None:
    broken = tmp_path / "aoeha.toml"
    broken.write_text("cluster = \n")
    ran = aoeha("aoe", *verb, "-c", str(broken), *NOWHERE)
    assert ran.returncode == 78
    assert str(broken) in ran.stderr


@pytest.mark.parametrize(
    "words",
    [["paths"], ["lock", "e1.0"], ["probe"], ["release", "e1.0", "--yes"], ["reserve", "e1.0", "--for", "beta"]],
)
def test_the_verbs_load_no_daemon_of_io_the_clock_alone_and_the_core_at_most_for_judging_the_configuration(
    words: list[str], tmp_path: Path
) -> None:
    file = str(ROOT / "etc" / "aoeha.toml")
    pair = [] if words == ["probe"] else ["-c", file, "--node", "alpha"]
    daemon = ["--socket", str(tmp_path / "none")] if words[0] in ("release", "reserve") else []
    program = (
        "import sys\nfrom aoeha.cli.verbs import run_verb\n"
        f"{'import aoeha.config.load' if pair else ''}\nbefore = set(sys.modules)\n"
        f"run_verb({['aoe', *words, *pair, *daemon, *NOWHERE]!r})\n"
        "loaded = {name for name in sys.modules if name.startswith(('aoeha.io', 'aoeha.daemon'))}\n"
        "loaded -= {'aoeha.io', 'aoeha.io.clock'}\n"
        "loaded |= {name for name in set(sys.modules) - before if name.startswith('aoeha.core')}\n"
        "print(sorted(loaded))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout.splitlines()[-1:] == ["[]"], ran.stderr
    assert "nowhere0" in ran.stderr
