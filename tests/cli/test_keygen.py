"""`aoeha keygen`: a file that only root reads, never overwritten, rotated without a gap."""

import stat
from pathlib import Path

import pytest
from daemon_double import aoeha

from aoeha.wire.keys import parse_keys


def test_a_new_key_file_is_for_its_owner_alone_and_can_be_read_back(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    ran = aoeha("keygen", str(file))
    assert ran.returncode == 0, ran.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (key,) = parse_keys(file.read_text(), str(file))
    assert len(key.secret) == 32
    assert key.secret.hex() not in ran.stdout + ran.stderr


def test_two_runs_make_different_keys(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert aoeha("keygen", str(tmp_path / name)).returncode == 0
    assert (tmp_path / "one").read_text() != (tmp_path / "two").read_text()


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("precious")
    ran = aoeha("keygen", str(file))
    assert ran.returncode == 107
    assert "--rotate" in ran.stderr
    assert file.read_text() == "precious"


def test_rotate_adds_a_key_behind_the_one_that_signs(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    aoeha("keygen", str(file))
    before = parse_keys(file.read_text(), str(file))
    assert aoeha("keygen", "--rotate", str(file)).returncode == 0
    after = parse_keys(file.read_text(), str(file))
    assert after[0] == before[0]
    assert [key.id for key in after] == [1, 2]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_rotate_takes_a_free_number_after_the_last(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"1 {'ab' * 32}\n255 {'cd' * 32}")
    assert aoeha("keygen", "--rotate", str(file)).returncode == 0
    assert [key.id for key in parse_keys(file.read_text(), str(file))] == [1, 255, 2]


@pytest.mark.parametrize(("content", "code"), [(None, 1), ("nonsense\n", 78), ("1 \xe4\n", 78)])
def test_rotate_refuses_what_is_no_key_file(tmp_path: Path, content: str | None, code: int) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    ran = aoeha("keygen", "--rotate", str(file))
    assert ran.returncode == code, ran.stderr
    assert content is None or file.read_text() == content


def test_a_missing_folder_is_said_with_its_mend(tmp_path: Path) -> None:
    ran = aoeha("keygen", str(tmp_path / "none" / "keys"))
    assert ran.returncode == 1
    assert "mkdir -p" in ran.stderr
