"""`aoeha check`: what it prints about good and bad files, and its exit code."""

from pathlib import Path

import pytest
from daemon_double import ROOT, aoeha

from aoeha.cli.check.fences_there import asked_there
from aoeha.config.load import load

EXAMPLE = ROOT / "etc" / "aoeha.toml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    assert aoeha("keygen", str(keys)).returncode == 0
    written = tmp_path / "aoeha.toml"
    written.write_text(EXAMPLE.read_text().replace("/etc/aoeha/keys", str(keys)))
    return written


def change(file: Path, old: str, new: str) -> int:
    """Change one place and return its line."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_the_example_is_good_for_its_two_nodes(file: Path) -> None:
    ran = aoeha("check", str(file))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"{file}: valid for alpha and beta, 0 warnings; fingerprint ")
    assert ran.stderr == ""


def test_errors_of_the_file_and_of_the_agents_come_together_in_order(file: Path) -> None:
    port = change(file, "port = 694", "prt = 694")
    driver = change(file, 'targets = ["e1.0", "e2.0"]', 'target = ["e1.0", "e2.0"]')
    nested = change(file, "fsid = 0", 'fsid = "zero"')
    ran = aoeha("check", str(file))
    assert ran.returncode == 78
    lines = ran.stderr.splitlines()
    assert [line.split(":")[1] for line in lines[:-1]] == [str(port), str(driver), str(nested)]
    assert "did you mean 'targets'?" in lines[1]
    assert "export[#1].fsid" in lines[2]
    assert lines[-1] == f"{file}: 3 errors, 0 warnings"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('type = "raid"', 'type = "raif"', 'did you mean "raid"?'),
        ('type = "raid"', 'type = "ocf:heartbeat:NoSuchAgent"', "NoSuchAgent"),
        ('type = "rack_power"', 'type = "external:fence_no_such_thing"', "fence_no_such_thing"),
        ('type = "rack_power"', 'type = "../../etc/passwd"', "passwd"),
    ],
)
def test_a_type_without_an_agent_is_an_error_at_its_line(file: Path, old: str, new: str, expected: str) -> None:
    line = change(file, old, new)
    ran = aoeha("check", str(file))
    assert ran.returncode == 78
    assert f"{file}:{line}: " in ran.stderr
    assert expected in ran.stderr


def test_a_missing_key_file_is_a_warning_and_an_open_one_an_error(file: Path) -> None:
    keys = file.with_name("keys")
    keys.chmod(0o644)
    ran = aoeha("check", str(file))
    assert (ran.returncode, "chmod 600" in ran.stderr) == (78, True)
    keys.unlink()
    ran = aoeha("check", str(file))
    assert (ran.returncode, "aoeha keygen" in ran.stderr) == (0, True)


def test_a_missing_file_is_78(tmp_path: Path) -> None:
    ran = aoeha("check", str(tmp_path / "none.toml"))
    assert ran.returncode == 78
    assert "there is none" in ran.stderr


def test_findings_of_the_host_carry_the_command_that_mends_them(file: Path) -> None:
    ran = aoeha("check", "--host", str(file))
    assert ran.returncode in (0, 1), ran.stderr
    assert ("host: no findings" in ran.stdout) == (ran.returncode == 0)
    host_lines = [line for line in ran.stderr.splitlines() if line.startswith("host: ")]
    fixes = [line for line in ran.stderr.splitlines() if line.startswith("  ")]
    assert len(fixes) == max(len(host_lines) - 1, 0)


def test_agents_are_listed_and_described() -> None:
    listed = aoeha("agents")
    assert listed.returncode == 0
    assert {"aoe", "raid", "filesystem", "address", "nfs", "rack_power"} <= {
        line.split()[0] for line in listed.stdout.splitlines() if line
    }
    described = aoeha("agents", "nfs")
    assert 'lease               a duration like "200ms", "2s" or "10m"; default ' in described.stdout
    assert "did you mean nfs?" in aoeha("agents", "nsf").stderr


@pytest.mark.parametrize("words", [("--over", "true"), ("--node", "delta")])
def test_devices_are_not_asked_from_a_machine_that_is_neither_gateway(tmp_path: Path, words: tuple[str, str]) -> None:
    file = tmp_path / "aoeha.toml"
    file.write_text((ROOT / "etc" / "aoeha.toml").read_text().replace("alpha", "gamma"))
    ran = aoeha("check", "--fences", *words, str(file))
    assert ran.returncode == 64
    assert "cannot tell which gateway this is: the configuration names gamma and beta, not" in ran.stderr
    alone = aoeha("check", *words, str(file))
    assert alone.returncode == 64
    assert "add --fences" in alone.stderr


def test_the_name_of_the_file_is_a_word_to_the_shell_of_the_other_gateway(file: Path) -> None:
    """Sshd joins the words that it is given, and a shell reads them."""
    shell = file.parent / "shell"
    shell.write_text(f'#!/bin/sh\nshift\ncd {file.parent}\neval "set -- $*"\nprintf "%s\\n" "$@" >words\n')
    shell.chmod(0o755)
    odd = file.rename(file.parent / "a;touch INJECTED #.toml")
    asked_there(load(odd), f"{shell} beta", str(odd), "beta", named=True)
    assert (file.parent / "words").read_text().splitlines() == [
        "aoeha", "check", "--fences", "--node", "beta", str(odd),
    ]  # fmt: skip
    assert not (file.parent / "INJECTED").exists()
