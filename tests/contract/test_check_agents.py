"""Agents of a file are asked apart: what they do to their process, and who may have written them, is told in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="lays a folder over /etc and gives files away: needs root"),
]

ROOT = Path(__file__).parents[2]
AGENT = """
from aoeha.agents.interface import Observation, Parameters, ResourceAgent

class Own(ResourceAgent[Parameters]):
    parameters_type = Parameters
    summary = "does nothing"
    async def start(self): pass
    async def stop(self): pass
    async def monitor(self): pass
    async def validate(self): pass
"""
TRACE = "import os; open({file!r}, 'a').write(str(os.getuid()))\n"
RESOURCE = '\n[[group.resource]]\nname = "own"\ntype = "own"\n'
HERE = "mount -t overlay overlay -o lowerdir={etc}:/etc /etc && exec "


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """The file of an agent of the user's own, in a folder that lies over /etc, and a configuration that names it."""
    keys = tmp_path / "keys"
    keys.write_text(f"1 {'5a' * 32}\n")
    keys.chmod(0o600)
    text = (ROOT / "etc" / "aoeha.toml").read_text().replace("/etc/aoeha/keys", str(keys))
    (tmp_path / "aoeha.toml").write_text(text + RESOURCE)
    folder = tmp_path / "etc" / "aoeha" / "resources.d"
    folder.mkdir(parents=True)
    made = folder / "own.py"
    made.write_text(AGENT)
    return made


def aoeha(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a program of ours where the folder's etc lies over /etc."""
    program = " ".join(f"'{word}'" for word in (sys.executable, *words))
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", HERE.format(etc=folder / "etc") + program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return aoeha(folder, "-m", "aoeha.cli.main", "check", folder / "aoeha.toml")


def test_an_agent_of_ones_own_is_good_whatever_it_prints(agent: Path, tmp_path: Path) -> None:
    agent.write_text(f"print('x' * 100_000)\n{AGENT}")
    ran = check(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "xxx" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("where", ["the file", "its folder", "its owner"])
def test_an_agent_that_others_may_write_is_refused_and_not_run(agent: Path, tmp_path: Path, where: str) -> None:
    agent.write_text(TRACE.format(file=f"{tmp_path}/ran") + AGENT)
    match where:
        case "the file":
            agent.chmod(0o666)
        case "its folder":
            agent.parent.chmod(0o777)
        case _:
            os.chown(agent, 65_534, 65_534)
    ran = check(tmp_path)
    started = aoeha(
        tmp_path, "-m", "aoeha.cli.main", "daemon", "--dry-run", "-c", tmp_path / "aoeha.toml", "--node", "alpha"
    )
    for told in (ran, started):
        assert told.returncode == 78, told.stderr
        assert "cannot trust the agent /etc/aoeha/resources.d/own.py: " in told.stderr
    assert not (tmp_path / "ran").exists()


def test_a_fence_program_that_others_may_write_is_refused_and_not_run(agent: Path, tmp_path: Path) -> None:
    agent.unlink()
    program = tmp_path / "fence"
    program.write_text(f"#!/bin/sh\nid -un > {tmp_path}/ran\n")
    program.chmod(0o777)
    file = tmp_path / "aoeha.toml"
    file.write_text(file.read_text().removesuffix(RESOURCE).replace('"rack_power"', f'"external:{program}"'))
    ran = check(tmp_path)
    assert (ran.returncode, f"cannot trust the agent {program}: " in ran.stderr) == (78, True), ran.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import sys; sys.exit(3)", "cannot load the agent /etc/aoeha/resources.d/own.py: SystemExit: 3"),
        ("import os; os._exit(0)", "its agent ended the check with code 0"),
        ("import os; os.kill(os.getpid(), 11)", "its agent ended the check with code -11"),
        ("def", "cannot load the agent /etc/aoeha/resources.d/own.py: SyntaxError"),
        ("x = 1", "must define exactly one complete ResourceAgent, but defines none"),
    ],
)
def test_an_agent_that_ends_the_check_is_named(agent: Path, tmp_path: Path, text: str, expected: str) -> None:
    agent.write_text(text)
    ran = check(tmp_path)
    assert ran.returncode == 78, ran.stderr
    assert any("resource[own].type: " in line and expected in line for line in ran.stderr.splitlines()), ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_agent_that_hangs_is_ended_with_all_that_it_started(agent: Path, tmp_path: Path) -> None:
    agent.write_text(f"import os, time\nopen('{tmp_path}/pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n")
    words = f'from aoeha.config.agents_apart import findings_of_agents as f; print(f("{tmp_path}/aoeha.toml", 5_000))'
    ran = aoeha(tmp_path, "-c", words)
    assert "its agent did not end within 5 s, and what comes after it was not checked" in ran.stdout, ran.stderr
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


def test_a_configuration_that_others_may_write_starts_no_daemon(agent: Path, tmp_path: Path) -> None:
    file = tmp_path / "aoeha.toml"
    file.chmod(0o666)
    ran = check(tmp_path)
    assert (ran.returncode, f"warning: cannot trust the file: other users may write to {file}" in ran.stderr) == (
        0,
        True,
    )
    started = aoeha(tmp_path, "-m", "aoeha.cli.main", "daemon", "--dry-run", "-c", file, "--node", "alpha")
    assert (started.returncode, "cannot trust the file: other users may write to" in started.stderr) == (78, True)
    assert agent.exists()
