"""`aoeha agents fence` and `install`, and what `aoeha check` says of an installed fence program's options."""

import shutil
from pathlib import Path

import pytest
from daemon_double import ROOT, aoeha

needs_fence_agents = pytest.mark.skipif(shutil.which("fence_dummy") is None, reason="needs Debian's fence-agents")

OURS = 'type = "rack_power"'
PARAMETERS = '[fence.parameters]\naddress = "10.77.1.1"\nport = 7700\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    assert aoeha("keygen", str(keys)).returncode == 0
    written = tmp_path / "aoeha.toml"
    written.write_text((ROOT / "etc" / "aoeha.toml").read_text().replace("/etc/aoeha/keys", str(keys)))
    return written


def use(file: Path, program: str, parameters: str) -> int:
    """Let the file's fence device be a program with these parameters; return the line of the first of them."""
    text = file.read_text()
    assert OURS in text
    assert PARAMETERS in text
    text = text.replace(OURS, f'type = "external:{program}"')
    file.write_text(text.replace(PARAMETERS, f"[fence.parameters]\n{parameters}"))
    return text[: text.index(PARAMETERS)].count("\n") + 2


@needs_fence_agents
def test_good_options_of_an_installed_program_pass(file: Path) -> None:
    use(file, "fence_eaton_snmp", 'ip = "192.0.2.7"\nsnmp_version = "2c"\n')
    ran = aoeha("check", str(file))
    assert ran.returncode == 0, ran.stderr


@needs_fence_agents
@pytest.mark.parametrize(
    ("parameters", "key", "sentence"),
    [
        ('ip = "192.0.2.7"\nipport = "many"\n', "ipport", "expected a whole number, got 'many'"),
        ('ip = "192.0.2.7"\nsnmp_versio = "1"\n', "snmp_versio", "did you mean 'snmp_version'?"),
        ('ip = "192.0.2.7"\ncommunity = "hunter2"\n', "community", "a secret may not stand here"),
    ],
)
def test_each_bad_option_is_an_error_at_its_line_with_its_mend(
    file: Path, parameters: str, key: str, sentence: str
) -> None:
    line = use(file, "fence_eaton_snmp", parameters) + 1
    ran = aoeha("check", str(file))
    assert ran.returncode == 78
    finding = ran.stderr.splitlines()[0]
    assert finding.startswith(f"{file}:{line}: fence[power-switch].parameters.{key}: "), finding
    assert sentence in finding
    assert "hunter2" not in ran.stdout + ran.stderr


@needs_fence_agents
def test_missing_option_is_an_error_of_the_table(file: Path) -> None:
    line = use(file, "fence_eaton_snmp", 'snmp_version = "1"\n') - 1
    ran = aoeha("check", str(file))
    assert ran.returncode == 78
    assert ran.stderr.splitlines()[0].startswith(f"{file}:{line}: ")
    assert "ip: fence_eaton_snmp requires this option" in ran.stderr


@needs_fence_agents
def test_program_that_calls_everything_off_is_a_warning(file: Path) -> None:
    use(file, "fence_apc_snmp", 'ip = "192.0.2.7"\n')
    ran = aoeha("check", str(file))
    assert ran.returncode == 0
    assert "warning: fence[power-switch].parameters: fence_apc_snmp calls a plug off that" in ran.stderr


@needs_fence_agents
def test_old_word_is_a_warning_with_the_new_one(file: Path) -> None:
    use(file, "fence_eaton_snmp", 'ipaddr = "192.0.2.7"\n')
    ran = aoeha("check", str(file))
    assert ran.returncode == 0
    assert "warning: fence[power-switch].parameters.ipaddr: the program calls this ip now" in ran.stderr


@needs_fence_agents
def test_program_that_cannot_give_a_proof_is_refused(file: Path) -> None:
    use(file, "fence_rcd_serial", 'serial_port = "/dev/ttyS1"\n')
    ran = aoeha("check", str(file))
    assert ran.returncode == 78
    assert "it has no action on, off" in ran.stderr


@needs_fence_agents
def test_secret_that_others_may_read_is_an_error_and_a_missing_one_a_warning(file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "community"
    use(file, "fence_eaton_snmp", f'ip = "192.0.2.7"\ncommunity = {{ file = "{secret}" }}\n')
    ran = aoeha("check", str(file))
    assert ran.returncode == 0
    assert "warning: fence[power-switch].parameters.community: cannot read" in ran.stderr
    secret.write_text("hunter2\n")
    secret.chmod(0o640)
    ran = aoeha("check", str(file))
    assert ran.returncode == 78
    assert "cannot trust" in ran.stderr
    assert "chmod 600" in ran.stderr
    secret.chmod(0o600)
    ran = aoeha("check", str(file))
    assert (ran.returncode, ran.stderr) == (0, "")


@needs_fence_agents
def test_installed_programs_are_listed_and_one_is_described() -> None:
    listed = aoeha("agents", "fence")
    assert listed.returncode == 0
    assert "rack_power" in listed.stdout
    assert "fence_dummy" in listed.stdout.split()
    shown = aoeha("agents", "fence", "fence_eaton_snmp").stdout
    assert 'type = "external:fence_eaton_snmp"' in shown
    required, _, optional = shown.partition("REQUIRED")[2].partition("OPTIONAL")
    assert "\n  ip  " in required
    assert "\n  snmp_version          one of 1, 2c, 3; by default" in optional
    assert 'community             a secret, { file = "/path" }' in optional
    assert "\n  ipaddr" not in shown
    assert "login (username)" in shown


def test_ours_are_described_as_aoeha_toml_and_as_others_call_them() -> None:
    own = aoeha("agents", "fence", "rack_power").stdout
    assert "\n  address  " in own
    program = aoeha("agents", "fence", "fence_rack_power").stdout
    assert "\n  ipport  " in program
    assert "ACTIONS  on, off, reboot, status, monitor, metadata, validate-all" in program
    assert "`aoeha agents install`" in aoeha("agents", "fence", "aoe").stdout


@needs_fence_agents
def test_name_of_debians_program_means_debians() -> None:
    assert 'type = "external:fence_wti"' in aoeha("agents", "fence", "fence_wti").stdout


@pytest.mark.parametrize("name", ["fence_no_such_thing", "/no/such/file", "rm"])
def test_unknown_program_is_refused(name: str) -> None:
    ran = aoeha("agents", "fence", name)
    assert ran.returncode == 1
    assert f"cannot describe {name}" in ran.stderr


@needs_fence_agents
def test_misspelt_program_is_guessed() -> None:
    assert "did you mean fence_dummy?" in aoeha("agents", "fence", "fence_dumy").stderr


def test_agents_are_installed_below_a_root_with_the_way_back(tmp_path: Path) -> None:
    ran = aoeha("agents", "install", "--root", str(tmp_path))
    assert ran.returncode == 0
    *written, undo = ran.stdout.splitlines()
    assert str(tmp_path / "usr/sbin/fence_aoe") in written
    assert str(tmp_path / "usr/lib/ocf/resource.d/aoeha/address") in written
    assert all(Path(path).stat().st_mode & 0o111 for path in written)
    assert undo == f"To undo: rm {' '.join(written)}"


def test_command_that_is_none_is_usage() -> None:
    assert aoeha("agents", "nfs", "raid").returncode == 64
