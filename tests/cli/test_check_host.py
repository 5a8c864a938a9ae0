"""`aoeha check --host --fix`: what it prints and writes on a root file system of the test's, and its exit codes."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from daemon_double import ROOT, aoeha

NOBODY = 65534
EXAMPLE = ROOT / "etc" / "aoeha.toml"
UUID = next(line.split('"')[1] for line in EXAMPLE.read_text().splitlines() if line.strip().startswith("uuid"))


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root file system with two findings that a change of a file fixes and one that needs a command."""
    root = tmp_path / "machine"
    put(root, "etc/mdadm/mdadm.conf", f"AUTO -all\nARRAY /dev/md0 UUID=1:2:3:4\nARRAY /dev/md/other UUID={UUID}\n")
    put(root, "usr/lib/modules-load.d/aoetools.conf", "aoe\n")
    put(root, "etc/systemd/system/multi-user.target.wants/nfs-server.service", "[Unit]\n")
    return root


def check(machine: Path, *words: str) -> tuple[int, str, str]:
    ran = aoeha("check", str(EXAMPLE), "--host", "--root", str(machine), *words)
    return ran.returncode, ran.stdout, ran.stderr


def files(root: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in root.rglob("*") if path.is_file()}


def test_the_arrays_of_the_configuration_are_looked_for(machine: Path) -> None:
    code, _, errors = check(machine)
    assert code == 1
    assert "lists the shared array /dev/md/other" in errors
    count = errors.splitlines()[-1]
    assert count.startswith("host: 3 findings; ")
    assert f"`chroot {machine}`" in count
    assert "`--fix` fixes 2 of them" in count


def test_a_dry_run_shows_the_changes_and_makes_none(machine: Path) -> None:
    before = files(machine)
    code, shown, errors = check(machine, "--fix", "--dry-run")
    assert code == 1
    assert files(machine) == before
    assert f"-ARRAY /dev/md/other UUID={UUID}\n+# aoeha assembles this: ARRAY /dev/md/other UUID={UUID}\n" in shown
    assert f"--- /dev/null\n+++ {machine}/etc/modules-load.d/aoetools.conf\n" in shown
    assert errors.count("\nhost: ") + errors.startswith("host: ") == 2, "the one that needs a command, and the count"
    assert "systemctl disable nfs-server.service" in errors


def test_fixing_writes_says_so_and_a_second_run_changes_nothing(machine: Path) -> None:
    code, told, errors = check(machine, "--fix")
    configuration = machine / "etc/mdadm/mdadm.conf"
    assert code == 1
    assert f"wrote {configuration}; the old version is in {configuration}.before-aoeha\n" in told
    assert f"  To undo: mv {configuration}.before-aoeha {configuration}\n" in told
    assert f"  To undo: rm {machine}/etc/modules-load.d/aoetools.conf\n" in told
    assert "host: 1 finding; " in errors
    after = files(machine)
    assert check(machine, "--fix")[0] == 1
    assert files(machine) == after


def test_nothing_left_is_0(machine: Path) -> None:
    (machine / "etc/systemd/system/multi-user.target.wants/nfs-server.service").unlink()
    code, told, _ = check(machine, "--fix")
    assert (code, "host: no findings" in told) == (0, True)


def test_the_printed_undo_brings_everything_back(machine: Path) -> None:
    before = files(machine)
    _, told, _ = check(machine, "--fix")
    for line in told.splitlines():
        if command := line.partition("To undo: ")[2]:
            assert os.system(command) == 0  # a user types it into a shell
    assert files(machine) == before


def test_without_privilege_it_is_4_and_nothing_is_written() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, "etc/mdadm/mdadm.conf", "HOMEHOST <system>\n")
        for path in (root, *root.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = files(root)
        words = [sys.executable, "-m", "aoeha.cli.main", "check", str(EXAMPLE), "--host", "--root", folder, "--fix"]
        user = NOBODY if os.geteuid() == 0 else None
        ran = subprocess.run(words, cwd=ROOT, user=user, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, "permission denied; run this as root" in ran.stderr) == (4, True), ran.stderr
        assert files(root) == before
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)


def test_a_root_that_is_no_folder_is_a_failure(tmp_path: Path) -> None:
    code, _, errors = check(tmp_path / "nowhere")
    assert (code, f"cannot check {tmp_path / 'nowhere'}" in errors) == (1, True)


@pytest.mark.parametrize("words", [["--fix"], ["--root", "/"], ["--host", "--dry-run"]])
def test_words_that_belong_together_are_asked_for(words: list[str]) -> None:
    ran = aoeha("check", *words)
    assert (ran.returncode, "add --" in ran.stderr) == (64, True)
