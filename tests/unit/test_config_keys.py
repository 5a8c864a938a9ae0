"""The key file: refused when it isn't safe, never shown."""

import os
from pathlib import Path

import pytest

from aoeha.config.findings import ConfigurationError
from aoeha.config.keys import load_keys

SECRET = "5a" * 32


def refusal(file: Path) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load_keys(file)
    return str(raised.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    made.write_text(f"1 {SECRET}\n")
    made.chmod(0o600)
    return made


def test_keys_are_read_in_their_order(file: Path) -> None:
    file.write_text(f"# comment\n7 {SECRET}\n2 {'a5' * 32}\n")
    assert [key.id for key in load_keys(file)] == [7, 2]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o606])
def test_a_file_that_others_can_open_is_refused_with_the_mend(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert f"mode {mode:04o}); run: chmod 600 {file}" in refusal(file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("", "cannot find a key"), (f"{SECRET}\n", "expected a number and hex digits"), (f"1 {SECRET[:20]}\n", "32 are")],
)
def test_what_is_no_key_file_is_refused_without_showing_it(file: Path, content: str, expected: str) -> None:
    file.write_text(content)
    sentence = refusal(file)
    assert expected in sentence
    assert SECRET[:10] not in sentence


def test_other_bytes_a_folder_a_pipe_and_nothing_are_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"1 \xff\xfe\n")
    assert "got other bytes" in refusal(file)
    assert "expected a plain file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "expected a plain file" in refusal(tmp_path / "pipe")
    assert "aoeha keygen" in refusal(tmp_path / "none")
