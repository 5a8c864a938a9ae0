"""`aoeha simulate` as a user runs it: no root, no hardware, one line of result and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "tests" / "scenarios" / "owner-loses-power.txt"


def simulate(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aoeha.cli.main", "simulate", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ)


def test_a_scenario_prints_the_recorded_trace() -> None:
    ran = simulate(str(SCENARIO))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == SCENARIO.read_text(encoding="utf-8").partition("----\n")[2]


def test_rewriting_records_the_trace_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "short.txt"
    file.write_text("boot alpha beta\nwait 5s\nnever both serve storage\n", encoding="utf-8")
    assert simulate("--rewrite", str(file)).returncode == 0
    assert "group.running" in file.read_text(encoding="utf-8").partition("----\n")[2]


def test_a_configured_pair_is_broken_and_stays_well() -> None:
    ran = simulate("--config", "etc/aoeha.toml", "--seed", "5", "--runs", "1", "--bench")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("1 runs, ")
    assert "0 violations" in ran.stdout
    assert "simulated seconds a second" in ran.stdout


def test_a_seed_prints_its_story_as_a_scenario() -> None:
    ran = simulate("--trace", "--seed", "1")
    assert ran.returncode == 0, ran.stderr
    assert "\npair " in ran.stdout
    assert "\n----\n" in ran.stdout


@pytest.mark.parametrize(
    ("text", "told"), [("never both serve storage\nexplode alpha\n", "odd.txt:2"), ("boot alpha\n", "promises nothing")]
)
def test_a_scenario_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "odd.txt"
    file.write_text(text, encoding="utf-8")
    ran = simulate(str(file))
    assert ran.returncode == 64
    assert told in ran.stderr


def test_a_bad_configuration_is_refused_with_all_findings(tmp_path: Path) -> None:
    file = tmp_path / "aoeha.toml"
    file.write_text('cluster = "gw"\n', encoding="utf-8")
    ran = simulate("--config", str(file), "--runs", "1")
    assert ran.returncode == 78
    assert str(file) in ran.stderr
